//! Stopping and continuing are seen by those who ask.

use offspring_guest::{Change, ErrorCode, PidFd, Signal, poll};
use test_programs::{cat, failed};

fn send(child: &PidFd, signal: Signal) {
    child.send_signal(signal).expect("it is allowed");
}

fn main() {
    let mut child = cat();
    assert_eq!(child.pidfd().last_change().expect("it can be watched"), None);
    for (signal, change) in [
        (Signal::STOP, Change::Stopped(Signal::STOP)),
        (Signal::CONT, Change::Continued),
        (Signal::STOP, Change::Stopped(Signal::STOP)),
        (Signal::CONT, Change::Continued),
    ] {
        send(child.pidfd(), signal);
        assert_eq!(child.pidfd().wait_change().expect("it is watched"), Some(change));
        // Told once.
        assert_eq!(child.pidfd().last_change().expect("it is watched"), None);
    }
    // Together with the end, of another one too.
    let mut other = cat();
    {
        let changes = child.pidfd().changes().expect("it is watched");
        let end = other.pidfd().pollable();
        send(child.pidfd(), Signal::STOP);
        assert_eq!(poll(&[&end, &changes]), [1]);
        assert!(!end.ready());
    }
    assert_eq!(other.try_wait().expect("it can be asked"), None);
    child.kill().expect("it is alive");
    assert_eq!(child.wait().expect("it ends").signal(), Some(9));
    // What was not told before the end is told still.
    let last = child.pidfd().wait_change().expect("it was watched");
    assert!(matches!(last, Some(Change::Stopped(_) | Change::Continued)), "{last:?}");
    assert_eq!(child.pidfd().wait_change().expect("it was watched"), None);

    let (mut watched, mut refused) = (vec![other], None);
    while refused.is_none() {
        let child = cat();
        match child.pidfd().last_change() {
            Ok(_) => watched.push(child),
            error => refused = Some(failed(error)),
        }
        assert!(watched.len() < 100, "there is a limit");
    }
    assert_eq!(refused, Some(ErrorCode::LimitReached));
    assert!(watched.len() >= 64);
    // An end makes room, once the watching thread has seen it.
    for child in &mut watched {
        child.kill().expect("it is alive");
        child.wait().expect("it ends");
    }
    let child = cat();
    while child.pidfd().last_change().is_err() {}
}
