//! Cgroups as a noun of their own: made, counted, frozen, killed, removed.

mod support;

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::time::Duration;

use offspring_spawn::{
    Cgroup, CgroupErrorKind as Kind, CgroupState, Controller, ExitStatus, Kernel, Limit, Setting,
    Signal, Stage,
};
use support::isolation::{isolated, skip};
use support::place::{Place, directory};
use support::traces::Traces;
use support::{cat, killed, read_line, sh, sleeper};

/// Longer than anything here takes.
const MINUTE: Duration = Duration::from_secs(60);

/// A group of the test's own, and the cgroup as this crate sees it.
fn group(test: &str) -> Option<(support::cgroup::Cgroup, Cgroup)> {
    let own = support::cgroup::Cgroup::new(test)?;
    let group = Cgroup::from_directory(own.directory()).unwrap();
    Some((own, group))
}

#[track_caller]
fn kind<T: std::fmt::Debug>(result: Result<T, offspring_spawn::CgroupError>) -> Kind {
    result.unwrap_err().kind()
}

#[test]
fn made_listed_and_removed() {
    isolated(|| {
        let Some((_own, group)) = group("made_listed_and_removed") else {
            return;
        };
        Traces::unchanged(|| {
            let child = group.create("b").unwrap();
            group.create("a").unwrap().create("below").unwrap();
            assert_eq!(group.children().unwrap(), ["a", "b"]);
            assert_eq!(group.child("b").unwrap().id(), child.id());
            assert_ne!(group.id(), child.id());
            assert_eq!(kind(group.remove_child("a")), Kind::Busy);
            group.remove_tree("a", Duration::ZERO).unwrap();
            group.remove_child("b").unwrap();
            // What is gone already needs no removing.
            group.remove_tree("b", Duration::ZERO).unwrap();
            assert!(group.children().unwrap().is_empty());
        });
    });
}

#[test]
fn every_error_has_its_kind() {
    let Some((own, group)) = group("every_error_has_its_kind") else {
        return;
    };
    group.create("there").unwrap();
    assert_eq!(kind(group.create("there")), Kind::Exists);
    assert_eq!(kind(group.child("not there")), Kind::NotFound);
    assert_eq!(kind(group.remove_child("not there")), Kind::NotFound);
    assert_eq!(kind(Cgroup::open(own.file("not there"))), Kind::NotFound);
    for name in ["", ".", "..", "a/b", "/", "a\0", "a\nb"] {
        assert_eq!(kind(group.create(name)), Kind::InvalidValue, "{name:?}");
        assert_eq!(kind(group.child(name)), Kind::InvalidValue, "{name:?}");
        assert_eq!(kind(group.remove_child(name)), Kind::InvalidValue, "{name:?}");
    }
    let place = Place::new();
    assert_eq!(kind(Cgroup::open(place.root())), Kind::NotCgroup);
    assert_eq!(kind(Cgroup::open("/dev/null")), Kind::NotCgroup);
    assert_eq!(kind(Cgroup::open(own.file("cgroup.procs"))), Kind::NotCgroup);
    let null = OwnedFd::from(File::open("/dev/null").unwrap());
    assert_eq!(kind(Cgroup::from_directory(null)), Kind::NotCgroup);
    assert_eq!(kind(Cgroup::from_directory(directory("/".as_ref()))), Kind::NotCgroup);

    fs::write(own.file("cgroup.max.descendants"), "1").unwrap();
    assert_eq!(kind(group.create("one more")), Kind::LimitReached);
    let child = sleeper().cgroup(&group.child("there").unwrap()).spawn().unwrap();
    assert_eq!(kind(group.remove_child("there")), Kind::Busy);
    drop(child);
    group.remove_tree("there", MINUTE).unwrap();
}

