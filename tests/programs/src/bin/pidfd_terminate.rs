//! Asking a child to end, which needs no permission.

use std::time::Duration;

use offspring_guest::{Cause, Child, Signal};
use test_programs::{cat, sh, started};

/// As good as never.
const LONG: Duration = Duration::from_secs(100_000);

const SHORT: Duration = Duration::from_millis(20);

fn child(trap: &str) -> Child {
    started(&mut sh(&format!("{trap}; echo ready; while :; do sleep 0.01; done"))).0
}

fn main() {
    let mut polite = child("trap 'exit 5' TERM");
    polite.terminate(LONG).expect("it is allowed");
    let status = polite.wait().expect("it ends");
    assert_eq!((status.code(), status.cause()), (Some(5), Some(Cause::Killed)));
    polite.terminate(SHORT).expect("no error when it has ended");
    assert_eq!(polite.wait().expect("it has ended"), status);

    let mut stubborn = child("trap '' TERM");
    stubborn.terminate(SHORT).expect("it is allowed");
    let status = stubborn.wait().expect("it ends");
    assert_eq!((status.signal(), status.cause()), (Some(9), Some(Cause::Killed)));

    // The earliest kill counts, in either order.
    for graces in [[LONG, SHORT], [SHORT, LONG]] {
        let mut stubborn = child("trap '' TERM");
        for grace in graces {
            stubborn.terminate(grace).expect("it is allowed");
        }
        assert_eq!(stubborn.wait().expect("it ends").signal(), Some(9));
    }

    // What has stopped is woken up to hear it.
    let (mut stopped, _) = started(&mut sh("echo ready; kill -STOP $$; sleep 100000"));
    let change = stopped.pidfd().wait_change().expect("it can be watched");
    assert_ne!(change, None);
    stopped.terminate(LONG).expect("it is allowed");
    assert_eq!(stopped.wait().expect("it ends").term_signal(), Some(Signal::TERM));

    // The group goes too: else the pipe would never end.
    let (mut child, _) = started(&mut sh("sleep 100000 & echo ready; wait"));
    child.terminate(LONG).expect("it is allowed");
    let output = child.wait_with_output().expect("all is read");
    assert_eq!(output.status.term_signal(), Some(Signal::TERM));

    // Being asked after the end is no cause.
    let mut ended = cat();
    let status = ended.wait().expect("it ends");
    ended.terminate(LONG).expect("no error when it has ended");
    assert_eq!((ended.wait().expect("it has ended"), status.cause()), (status, None));
}
