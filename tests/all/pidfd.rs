//! Exit handles.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use offspring::cgroup::Place;
use offspring::policy::{Grant, Limits, Part, Policy};
use offspring_spawn::Signal;
use offspring_tests::*;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::process::{Resource, WaitOptions, getrlimit, setrlimit, wait};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::assert_test_exists;
use crate::isolation::{helper, is_helper, isolated, skip};
use crate::lifeline::Lifeline;
use crate::namespace::in_namespaces;
use crate::run::{Run, grant, sandbox};
use crate::runtime::{current_thread, everywhere};
use crate::stdio::peak_memory;
use crate::traces::assert_no_children;

for_each_pidfd_program!(assert_test_exists);

#[test]
fn pidfd_wait() {
    // It lets one child end another.
    let sh = grant("sh").sandbox(sandbox().without(Part::Signals));
    everywhere(|| Run::new(PIDFD_WAIT).allow(&["cat"]).grant(sh.clone()));
}

/// In hosts that do what they must not: wait for any child, or ignore SIGCHLD.
#[test]
fn pidfd_reaped() {
    isolated(|| {
        let (over, reaped) = (AtomicBool::new(false), AtomicU32::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    match wait(WaitOptions::empty()) {
                        Ok(_) => reaped.fetch_add(1, Ordering::Relaxed),
                        Err(_) => {
                            std::thread::yield_now();
                            0
                        }
                    };
                }
            });
            everywhere(|| Run::new(PIDFD_REAPED).allow(&["cat", "sh"]));
            over.store(true, Ordering::Relaxed);
        });
        assert!(reaped.into_inner() > 0, "nobody else waited");
        assert_no_children();
    });
}

#[test]
fn reaped_by_the_kernel() {
    let guest = || {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
        let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap();
        assert_ne!(ignored & 1 << (Signal::CHLD.as_raw() - 1), 0);
        everywhere(|| Run::new(PIDFD_REAPED).allow(&["cat", "sh"]));
    };
    if is_helper(&guest) {
        return guest();
    }
    let inner = helper(&guest);
    // A shell cannot do without the signal.
    let ignoring = || {
        let mut command = std::process::Command::new("env");
        command.arg("--ignore-signal=CHLD").stdin(Stdio::null());
        command
    };
    let can = ignoring().arg("true").output();
    if !can.as_ref().is_ok_and(|output| output.status.success()) {
        return skip("pidfd::reaped_by_the_kernel", format_args!("env cannot ignore: {can:?}"));
    }
    let mut outer = ignoring();
    outer.arg(inner.get_program()).args(inner.get_args());
    outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = outer.output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && stdout.contains("1 passed"), "{output:?}");
}

#[test]
fn pidfd_timeout() {
    everywhere(|| Run::new(PIDFD_TIMEOUT).allow(&["cat"]));
}

#[test]
fn pidfd_many() {
    everywhere(|| Run::new(PIDFD_MANY).allow(&["sh"]));
}

#[test]
fn pidfd_cause() {
    let within = |name: &str, deadline| {
        let grant = Grant::permissive(name, "sh").env("PATH", crate::run::PATH).sandbox(sandbox());
        grant.deadline(deadline)
    };
    everywhere(|| {
        let run = Run::new(PIDFD_CAUSE).allow(&["sh"]);
        let run = run.grant(within("short", Duration::from_millis(50)));
        run.grant(within("long", Duration::from_secs(10_000)))
    });
}

#[test]
fn pidfd_signals() {
    let signals = [Signal::TERM, Signal::USR1, Signal::STOP, Signal::CONT];
    everywhere(|| {
        let run = Run::new(PIDFD_SIGNALS);
        ["cat", "sh"].into_iter().fold(run, |run, name| run.grant(grant(name).signals(signals)))
    });
}

/// At a terminal and elsewhere, which the host's own input decides.
#[test]
fn pidfd_terminal() {
    let place = || match rustix::termios::isatty(rustix::stdio::stdin()) {
        true => "terminal",
        false => "elsewhere",
    };
    let guest = || {
        let run = Run::new(PIDFD_TERMINAL).grant(grant("sleep").signals([Signal::TERM]));
        run.args(&[place()]).sync().success();
        println!("it was run at {}", place());
    };
    if is_helper(&guest) {
        return guest();
    }
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let terminal = openat(CWD, name, flags, Mode::empty()).unwrap();
    for (stdin, place) in [(terminal.into(), "terminal"), (Stdio::null(), "elsewhere")] {
        let output = helper(&guest).stdin(stdin).output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{place}: {output:?}");
        assert!(stdout.contains(&format!("it was run at {place}\n")), "{stdout}");
    }
}

#[test]
fn pidfd_getpid() {
    everywhere(|| Run::new(PIDFD_GETPID).allow(&["sh"]));
}

#[test]
fn pidfd_usage() {
    everywhere(|| Run::new(PIDFD_USAGE).allow(&["cat", "sh"]));
}

#[test]
fn pidfd_drop() {
    let lifeline = Lifeline::new();
    everywhere(|| Run::new(PIDFD_DROP).allow(&["sh"]).args(&[&lifeline.path()]));
    lifeline.assert_gone();
}

/// From another thread, while the guest waits.
#[test]
fn pidfd_killed_by_host() {
    let ready = Run::new(PIDFD_KILLED_BY_HOST).allow(&["cat", "sh"]).ready();
    let (children, printed) = (ready.children(), ready.stdout());
    assert!(children.is_empty());
    let host = std::thread::spawn(move || {
        while !printed.text().contains("waiting") {
            std::thread::sleep(Duration::from_millis(1));
        }
        let live = children.len();
        children.shut_down();
        (live, children)
    });
    ready.sync().success();
    let (live, children) = host.join().unwrap();
    assert_eq!(live, 2);
    assert!(children.is_empty());
}