/// Processes and controllers for those beneath exclude each other, in every order.
#[test]
fn busy_with_processes_or_with_controllers() {
    let name = "busy_with_processes_or_with_controllers";
    let Some((_own, group)) = group(name) else {
        return;
    };
    // Only such as cannot be of threads.
    if !group.controllers().unwrap().contains(&Controller::Memory) {
        return skip(name, "there is no controller memory");
    }
    let memory = [Controller::Memory];
    let [with, below] = ["with", "below"].map(|name| group.create(name).unwrap());
    let child = sleeper().cgroup(&with).spawn().unwrap();
    group.enable(memory).unwrap();
    assert_eq!(kind(with.enable(memory)), Kind::Busy);
    below.enable(memory).unwrap();
    assert_eq!(kind(group.disable(memory)), Kind::Busy);
    for (group, pid) in [(&group, child.pidfd().getpid().unwrap()), (&below, std::process::id())] {
        assert_eq!(kind(group.attach(pid)), Kind::Busy);
        let error = sleeper().cgroup(group).spawn().unwrap_err();
        assert_eq!(error.stage, Stage::Cgroup);
        assert_eq!(Kind::of(error.errno), Kind::Busy, "{error}");
    }
    assert_eq!(kind(below.join()), Kind::Busy);
    drop(child);
    below.disable(memory).unwrap();
    group.disable(memory).unwrap();
    for name in ["with", "below"] {
        group.remove_tree(name, MINUTE).unwrap();
    }
}

#[test]
fn a_group_that_is_gone_says_so() {
    let Some((_own, group)) = group("a_group_that_is_gone_says_so") else {
        return;
    };
    let gone = group.create("gone").unwrap();
    let events = gone.events().unwrap();
    group.remove_child("gone").unwrap();
    assert_eq!(kind(gone.kill()), Kind::Gone);
    assert_eq!(kind(gone.freeze()), Kind::Gone);
    assert_eq!(kind(gone.state()), Kind::Gone);
    assert_eq!(kind(gone.processes()), Kind::Gone);
    assert_eq!(kind(gone.controllers()), Kind::Gone);
    assert_eq!(kind(gone.set(&Setting::MemoryMax(Limit::Max))), Kind::Gone);
    assert_eq!(kind(gone.create("below")), Kind::Gone);
    assert_eq!(kind(gone.join()), Kind::Gone);
    assert!(events.read().is_err());
}

#[test]
fn a_missing_controller_is_named() {
    let Some((_own, group)) = group("a_missing_controller_is_named") else {
        return;
    };
    let child = group.create("child").unwrap();
    let settings = [
        (Controller::Memory, Setting::MemoryMax(Limit::At(1 << 30))),
        (Controller::Pids, Setting::PidsMax(Limit::At(64))),
        (Controller::Cpu, Setting::CpuWeight(100)),
        (Controller::Cpuset, Setting::CpusetCpus(vec![0])),
        (Controller::Io, Setting::IoWeight(100)),
    ];
    // Nobody has enabled any for what lies beneath.
    for (controller, setting) in settings {
        assert_eq!(kind(child.set(&setting)), Kind::NoController(controller));
        if !group.controllers().unwrap().contains(&controller) {
            assert_eq!(kind(group.enable([controller])), Kind::NoController(controller));
        }
    }
    assert_eq!(child.memory_stat(), Ok(None));
    assert_eq!(child.pids_stat(), Ok(None));
    assert_eq!(kind(child.memory_events()), Kind::NoController(Controller::Memory));
    assert!(child.controllers().unwrap().is_empty());
    group.remove_child("child").unwrap();
}

/// They fork twice, lead sessions of their own, and ignore what can be ignored.
#[test]
fn one_call_kills_a_tree_of_daemons() {
    let Some((own, group)) = group("one_call_kills_a_tree_of_daemons") else {
        return;
    };
    let daemon = "trap '' TERM HUP INT; setsid sh -c 'trap \"\" TERM; echo; sleep 300; :' &";
    let script = format!("for i in 1 2 3 4 5; do ({daemon}) & done; wait; read line; exec sleep 1");
    let mut command = sh(&script);
    command.stdin(offspring_spawn::Stdio::Piped).stdout(offspring_spawn::Stdio::Piped);
    let mut child = command.cgroup(&group).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    for _ in 0..5 {
        read_line(&stdout);
    }
    assert!(group.processes().unwrap().len() > 5);
    group.kill().unwrap();
    assert!(group.wait_until_empty(MINUTE).unwrap());
    assert_eq!(child.wait().unwrap().status, killed(Signal::KILL));
    assert_eq!(fs::read_to_string(own.file("cgroup.procs")).unwrap(), "");
}

