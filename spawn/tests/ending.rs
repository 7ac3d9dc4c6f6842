//! Ending a child by asking first, and seeing it stop.

mod support;

use std::time::Duration;

use offspring_spawn::{Change, Child, ExitStatus, Signal, Stdio};
use support::isolation::isolated;
use support::traces::assert_no_children;
use support::{assert_ends, killed, read, read_line, sh, sleeper};

/// Longer than any test.
const LONG: Duration = Duration::from_secs(1000);

/// A group of a shell that runs this behind `ready`, and what it says.
fn group(script: &str) -> (Child, std::os::fd::OwnedFd) {
    let mut command = sh(script);
    let mut child = command.stdout(Stdio::Piped).new_process_group(true).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    assert_eq!(read_line(&stdout), "ready");
    (child, stdout)
}

#[test]
fn asked_to_end() {
    let (child, _stdout) = group("trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done");
    child.terminate().unwrap();
    assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(5));
    child.terminate().unwrap();
    let alone = sleeper().spawn().unwrap();
    alone.terminate().unwrap();
    assert_eq!(alone.wait().unwrap().status, killed(Signal::TERM));
}

#[test]
fn what_is_stopped_is_asked_too() {
    let child = sleeper().new_process_group(true).spawn().unwrap();
    child.signal_group(Signal::STOP).unwrap();
    assert_eq!(child.pidfd().wait_change().unwrap(), Some(Change::Stopped(Signal::STOP)));
    child.terminate().unwrap();
    assert_eq!(child.wait().unwrap().status, killed(Signal::TERM));
}

#[test]
fn released_children_may_say_good_bye() {
    isolated(|| {
        let script = "trap 'echo bye; exit' TERM; echo ready; while :; do sleep 0.01; done";
        let (child, stdout) = group(script);
        drop(child.release(LONG));
        assert_eq!(read(Some(stdout)), "bye\n");
        assert_no_children();
    });
}

#[test]
fn released_children_are_killed_when_their_time_is_over() {
    isolated(|| {
        let script = "trap '' TERM; sleep 1000 & echo ready; while :; do sleep 1000; done";
        let (child, stdout) = group(script);
        drop(child.release(Duration::from_millis(10)));
        assert_ends(&stdout);
        assert_no_children();
        let (child, stdout) = group(script);
        let release = child.release(LONG);
        release.revoke();
        assert_ends(&stdout);
        assert_no_children();
    });
}

/// The group has the same time as its leader.
#[test]
fn released_groups_may_outlive_their_leader() {
    isolated(|| {
        let script = "(trap '' TERM; echo ready; read line; echo bye) <&3 3<&- & exec sleep 1000";
        let mut command = sh(&format!("exec 3<&0; {script}"));
        command.stdin(Stdio::Piped).stdout(Stdio::Piped).new_process_group(true);
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().unwrap());
        assert_eq!(read_line(&stdout), "ready");
        drop(child.release(LONG));
        support::write(stdin, "\n");
        assert_eq!(read(Some(stdout)), "bye\n");
        assert_no_children();
    });
}

#[test]
fn stopping_and_continuing_are_told() {
    let child = sleeper().new_process_group(true).spawn().unwrap();
    for (signal, change) in [
        (Signal::STOP, Change::Stopped(Signal::STOP)),
        (Signal::CONT, Change::Continued),
        (Signal::TSTP, Change::Stopped(Signal::TSTP)),
        (Signal::CONT, Change::Continued),
    ] {
        child.pidfd().send_signal(signal).unwrap();
        assert_eq!(child.pidfd().wait_change().unwrap(), Some(change));
    }
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| child.pidfd().wait_change().unwrap());
        child.kill().unwrap();
        assert_eq!(waiter.join().unwrap(), None);
    });
    assert_eq!(child.pidfd().wait_change().unwrap(), None);
    assert_eq!(child.wait().unwrap().status, killed(Signal::KILL));
    assert_eq!(child.pidfd().wait_change().unwrap(), None);
}
