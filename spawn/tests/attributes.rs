//! What a child is told: arguments, environment, and its other attributes.

mod support;

use std::collections::BTreeSet;
use std::thread;

use offspring_spawn::{
    Command, Errno, ExitStatus, Resource, Rlimit, SchedulerPolicy, Signal, Stage,
};
use rustix::process::{
    DumpableBehavior, Gid, Uid, WaitOptions, dumpable_behavior, geteuid, getrlimit,
    set_dumpable_behavior, wait,
};
use rustix::thread::{set_thread_res_gid, set_thread_res_uid};
use support::isolation::{isolated, skip};
use support::place::Place;
use support::traces::{Traces, assert_no_children};
use support::{error_of, find_line, pid, print_own, program, sh, stat_field, text};

#[test]
fn the_environment_is_what_was_given() {
    let env = program("env");
    assert_eq!(text(&mut Command::new(&env)), "");
    let mut command = Command::new(&env);
    command.env("A", "1").env("B", "").env("C", "x=y");
    assert_eq!(text(&mut command), "A=1\nB=\nC=x=y\n");
}

#[test]
fn variables_are_passed_on_as_they_are() {
    let raw = std::fs::read_to_string("/proc/self/environ").unwrap();
    let ours: BTreeSet<&str> = raw.split('\0').collect();
    let mut command = Command::new(&program("cat"));
    command.arg("/proc/self/environ");
    command.env("A", "1").env("A", "2").env("no=name", "3").env("", "4");
    assert_eq!(text(&mut command), "A=1\0A=2\0no=name=3\0=4\0");
    assert!(ours.len() > 1, "there was something to inherit");
}

#[test]
fn arguments_are_passed_on_as_they_are() {
    use std::os::unix::ffi::OsStrExt;
    let bytes = std::ffi::OsStr::from_bytes(b"\xff\x01 \n");
    let cat = program("cat");
    let mut child = Command::new(&cat);
    child.argv(["name of its own", "/proc/self/cmdline"]);
    assert_eq!(text(&mut child), "name of its own\0/proc/self/cmdline\0");
    let mut child = Command::new(&cat);
    child.arg("/proc/self/cmdline");
    let path = cat.path().to_str().unwrap();
    assert_eq!(text(&mut child), format!("{path}\0/proc/self/cmdline\0"));
    let printed = text(sh("printf %s \"$1\" | od -An -tx1").arg("sh").arg(bytes));
    assert_eq!(printed.trim(), "ff 01 20 0a");
    let printed = text(sh("echo $#").args(["sh", "", "", "x"]));
    assert_eq!(printed, "3\n");
}

#[test]
fn privileges_are_not_gained_if_so_asked() {
    let ask = |yes| {
        let mut command = Command::new(&program("cat"));
        command.arg("/proc/self/status").no_new_privileges(yes);
        find_line(&text(&mut command), "NoNewPrivs")
    };
    let ours = support::status_line("self", "NoNewPrivs");
    assert_eq!(ask(true), "1");
    assert_eq!(ask(false), ours);
    assert_eq!(support::status_line("self", "NoNewPrivs"), ours);
}

#[test]
fn a_parent_that_lives_is_no_reason_to_die() {
    let mut command = sh("exit 8");
    for signal in [Signal::KILL, Signal::TERM, Signal::from_raw(64).unwrap()] {
        let child = command.parent_death_signal(Some(signal)).spawn().unwrap();
        let status = child.wait().unwrap().status;
        assert_eq!(status, ExitStatus::Exited(8));
    }
}

#[test]
fn everything_at_once() {
    let mut command = sh("cat; pwd; echo \"$A $0\" >&2");
    command
        .arg("zero")
        .env("A", "1")
        .stdin(offspring_spawn::Stdio::Piped)
        .stdout(offspring_spawn::Stdio::Piped)
        .stderr(offspring_spawn::Stdio::Piped)
        .current_dir(support::place::directory("/".as_ref()))
        .new_process_group(true)
        .parent_death_signal(Some(Signal::KILL))
        .no_new_privileges(true);
    let mut child = command.clone().spawn().unwrap();
    support::write(child.stdin.take(), "in\n");
    assert_eq!(support::read(child.stdout.take()), "in\n/\n");
    assert_eq!(support::read(child.stderr.take()), "1 zero\n");
    assert!(child.wait().unwrap().status.success());
}

/// Places of fields in `/proc/self/stat`.
const NICE: usize = 19;
const REAL_TIME_PRIORITY: usize = 40;
const POLICY: usize = 41;

fn limit(current: Option<u64>, maximum: Option<u64>) -> Rlimit {
    Rlimit { current, maximum }
}

#[test]
fn rl_limits_of_resources() {
    let half = |limit: Option<u64>| limit.map_or(1 << 20, |limit| limit / 2);
    let ours = getrlimit(Resource::Nofile);
    let halves = [half(ours.current), half(ours.maximum)];
    let mut command = print_own("limits");
    command
        .limit(Resource::Nofile, ours)
        .limit(Resource::Nofile, limit(Some(halves[0]), Some(halves[1])))
        .limit(Resource::Core, limit(Some(0), Some(0)))
        .limit(Resource::Cpu, getrlimit(Resource::Cpu));
    let limits = text(&mut command);
    let of = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name));
        let mut words = line.unwrap().split_whitespace().map(str::to_owned);
        [words.next().unwrap(), words.next().unwrap()]
    };
    assert_eq!(of("Max open files"), halves.map(|limit| limit.to_string()));
    assert_eq!(of("Max core file size"), ["0", "0"]);
    if getrlimit(Resource::Cpu).current.is_none() {
        assert_eq!(of("Max cpu time")[0], "unlimited");
    }
    assert_eq!(getrlimit(Resource::Nofile), ours);
    let error = error_of(command.limit(Resource::Nofile, limit(Some(2), Some(1))));
    assert_eq!(error, (Stage::ResourceLimit, Errno::INVAL));
}

