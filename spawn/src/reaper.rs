//! Waiting for killed processes that take long to die, so that a drop need not.

use std::os::fd::AsFd;
use std::thread;

use crate::pidfd::PidFd;
use crate::wait::{self, Reap};

/// Waits for a process on a thread of its own, which ends with it.
///
/// One thread a process: this is for the rare one that is stuck in the kernel.
/// If no thread can be had, the process stays a zombie until we end.
pub(crate) fn adopt(pidfd: PidFd) {
    let wait = move || wait::wait(pidfd.as_fd(), Reap::Yes);
    let _ = thread::Builder::new()
        .name("offspring-reaper".to_owned())
        .spawn(wait);
}
