//! Waiting for killed processes that take long to die, so that a drop need not.

use std::any::Any;
use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::pidfd::PidFd;
use crate::wait::{self, Reap};

/// A process that nobody owns any more, and what is kept until it is gone.
#[derive(Debug)]
pub(crate) struct Orphan {
    pub(crate) pidfd: PidFd,
    pub(crate) _kept: Option<Box<dyn Any + Send + Sync>>,
}

#[derive(Debug)]
struct Orphans {
    waiting: Vec<Orphan>,
    running: bool,
}

static ORPHANS: Mutex<Orphans> = Mutex::new(Orphans { waiting: Vec::new(), running: false });

/// How often to look. Not by the pidfds: one can be readable for long before
/// its process can be waited for, when something traces it.
const INTERVAL: Duration = Duration::from_millis(50);

/// Waits for a process on a thread that is there only while there is one to
/// wait for. If no thread can be had, the process stays a zombie until the next
/// one is adopted.
pub(crate) fn adopt(orphan: Orphan) {
    let mut orphans = orphans();
    orphans.waiting.push(orphan);
    if !orphans.running {
        let thread = thread::Builder::new().name("offspring-reaper".to_owned());
        orphans.running = thread.spawn(run).is_ok();
    }
}

fn run() {
    loop {
        thread::sleep(INTERVAL);
        let mut orphans = orphans();
        let gone: Vec<_> =
            orphans.waiting.extract_if(.., |orphan| is_gone(&orphan.pidfd)).collect();
        let done = orphans.waiting.is_empty();
        orphans.running = !done;
        drop(orphans);
        // What was kept for them may do anything when it is dropped.
        drop(gone);
        if done {
            return;
        }
    }
}

fn is_gone(pidfd: &PidFd) -> bool {
    // An error will not get better.
    !matches!(wait::try_wait(pidfd.as_fd(), Reap::Yes), Ok(None))
}

fn orphans() -> MutexGuard<'static, Orphans> {
    ORPHANS.lock().unwrap_or_else(PoisonError::into_inner)
}
