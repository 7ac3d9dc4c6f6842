//! Signals, as far as the grant allows them: TERM, USR1 and STOP, CONT.

use std::io::Read;

use offspring_guest::{Cause, ErrorCode, Signal, features};
use test_programs::{cat, failed, line, sh, started};

fn main() {
    // One that is caught, and one that is not.
    let script = "trap 'echo caught' USR1; echo ready; while :; do sleep 0.01; done";
    let (mut child, _) = started(&mut sh(script));
    child.pidfd().send_signal(Signal::USR1).expect("it is allowed");
    assert_eq!(line(child.stdout.as_mut().expect("it is piped")), "caught");
    assert_eq!(failed(child.pidfd().send_signal(Signal::HUP)), ErrorCode::AccessDenied);
    assert_eq!(failed(child.pidfd().send_thread_signal(Signal::HUP)), ErrorCode::AccessDenied);
    match child.pidfd().send_thread_signal(Signal::USR1) {
        Ok(()) => assert_eq!(line(child.stdout.as_mut().expect("it is piped")), "caught"),
        // The same kernels can do both.
        error => assert!(!features().group_signals && failed(error) == ErrorCode::Unsupported),
    }
    assert_eq!(failed(child.pidfd().send_group_signal(Signal::HUP)), ErrorCode::AccessDenied);
    child.pidfd().send_signal(Signal::TERM).expect("it is allowed");
    let status = child.wait().expect("it ends");
    assert_eq!((status.term_signal(), status.cause()), (Some(Signal::TERM), None));
    assert_eq!(failed(child.pidfd().send_signal(Signal::TERM)), ErrorCode::NoSuchProcess);
    assert_eq!(failed(child.pidfd().send_signal(Signal::KILL)), ErrorCode::NoSuchProcess);
    child.kill().expect("no error when it has ended");

    // A stopped child has not ended.
    let mut child = cat();
    child.pidfd().send_signal(Signal::STOP).expect("it is allowed");
    assert_eq!(child.try_wait().expect("it can be asked"), None);
    child.pidfd().send_signal(Signal::CONT).expect("it is allowed");
    assert!(child.wait().expect("it ends").success());

    // KILL by this way is a kill too, and always allowed.
    let mut child = cat();
    child.pidfd().send_signal(Signal::KILL).expect("it is allowed");
    assert_eq!(child.wait().expect("it ends").cause(), Some(Cause::Killed));

    group();
}

/// A signal to the group reaches what the child has left in the background,
/// which here is all that holds the pipe open.
fn group() {
    let mut script = sh("sleep 100000 & echo started");
    let (mut child, _) = started(&mut script);
    assert!(child.wait().expect("it ends").success());
    if features().group_signals {
        child.pidfd().send_group_signal(Signal::TERM).expect("its group lives");
        let mut stdout = child.stdout.take().expect("it is piped");
        assert_eq!(stdout.read(&mut [0]).expect("the end"), 0);
    }
    let mut child = cat();
    assert!(child.wait().expect("it ends").success());
    let empty = child.pidfd().send_group_signal(Signal::TERM);
    assert_eq!(failed(empty), ErrorCode::NoSuchProcess);
}
