//! Forks for tests. Only for a process that has no other thread.

use std::panic::{AssertUnwindSafe, catch_unwind};

use offspring_spawn::{Child, ExitStatus, Fork, Forked, exit_process};

/// What a child exits with whose body panicked.
pub const PANICKED: u8 = 101;

/// Forks. The child does this, and exits with what it returns.
#[track_caller]
pub fn child(fork: &Fork, body: impl FnOnce() -> u8) -> Child {
    match fork.fork().unwrap() {
        Forked::Parent(child) => child,
        Forked::Child => exit_process(catch_unwind(AssertUnwindSafe(body)).unwrap_or(PANICKED)),
    }
}

/// Forks, and waits for the child, which must succeed.
#[track_caller]
pub fn succeeds(fork: &Fork, body: impl FnOnce()) {
    let child = child(fork, || {
        body();
        0
    });
    assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(0));
}
