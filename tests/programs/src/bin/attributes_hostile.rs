//! Attributes that make no sense, or that would let a child get away.

use offspring_guest::__internal::spawn::Command as Raw;
use offspring_guest::__internal::types::{ErrorCode as RawCode, Signal as RawSignal};
use offspring_guest::{Command, ErrorCode, Resource, Rlimit, SchedulerPolicy, Stage, Stdio};
use test_programs::{cat, family, read, refused, sh, stat};

#[track_caller]
fn fails(attribute: &str, errno: &str, command: &mut Command) -> ErrorCode {
    let (_, error) = refused(command.output());
    assert_eq!(error.stage, Stage::Attribute(attribute.into()), "{}", error.message);
    assert_eq!(error.errno.as_deref(), Some(errno), "{}", error.message);
    error.code
}

fn main() {
    nonsense();
    groups();

    // A limit that leaves the program nothing is the program's to fail on.
    let mut tight = sh("exit");
    tight.rlimit(Resource::Nofile, Rlimit::both(0)).stderr(Stdio::null());
    assert!(!tight.status().expect("it starts").success());

    // Whatever it is, it ends with its handle.
    let mut session = family(|script| {
        script.new_session(true);
    });
    session.kill().expect("it lives");
    session.wait().expect("it ends");
    drop(family(|script| {
        script.new_session(true).nice(19);
    }));
}

fn nonsense() {
    let limit = |soft, hard| Rlimit { soft: Some(soft), hard: Some(hard) };
    let code = fails("rlimits", "EINVAL", sh("exit").rlimit(Resource::Core, limit(2, 1)));
    assert_eq!(code, ErrorCode::InvalidArgument);
    fails("scheduler", "EINVAL", sh("exit").scheduler(SchedulerPolicy::Batch, 1));
    fails("scheduler", "EINVAL", sh("exit").scheduler_priority(i32::MIN));
    fails("cpu-affinity", "EINVAL", sh("exit").cpu_affinity([]));
    fails("cpu-affinity", "EINVAL", sh("exit").cpu_affinity([u16::MAX]));
    let command = Raw::new("sh");
    let none_such = [RawSignal::Int, RawSignal::RealTime(33)];
    for answer in [command.signal_mask(&none_such), command.default_signals(&none_such)] {
        assert!(matches!(answer, Err(RawCode::InvalidArgument)), "{answer:?}");
    }
    let many = vec![RawSignal::Usr1; 100_000];
    command.signal_mask(&many).expect("a set has each once");
    command.cpu_affinity(&vec![7; 100_000]);
}

fn groups() {
    // A leader that has ended.
    let mut leader = cat();
    leader.kill().expect("it lives");
    leader.wait().expect("it ends");
    let code = fails("process-group", "ESRCH", sh("exit").join_process_group(leader.pidfd()));
    assert_eq!(code, ErrorCode::NoSuchProcess);

    // One that leads no group.
    let leader = cat();
    let mut member = sh("read line");
    let member = member.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let member = member.join_process_group(leader.pidfd()).spawn().expect("it starts");
    fails("process-group", "ESRCH", sh("exit").join_process_group(member.pidfd()));

    // The leader of a session joins none, nor does a child one of another session.
    let mut both = sh("exit");
    both.new_session(true).join_process_group(leader.pidfd());
    assert_eq!(fails("process-group", "EPERM", &mut both), ErrorCode::AccessDenied);
    let mut elsewhere = sh("read line");
    let elsewhere = elsewhere.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let elsewhere = elsewhere.new_session(true).spawn().expect("it starts");
    fails("process-group", "EPERM", sh("exit").join_process_group(elsewhere.pidfd()));

    // Itself by its own handle, or through a handle of the group, a member is
    // killed; what it has started goes with the group's leader.
    let mut relatives = family(|script| {
        script.join_process_group(leader.pidfd());
    });
    let own = stat(read("/proc/self/stat").join_process_group(leader.pidfd()));
    assert_eq!(own.group, i64::from(leader.pidfd().getpid().expect("it lives")));
    drop(leader);
    assert_eq!(relatives.wait().expect("it ends").signal(), Some(9));
}