#[test]
fn a_tree_is_removed_with_all_that_lives_in_it() {
    isolated(|| {
        let Some((_own, group)) = group("a_tree_is_removed_with_all_that_lives_in_it") else {
            return;
        };
        // Opens what is opened once.
        drop(sleeper().spawn().unwrap());
        Traces::unchanged(|| {
            let mut children = Vec::new();
            let mut below = group.create("tree").unwrap();
            for name in ["a", "b", "c"] {
                children.push(sleeper().cgroup(&below).spawn().unwrap());
                below = below.create(name).unwrap();
            }
            // What is frozen can be killed too.
            group.child("tree").unwrap().freeze().unwrap();
            group.remove_tree("tree", MINUTE).unwrap();
            assert!(group.children().unwrap().is_empty());
            for child in children {
                assert_eq!(child.wait().unwrap().status, killed(Signal::KILL));
            }
        });
    });
}

#[test]
fn frozen_until_thawed() {
    let Some((_own, group)) = group("frozen_until_thawed") else {
        return;
    };
    let events = group.events().unwrap();
    let state = || events.read().unwrap();
    assert_eq!(state(), CgroupState { populated: false, frozen: false });
    let mut child = cat().cgroup(&group).spawn().unwrap();
    let until = |wanted: CgroupState| {
        while state() != wanted {
            assert!(events.poll(MINUTE).unwrap(), "never {wanted:?}");
        }
    };
    until(CgroupState { populated: true, frozen: false });
    assert!(!group.is_freezing().unwrap());
    group.freeze().unwrap();
    assert!(group.is_freezing().unwrap());
    until(CgroupState { populated: true, frozen: true });
    // Nobody reads it.
    drop(child.stdin.take());
    assert!(child.try_wait().unwrap().is_none());
    group.thaw().unwrap();
    assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(0));
    until(CgroupState { populated: false, frozen: false });
}

#[test]
fn waiting_has_an_end() {
    let Some((_own, group)) = group("waiting_has_an_end") else {
        return;
    };
    let child = sleeper().cgroup(&group).spawn().unwrap();
    assert!(!group.wait_until_empty(Duration::from_millis(10)).unwrap());
    assert_eq!(kind(Cgroup::own().unwrap().remove_child("not there")), Kind::NotFound);
    drop(child);
    assert!(group.wait_until_empty(MINUTE).unwrap());
}

#[test]
fn a_process_is_found_in_its_group() {
    let Some((own, group)) = group("a_process_is_found_in_its_group") else {
        return;
    };
    let child = sleeper().cgroup(&group).spawn().unwrap();
    let found = Cgroup::of(child.pidfd()).unwrap();
    assert_eq!(found.id(), group.id());
    if let Ok(info) = child.pidfd().info() {
        assert_eq!(info.cgroup, Some(group.id().unwrap()));
    }
    assert!(!own.name.is_empty() && !group.is_root());
    child.kill().unwrap();
    child.wait().unwrap();
    if Kernel::get().unwrap().has_group_signals() {
        assert_eq!(kind(Cgroup::of(child.pidfd())), Kind::NotFound);
    }
}

#[test]
fn use_is_counted_without_controllers() {
    let Some((_own, group)) = group("use_is_counted_without_controllers") else {
        return;
    };
    let before = group.cpu_stat().unwrap().usage;
    let mut busy = sh("i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done");
    assert!(busy.cgroup(&group).spawn().unwrap().wait().unwrap().status.success());
    assert!(group.cpu_stat().unwrap().usage > before);
    match group.pressure(Controller::Cpu).unwrap() {
        Some(pressure) => assert!(pressure.some.percent_10s <= 100.0),
        None => skip("use_is_counted_without_controllers", "this kernel counts no pressure"),
    }
    assert_eq!(group.pressure(Controller::Pids), Ok(None));
}

#[test]
fn a_lock_lasts_as_long_as_its_owner() {
    isolated(|| {
        let Some((own, group)) = group("a_lock_lasts_as_long_as_its_owner") else {
            return;
        };
        let lock = group.lock().unwrap();
        assert_eq!(kind(group.lock()), Kind::Busy);
        drop(lock);
        // Another process, which is killed.
        let mut holder = sh("exec 9<\"$0\"; flock 9; echo; exec sleep 300");
        holder.arg(own.file("")).stdout(offspring_spawn::Stdio::Piped);
        let mut holder = holder.spawn().unwrap();
        read_line(&holder.stdout.take().unwrap());
        assert_eq!(kind(group.lock()), Kind::Busy);
        holder.kill().unwrap();
        holder.wait().unwrap();
        assert!(group.lock().is_ok());
    });
}
