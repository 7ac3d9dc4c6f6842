//! Waiting, any number of times.

use std::time::Duration;

use offspring_guest::Pollable;
use test_programs::{cat, sh};

fn main() {
    let mut child = cat();
    for _ in 0..2 {
        assert_eq!(child.try_wait().expect("it can be asked"), None);
        assert!(!child.pidfd().pollable().ready());
    }
    // Any number of those who wait.
    let early = [(); 3].map(|()| child.pidfd().pollable());
    assert_eq!(child.pidfd().wait_timeout(Duration::from_millis(1)).expect("it can wait"), None);
    drop(child.stdin.take());
    early.iter().for_each(Pollable::block);
    drop(early);
    for _ in 0..3 {
        let status = child.wait().expect("it ends");
        assert_eq!(child.try_wait().expect("it can be asked"), Some(status));
        assert!(status.success() && child.pidfd().pollable().ready());
    }

    // What was killed from elsewhere has no cause, and gets none afterwards.
    let mut child = cat();
    let mut killer = sh("kill -KILL \"$1\"");
    killer.arg(child.id().to_string());
    assert!(killer.output().expect("it starts").status.success());
    let status = child.wait().expect("it ends");
    assert_eq!((status.signal(), status.cause()), (Some(9), None));
    child.kill().expect("no error when it has ended");
    assert_eq!(child.wait().expect("it has ended"), status, "each wait says the same");
}
