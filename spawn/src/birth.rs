//! What the kernel says of a child that is being made.
//!
//! # Safety
//!
//! The kernel writes here: it is given the addresses, and this stays where it is until
//! the child has left our memory.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::io::Errno;
use rustix::thread::futex;

use crate::clone::Method;
use crate::inside::NO_FD;
use crate::pidfd;
use crate::wait;

/// How often to see whether a child has ended of which the kernel has not said that it
/// left our memory: older kernels do not when it leaves a core.
const PATIENCE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// What the kernel says of a child while the thread that makes it sleeps, for
/// other threads to read.
#[derive(Debug)]
pub(crate) struct Birth {
    pidfd: AtomicI32,
    /// Written last, and only when there is a child.
    number: AtomicU32,
    memory: AtomicU32,
    /// Not the kernel's: what the thread that waited for it says.
    ended: AtomicBool,
}

/// Whether a child uses our memory: it does until the call returns that makes it,
const BY_CALL: u32 = 2;
/// or until the kernel says otherwise.
const USED: u32 = 1;
/// It does not any more.
const LEFT: u32 = 0;

/// Where the kernel writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) pidfd: usize,
    pub(crate) number: usize,
    pub(crate) memory: usize,
}

impl Default for Birth {
    fn default() -> Birth {
        Birth {
            pidfd: AtomicI32::new(NO_FD),
            number: AtomicU32::new(0),
            memory: AtomicU32::new(BY_CALL),
            ended: AtomicBool::new(false),
        }
    }
}

impl Birth {
    /// The pidfd of the child, once there is one.
    pub(crate) fn child(&self) -> Option<RawFd> {
        let made = self.number.load(Ordering::Acquire) != 0;
        made.then(|| self.pidfd())
    }

    /// The pidfd of a child that there is, by the word of the call that made it.
    pub(crate) fn pidfd(&self) -> RawFd {
        self.pidfd.load(Ordering::Acquire)
    }

    /// The number of the child, in the pid namespace of who made it: clone3
    /// says that, clone what the child has in its own.
    pub(crate) fn number(&self, method: Method) -> Option<u32> {
        let number = self.number.load(Ordering::Acquire);
        (method == Method::Clone3 && number != 0).then_some(number)
    }

    pub(crate) fn addresses(&self) -> Addresses {
        Addresses {
            pidfd: self.pidfd.as_ptr() as usize,
            number: self.number.as_ptr() as usize,
            memory: self.memory.as_ptr() as usize,
        }
    }

    /// Says that the kernel will say when the child has left our memory.
    pub(crate) fn is_told(&self) {
        self.memory.store(USED, Ordering::Release);
    }

    /// Whether the kernel has said so: then the child has executed its program, or has
    /// ended.
    pub(crate) fn has_left(&self) -> bool {
        self.memory.load(Ordering::Acquire) == LEFT
    }

    /// Sleeps until another thread has made the child, or has said, as the kernel
    /// would, that there is none to use our memory.
    pub(crate) fn wait_for_child(&self) {
        while self.child().is_none() && !self.has_left() {
            // Woken, interrupted, or too late to sleep: it is looked at again.
            let _ = futex::wait(&self.number, futex::Flags::PRIVATE, 0, None);
        }
    }

    /// Whether the child is known to have ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Sleeps until the child has ended, about so long at most.
    pub(crate) fn wait_for_end(&self, at_most: Duration) {
        let Some(child) = self.child() else { return };
        let ended = match at_most {
            // A poll takes longer, and its time limit longer still.
            Duration::MAX => wait::block(child).is_ok(),
            at_most => Birth::poll_for_end(child, at_most),
        };
        self.ended.store(ended, Ordering::Relaxed);
    }

    fn poll_for_end(child: RawFd, at_most: Duration) -> bool {
        if let Some(ended) = pidfd::poll_by_alarm(child, at_most) {
            return ended == Ok(true);
        }
        let mut ended = pidfd::poll_by_number(child, at_most);
        if ended == Err(Errno::INTR) {
            let start = Instant::now();
            let left = || at_most.saturating_sub(start.elapsed());
            while ended == Err(Errno::INTR) {
                ended = pidfd::poll_by_number(child, left());
            }
        }
        ended == Ok(true)
    }

    /// Sleeps until the child has left our memory.
    pub(crate) fn wait_for_memory(&self) {
        while self.memory.load(Ordering::Acquire) == USED {
            let waited = futex::wait(&self.memory, futex::Flags::empty(), USED, Some(&PATIENCE));
            let has_ended = |child| pidfd::poll_by_number(child, Duration::ZERO) == Ok(true);
            if waited == Err(Errno::TIMEDOUT) && self.child().is_some_and(has_ended) {
                break;
            }
        }
    }

    /// Forgets a child that is gone.
    pub(crate) fn reset(&self) {
        self.number.store(0, Ordering::Release);
        self.pidfd.store(NO_FD, Ordering::Release);
        self.memory.store(BY_CALL, Ordering::Release);
        self.ended.store(false, Ordering::Relaxed);
    }
}