#[test]
fn scheduling() {
    let policy = |command: &mut Command| stat_field(command, POLICY);
    let batch = SchedulerPolicy::Batch;
    assert_eq!(policy(print_own("stat").scheduler(batch, 0)), "3");
    // The parameter alone, in the policy that we have.
    assert_eq!(policy(print_own("stat").scheduler_priority(0)), "0");
    for command in [
        sh("").scheduler_priority(1),
        sh("").scheduler(SchedulerPolicy::Other, 1),
        sh("").scheduler(SchedulerPolicy::Fifo, 0),
        sh("").scheduler(SchedulerPolicy::RoundRobin, 100),
    ] {
        assert_eq!(error_of(command), (Stage::Scheduler, Errno::INVAL));
    }
    let mut real = print_own("stat");
    match real.scheduler(SchedulerPolicy::Fifo, 7).spawn() {
        Ok(_) => assert_eq!(stat_field(&mut real, REAL_TIME_PRIORITY), "7"),
        Err(error) => assert_eq!((error.stage, error.errno), (Stage::Scheduler, Errno::PERM)),
    }
}

#[test]
fn nice_values() {
    assert_eq!(stat_field(print_own("stat").nice(19), NICE), "19");
    assert_eq!(stat_field(print_own("stat").nice(100), NICE), "19");
    if !geteuid().is_root() {
        assert_eq!(error_of(sh("").nice(-20)), (Stage::Nice, Errno::ACCESS));
    }
}

#[test]
fn processors() {
    let allowed = support::status_line("self", "Cpus_allowed_list");
    let first: u16 = allowed.split([',', '-']).next().unwrap().parse().unwrap();
    let mut command = print_own("status");
    let status = text(command.cpu_affinity([first, 1000]));
    assert_eq!(find_line(&status, "Cpus_allowed_list"), first.to_string());
    for none in [vec![], vec![u16::MAX]] {
        let error = error_of(command.cpu_affinity(none));
        assert_eq!(error, (Stage::CpuAffinity, Errno::INVAL));
    }
}

#[test]
fn the_mask_of_new_files() {
    let ours = support::status_line("self", "Umask");
    let mask = |command: &mut Command| find_line(&text(command), "Umask");
    assert_eq!(mask(&mut print_own("status")), ours);
    assert_eq!(mask(print_own("status").umask(0o137)), "0137");
    assert_eq!(mask(print_own("status").umask(0)), "0000");
    assert_eq!(support::status_line("self", "Umask"), ours);
}

/// Someone who is neither root nor nobody.
const SOMEBODY: u32 = 54_321;

#[test]
fn ids_are_set_back() {
    isolated(|| {
        if !geteuid().is_root() {
            return skip("ids_are_set_back", "only root has ids to set back");
        }
        let [user, root] = [SOMEBODY, 0].map(Uid::from_raw);
        let [group, roots] = [SOMEBODY, 0].map(Gid::from_raw);
        let ids = |reset| {
            let status = text(print_own("status").reset_ids(reset));
            [find_line(&status, "Uid"), find_line(&status, "Gid")]
        };
        let place = Place::new();
        let mut broken = Command::new(&place.script("broken", ""));
        broken.reset_ids(true);
        set_thread_res_gid(group, roots, roots).unwrap();
        set_thread_res_uid(user, root, root).unwrap();
        set_dumpable_behavior(DumpableBehavior::Dumpable).unwrap();
        let before = format!("{SOMEBODY}\t0\t0\t0");
        assert_eq!(ids(false), [before.clone(), before]);
        let after = [SOMEBODY; 4].map(|id| id.to_string()).join("\t");
        assert_eq!(ids(true), [after.clone(), after]);
        assert!(geteuid().is_root());
        assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::Dumpable));

        // A failure leaves things as they were too, and so do many at once.
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        assert!(sh("").reset_ids(true).spawn().is_ok());
                        assert!(broken.spawn().is_err());
                    }
                });
            }
        });
        assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::Dumpable));
        // What was not dumpable does not become so.
        set_dumpable_behavior(DumpableBehavior::NotDumpable).unwrap();
        ids(true);
        assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
        assert_no_children();
    });
}

#[test]
fn g1_a_child_without_an_exit_signal() {
    isolated(|| {
        let place = Place::new();
        let mut broken = Command::new(&place.script("broken", ""));
        broken.exit_signal(None);
        let fails = || assert_eq!(error_of(&broken), (Stage::Exec, Errno::NOEXEC));
        fails();
        Traces::unchanged(fails);
        // The kernel sets it back at exec, and anybody's wait finds the child.
        let mut command = sh("exit 7");
        let child = command.exit_signal(None).spawn().unwrap();
        let number = pid(&child);
        let (found, status) = wait(WaitOptions::empty()).unwrap().unwrap();
        assert_eq!(found.as_raw_nonzero().get().unsigned_abs(), number);
        assert_eq!(status.exit_status(), Some(7));
    });
}
