//! At most three forks at once, in the whole tree of them, and at most ten
//! handles.

use offspring_guest::fork::{self, ForkError, Options};
use offspring_guest::{ErrorCode, PidFd, Signal};
use test_programs::{forked, not_forked};

fn forever() -> u8 {
    loop {
        std::thread::sleep(std::time::Duration::from_secs(1000));
    }
}

fn sleeper() -> PidFd {
    fork::spawn(forever).expect("it forks")
}

fn main() {
    let (first, second) = (sleeper(), sleeper());
    forked(|| assert_eq!(not_forked(fork::fork()), ForkError::LimitReached));
    let third = sleeper();
    assert_eq!(not_forked(fork::fork()), ForkError::LimitReached);
    // Makes room when it is dropped, and when it has ended.
    drop(first);
    let fourth = sleeper();
    assert_eq!(not_forked(fork::fork()), ForkError::LimitReached);
    second.kill().expect("it lives");
    second.pollable().block();
    let fifth = sleeper();
    drop((third, fourth, fifth));

    // What a dead process leaves behind is taken back.
    let orphaning = fork::spawn(|| {
        std::mem::forget((sleeper(), sleeper()));
        std::process::abort()
    });
    assert_eq!(orphaning.expect("it forks").wait().expect("it ends").code(), Some(134));
    let mut all = Vec::new();
    while all.len() < 3 {
        match fork::spawn(forever) {
            Ok(pidfd) => all.push(pidfd),
            // What the kernel has killed is not at once gone.
            Err(_) => std::thread::yield_now(),
        }
    }
    assert_eq!(not_forked(fork::fork()), ForkError::LimitReached);
    drop(all);

    // Ended children are held as well.
    let ended: Vec<_> = (0..9)
        .map(|_| {
            let child = fork::spawn(|| 0).expect("it forks");
            child.wait().expect("it ends");
            child
        })
        .collect();
    assert_eq!(not_forked(fork::fork()), ForkError::LimitReached);
    drop((ended, second));
    forked(|| {});

    let harmful = Options::new().exit_signal(Some(Signal::KILL));
    assert_eq!(not_forked(harmful.fork()), ForkError::Other(ErrorCode::InvalidArgument));
    for harmless in [None, Some(Signal::CHLD), Some(Signal::WINCH)] {
        let child = Options::new().exit_signal(harmless).spawn(|| 5).expect("it forks");
        assert_eq!(child.wait().expect("it ends").code(), Some(5));
    }
}
