//! In a fork, the parent's handles are no handles of children.

use offspring_guest::fork::{self, Forked};
use offspring_guest::{ErrorCode, PidFd, Signal};
use test_programs::{cat, failed, forked};

fn check(pidfd: &PidFd) {
    assert_eq!(failed(pidfd.try_wait()), ErrorCode::NoChild);
    assert_eq!(failed(pidfd.wait()), ErrorCode::NoChild);
    assert_eq!(failed(pidfd.kill()), ErrorCode::NoChild);
    assert_eq!(failed(pidfd.send_signal(Signal::KILL)), ErrorCode::NoChild);
    assert_eq!(failed(pidfd.send_group_signal(Signal::KILL)), ErrorCode::NoChild);
    assert_eq!(pidfd.usage(), None);
}

fn main() {
    let mut spawned = cat();
    let sibling = fork::spawn(|| {
        loop {
            std::thread::sleep(std::time::Duration::from_secs(1000));
        }
    });
    let sibling = sibling.expect("it forks");
    forked(|| {
        check(spawned.pidfd());
        check(&sibling);
        forked(|| check(&sibling));
    });
    // Dropping them does nothing either.
    match fork::fork().expect("it forks") {
        Forked::Child => {
            drop((spawned, sibling));
            return;
        }
        Forked::Parent(child) => assert!(child.wait().expect("it ends").success()),
    }
    assert_eq!(spawned.try_wait().expect("it can be asked"), None);
    assert_eq!(sibling.try_wait().expect("it can be asked"), None);
    sibling.kill().expect("it lives");
    assert_eq!(sibling.wait().expect("it ends").signal(), Some(9));
    // Only now: the sibling had its standard input as well.
    assert!(spawned.wait().expect("it ends").success());
}
