//! Sessions and process groups.

mod support;

use offspring_spawn::{Errno, ExitStatus, Kernel, Signal, Stage};
use support::isolation::isolated;
use support::refusal::refuse_if;
use support::{error_of, field_of, pid, print_own, sh, sleeper, stat_field, text};

/// Places of fields in `/proc/self/stat`.
const GROUP: usize = 5;
const SESSION: usize = 6;

#[test]
fn a_group_of_its_own() {
    // The fifth field of the line, behind the name, is the group.
    let group = |yes| {
        let mut command = sh("read -r stat < /proc/$$/stat; set -- ${stat##*)}; echo $3 $$");
        let line = text(command.new_process_group(yes));
        let numbers: Vec<u32> = line.split_whitespace().map(|n| n.parse().unwrap()).collect();
        (numbers[0], numbers[1])
    };
    let (its_group, child) = group(true);
    assert_eq!(its_group, child);
    let (its_group, _) = group(false);
    assert_eq!(its_group.to_string(), own(GROUP));
}

/// A field of our own. Not by getsid(2) and its like, which rustix takes for
/// never zero: that is how a namespace sees a session or a group of outside.
fn own(field: usize) -> String {
    field_of(&std::fs::read_to_string("/proc/self/stat").unwrap(), field)
}

#[test]
fn sid_1_the_session_is_the_parents() {
    assert_eq!(stat_field(&mut print_own("stat"), SESSION), own(SESSION));
}

#[test]
fn sid_2_a_session_of_its_own() {
    let stat = text(print_own("stat").new_session(true));
    let fields: Vec<&str> = stat.split(' ').collect();
    assert_ne!(fields[SESSION - 1], own(SESSION));
    // It leads the group too.
    assert_eq!(fields[0], fields[SESSION - 1]);
    assert_eq!(fields[0], fields[GROUP - 1]);
    let child = sleeper().new_session(true).spawn().unwrap();
    assert!(child.leads_group());
}

#[test]
fn sid_3_a_command_may_go_before_its_child() {
    let mut command = sh("exit 3");
    let child = command.new_session(true).spawn().unwrap();
    drop(command);
    assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(3));
}

#[test]
fn joining_a_group() {
    let leader = sleeper().new_process_group(true).spawn().unwrap();
    let number = pid(&leader).to_string();
    let mut command = print_own("stat");
    command.join_process_group(&leader).unwrap();
    assert_eq!(stat_field(&mut command, GROUP), number);
    let member = sleeper().join_process_group(&leader).unwrap().spawn();
    let member = member.unwrap();
    assert!(!member.leads_group());
    // A zombie still has its number.
    leader.pidfd().send_signal(Signal::KILL).unwrap();
    support::assert_ends(&leader);
    assert_eq!(stat_field(&mut command, GROUP), number);
    leader.signal_group(Signal::TERM).unwrap();
    let status = member.wait().unwrap().status;
    assert_eq!(status, support::killed(Signal::TERM));
    leader.wait().unwrap();
    if Kernel::get().unwrap().has_group_signals() {
        assert_eq!(error_of(&command), (Stage::ProcessGroup, Errno::SRCH));
    } else {
        // It stays a zombie as long as it is held, and so a leader.
        assert_eq!(stat_field(&mut command, GROUP), number);
    }
    let alone = sleeper().spawn().unwrap();
    let joined = sh("").join_process_group(&alone).map(drop);
    assert_eq!(joined, Err(Errno::SRCH));
}

#[test]
fn a_group_of_another_session_cannot_be_joined() {
    let leader = sleeper().new_session(true).spawn().unwrap();
    let mut command = sh("");
    command.join_process_group(&leader).unwrap();
    assert_eq!(error_of(&command), (Stage::ProcessGroup, Errno::PERM));
}

#[test]
fn the_leader_is_looked_at_after_the_group_was_joined() {
    isolated(|| {
        let leader = sleeper().new_process_group(true).spawn().unwrap();
        let mut command = sh("");
        command.join_process_group(&leader).unwrap();
        assert!(command.spawn().is_ok());
        // As if it were waited for between the two: no signal finds it.
        let (signal, none) = (1, 0);
        refuse_if(libc::SYS_pidfd_send_signal, signal, none, Errno::SRCH);
        assert_eq!(error_of(&command), (Stage::ProcessGroup, Errno::SRCH));
    });
}