#[test]
fn pidfd_deadline() {
    everywhere(|| Run::new(PIDFD_DEADLINE).allow(&["sh"]));
}

#[test]
fn pidfd_terminate() {
    everywhere(|| Run::new(PIDFD_TERMINATE).allow(&["cat", "sh"]));
}

#[test]
fn pidfd_grace() {
    let long = Duration::from_secs(10_000);
    let within = |name: &str, grace| {
        let grant = Grant::permissive(name, "sh").env("PATH", crate::run::PATH).sandbox(sandbox());
        grant.grace(grace)
    };
    let lifeline = Lifeline::new();
    everywhere(|| {
        let run = Run::new(PIDFD_GRACE).args(&[&lifeline.path()]);
        let short = Duration::from_millis(20);
        run.grant(within("short", short)).grant(within("long", long))
    });
    // One of each embedder, though their stores are gone.
    assert_eq!(lifeline.last_words(), "bye\nbye\nbye\n");
}

#[test]
fn pidfd_changes() {
    let signals = [Signal::STOP, Signal::CONT];
    let limits = Limits { max_children: 200, ..Limits::default() };
    everywhere(|| {
        let run = Run::new(PIDFD_CHANGES).policy(Policy::new().limits(limits));
        run.grant(grant("cat").signals(signals))
    });
}

/// In a namespace of its own, where there are few numbers.
#[test]
fn pidfd_reuse() {
    const FEW: &str = "400";
    const NAME: &str = "pidfd_reuse";
    let run = || {
        std::fs::write("/proc/sys/kernel/pid_max", FEW).unwrap();
        let run = || Run::new(PIDFD_REUSE).grant(grant("cat").signals([Signal::TERM]));
        let ended = run().sync().success();
        println!("\n{}", ended.stdout);
        current_thread().block_on(run().r#async()).success();
    };
    // Before, a namespace has the numbers of the whole machine.
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut version = release.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    let version = (version.next().unwrap_or(0), version.next().unwrap_or(0));
    if version < (6, 14) {
        return skip(NAME, "Linux 6.14 or later is needed");
    }
    let kinds = ["--pid", "--fork", "--mount-proc", "--kill-child"];
    if let Some(printed) = in_namespaces(NAME, &kinds, run) {
        assert!(printed.contains("numbers came back"), "{printed}");
    }
}

/// With a cgroup for each child.
#[test]
fn pidfd_tree() {
    isolated(|| {
        let place = match Place::find() {
            Ok(place) => place,
            Err(error) => return skip("pidfd_tree", error),
        };
        let lifeline = Lifeline::new();
        everywhere(|| {
            let run = Run::new(PIDFD_TREE).allow(&["sh"]).args(&[&lifeline.path()]);
            run.process(|process| process.own_groups(Arc::clone(&place)))
        });
        lifeline.assert_gone();
        assert_no_children();
        let path = place.path();
        let groups = || {
            std::fs::read_dir(&path)
                .unwrap()
                .filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_dir())
        };
        // Those that took long are removed by a thread.
        while groups().count() > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(place);
        assert!(!path.exists());
    });
}

/// What a live child costs its host does not grow with their number.
#[test]
fn pidfd_crowd() {
    isolated(|| {
        const FEW: u64 = 100;
        const MANY: u64 = 1000;
        let mut open = getrlimit(Resource::Nofile);
        open.current = open.maximum;
        if open.maximum.is_some_and(|most| most < MANY + 100) {
            return skip("pidfd::pidfd_crowd", "too few descriptors may be open here");
        }
        setrlimit(Resource::Nofile, open).unwrap();
        let run = |count: u64| {
            let limits =
                Limits { max_children: 1000, spawns_per_second: 100_000, ..Limits::default() };
            let run = Run::new(PIDFD_CROWD).policy(Policy::new().limits(limits));
            run.allow(&["sleep"]).args(&[&count.to_string()]).sync().success();
            peak_memory()
        };
        let before = run(FEW);
        let grown = run(MANY) - before;
        assert!(grown / (MANY - FEW) < 8192, "{grown} bytes for {} more", MANY - FEW);
        assert_no_children();
    });
}

/// With a cgroup for each child, where there can be.
#[test]
fn pidfd_detach() {
    isolated(|| {
        let place = Place::find().ok();
        everywhere(|| {
            let lifeline = Lifeline::new();
            let run = Run::new(PIDFD_DETACH).grant(grant("sh").detach(true));
            let other = Grant::permissive("other", "sh");
            let run = run.grant(other).args(&[&lifeline.path()]).process(|process| {
                let process = process.die_with_thread(true);
                match &place {
                    Some(place) => process.own_groups(Arc::clone(place)),
                    None => process,
                }
            });
            let ready = run.ready();
            let (children, printed) = (ready.children(), ready.stdout());
            // On a thread of its own, which ends.
            std::thread::spawn(|| ready.sync().success()).join().unwrap();
            children.shut_down();
            assert!(children.wait_until_gone(Duration::ZERO));
            assert_eq!(children.len(), 1);
            let number = printed.text().trim().parse().unwrap();
            let process = rustix::process::Pid::from_raw(number).unwrap();
            // Fails if it is no more.
            rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
            lifeline.last_words();
            // The library has waited for it: no zombie stays.
            while !children.is_empty() {
                std::thread::sleep(Duration::from_millis(1));
            }
            Run::new(PIDFD_GETPID).allow(&["sh"])
        });
        assert_no_children();
    });
}
