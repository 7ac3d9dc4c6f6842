//! Every attribute, as the child itself sees it.

use offspring_guest::{Command, Resource, Rlimit, SchedulerPolicy, Signal, Stage};
use test_programs::{cat, read, refused, started, stat, status, text};

fn main() {
    groups();
    signals();
    priorities();

    let mut command = read("/proc/self/status");
    assert_eq!(status(command.umask(0o1027), "Umask"), "0027");

    let mut command = read("/proc/self/limits");
    let (soft, hard) = (Some(3), Some(5));
    command.rlimit(Resource::Nofile, Rlimit::both(64));
    command.rlimit(Resource::Core, Rlimit::both(1));
    command.rlimit(Resource::Core, Rlimit { soft, hard });
    let limits = text(&mut command);
    let line = |name: &str| limits.lines().find_map(|line| line.strip_prefix(name));
    let core: Vec<&str> = line("Max core file size").expect("a line").split_whitespace().collect();
    assert_eq!(core, ["3", "5", "bytes"]);

    // Its ids are the host's, which are all the same here.
    let before = status(&mut read("/proc/self/status"), "Uid");
    let after = status(read("/proc/self/status").reset_ids(true), "Uid");
    assert_eq!(before, after);
}

fn groups() {
    let own = stat(&mut read("/proc/self/stat"));
    assert_eq!(own.group, own.pid, "every child leads a group");
    assert_ne!(own.session, own.pid);
    let own = stat(read("/proc/self/stat").new_process_group());
    assert_eq!(own.group, own.pid);

    let session = stat(read("/proc/self/stat").new_session(true));
    assert_eq!((session.session, session.group), (session.pid, session.pid));
    let session = stat(read("/proc/self/stat").new_session(true).new_process_group());
    assert_eq!((session.session, session.group), (session.pid, session.pid));

    let leader = cat();
    let mut command = read("/proc/self/stat");
    command.join_process_group(leader.pidfd());
    let member = stat(&mut command);
    assert_eq!(member.group, i64::from(leader.pidfd().getpid().expect("it lives")));
    assert_ne!(member.group, member.pid);
    let again = stat(&mut command);
    assert_eq!(again.group, member.group);

    // The last word counts, and the group goes with its leader's handle.
    drop(leader);
    let (_, error) = refused(command.spawn());
    assert_eq!(error.stage, Stage::Attribute("process-group".into()));
    assert_eq!(error.errno.as_deref(), Some("ESRCH"));
    let own = stat(command.new_process_group());
    assert_eq!(own.group, own.pid);
}

fn signals() {
    let blocked = |command: &mut Command| {
        let blocked = status(command, "SigBlk");
        u64::from_str_radix(&blocked, 16).expect("a number")
    };
    let mut command = read("/proc/self/status");
    assert_eq!(blocked(&mut command), 0);
    let real_time = Signal::from_number(34).expect("it is one");
    command.signal_mask([Signal::INT, real_time]);
    assert_eq!(blocked(&mut command), 1 << 1 | 1 << 33);
    // Two cannot be blocked.
    let all = (1..=64).filter_map(Signal::from_number);
    assert_eq!(blocked(command.signal_mask(all)), !(1 << 8 | 1 << 18));

    // A child that blocks a signal outlives it, but not its handle.
    let mut script = Command::new("sh");
    script.args(["-c", "echo started; exec sleep 100000"]).signal_mask([Signal::TERM]);
    let (mut child, line) = started(&mut script);
    assert_eq!(line, "started");
    child.pidfd().send_signal(Signal::TERM).expect("it is allowed");
    assert!(child.try_wait().expect("it can be asked").is_none());
    child.kill().expect("it lives");
    assert_eq!(child.wait().expect("it ends").signal(), Some(9));
}

fn priorities() {
    let before = stat(&mut read("/proc/self/stat"));
    for (value, expected) in [(before.nice, before.nice), (19, 19), (100, 19)] {
        let nice = i32::try_from(value).expect("a nice value");
        assert_eq!(stat(read("/proc/self/stat").nice(nice)).nice, expected);
    }
    for (policy, number) in [(SchedulerPolicy::Batch, 3), (SchedulerPolicy::Idle, 5)] {
        let after = stat(read("/proc/self/stat").scheduler(policy, 0));
        assert_eq!((after.policy, after.priority), (number, 0));
    }
    assert_eq!(stat(read("/proc/self/stat").scheduler_priority(0)).policy, before.policy);

    let allowed = |command: &mut Command| status(command, "Cpus_allowed_list");
    let all = allowed(&mut read("/proc/self/status"));
    assert_eq!(allowed(read("/proc/self/status").cpu_affinity(0..1024)), all);
    let first: u16 = all.split(['-', ',']).next().and_then(|n| n.parse().ok()).expect("a number");
    let one = allowed(read("/proc/self/status").cpu_affinity([first, u16::MAX]));
    assert_eq!(one, first.to_string());
}
