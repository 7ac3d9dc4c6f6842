//! A process by its descriptor.
//!
//! # Safety
//!
//! `pidfd_send_signal` is called with a null pointer for the signal's details.

#![expect(unsafe_code, reason = "pidfd_send_signal with flags has no wrapper")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::alarm;
use crate::info::{self, ProcessInfo};
use crate::signal::Signal;
use crate::status::Change;
use crate::sys::{self, nr};
use crate::wait;

/// `PIDFD_SIGNAL_THREAD`, since Linux 6.9.
const THREAD: usize = 1 << 0;

/// `PIDFD_SIGNAL_PROCESS_GROUP`, since Linux 6.9.
const PROCESS_GROUP: usize = 1 << 2;

/// Asks whether somebody is there.
const NO_SIGNAL: i32 = 0;

/// A process, by a descriptor that was made together with it, or came from
/// elsewhere. It never means another process.
///
/// # References
/// - [pidfd_open(2)](https://man7.org/linux/man-pages/man2/pidfd_open.2.html)
#[derive(Debug)]
pub struct PidFd(OwnedFd);

impl PidFd {
    /// Sends a signal to the process.
    ///
    /// # Errors
    /// `ESRCH` when the process has ended and was waited for, `EPERM` when it
    /// runs with other rights than ours.
    ///
    /// # References
    /// - [pidfd_send_signal(2)](https://man7.org/linux/man-pages/man2/pidfd_send_signal.2.html)
    pub fn send_signal(&self, signal: Signal) -> Result<(), Errno> {
        send(self.as_fd().as_raw_fd(), signal.as_raw(), 0)
    }

    /// Sends a signal to every process of the group that this process leads,
    /// or led until it ended.
    ///
    /// # Errors
    /// `ESRCH` when the group is empty or this process never led one, `EINVAL`
    /// before Linux 6.9.
    pub fn send_group_signal(&self, signal: Signal) -> Result<(), Errno> {
        send(self.as_fd().as_raw_fd(), signal.as_raw(), PROCESS_GROUP)
    }

    /// Sends a signal to the first thread of the process alone.
    ///
    /// # Errors
    /// `ESRCH` when the process was waited for, `EINVAL` before Linux 6.9.
    pub fn send_thread_signal(&self, signal: Signal) -> Result<(), Errno> {
        send(self.as_fd().as_raw_fd(), signal.as_raw(), THREAD)
    }

    /// Makes another descriptor of the same process.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn try_clone(&self) -> io::Result<PidFd> {
        self.0.try_clone().map(PidFd)
    }

    /// Blocks until the process, a child of this one, is stopped or continued,
    /// which is told once. `None` when it has ended and is no child of ours any
    /// more, or is a zombie.
    ///
    /// # Errors
    /// Those of waitid(2), though none is expected.
    ///
    /// # References
    /// - [waitid(2)](https://man7.org/linux/man-pages/man2/waitid.2.html)
    pub fn wait_change(&self) -> io::Result<Option<Change>> {
        Ok(wait::wait_change(self.as_fd())?)
    }

    /// Whether there is a process in the group that this one leads or led.
    pub(crate) fn group_exists(&self) -> bool {
        send(self.as_fd().as_raw_fd(), NO_SIGNAL, PROCESS_GROUP) != Err(Errno::SRCH)
    }

    /// Returns the process's number: for messages. A process that has ended
    /// keeps its number until it is waited for.
    ///
    /// # Errors
    /// - `ESRCH` when the process was waited for.
    /// - `EREMOTE` when it is outside our process-id namespace.
    /// - `EBADF` when this is no pidfd, and before Linux 6.13, where the number
    ///   comes from `/proc`, also when that is not mounted.
    ///
    /// # References
    /// - `pidfd_getpid` of glibc 2.39
    pub fn getpid(&self) -> Result<u32, Errno> {
        info::pid(self.as_fd())
    }

    /// Returns the process's numbers and ids.
    ///
    /// # Errors
    /// Those of [`PidFd::getpid`], but `ENOTTY` or `EINVAL` where the kernel
    /// does not tell (before Linux 6.13), and for what is no pidfd.
    pub fn info(&self) -> Result<ProcessInfo, Errno> {
        info::process_info(self.as_fd())
    }

    /// Waits at most this long until the process has ended. Returns whether
    /// it has; it may still have to be waited for.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn poll(&self, timeout: Duration) -> Result<bool, Errno> {
        match poll_for(self.as_fd(), timeout) {
            Err(Errno::INTR) => Ok(false),
            polled => polled,
        }
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for PidFd {
    /// Takes any descriptor. If it is no pidfd, the methods say so by `EBADF`.
    fn from(fd: OwnedFd) -> PidFd {
        PidFd(fd)
    }
}

impl From<PidFd> for OwnedFd {
    fn from(pidfd: PidFd) -> OwnedFd {
        pidfd.0
    }
}

/// Whether this kernel can signal a group by the pidfd of its leader.
pub(crate) fn has_group_signals(pidfd: BorrowedFd<'_>) -> bool {
    send(pidfd.as_raw_fd(), NO_SIGNAL, PROCESS_GROUP) != Err(Errno::INVAL)
}

/// Whether the process has ended, after so long at most.
fn poll_for(pidfd: BorrowedFd<'_>, timeout: Duration) -> Result<bool, Errno> {
    let mut fds = [PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
    let timeout = Timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    };
    poll(&mut fds, Some(&timeout)).map(|ready| ready > 0)
}

/// The same by a pidfd that somebody else owns and does not close meanwhile.
pub(crate) fn poll_by_number(pidfd: RawFd, timeout: Duration) -> Result<bool, Errno> {
    // SAFETY: it is open, and stays so.
    poll_for(unsafe { BorrowedFd::borrow_raw(pidfd) }, timeout)
}

/// The same where the time need not be kept exactly, see [`alarm::wait`].
pub(crate) fn poll_by_alarm(pidfd: RawFd, at_most: Duration) -> Option<Result<bool, Errno>> {
    // SAFETY: as above.
    alarm::wait(unsafe { BorrowedFd::borrow_raw(pidfd) }, at_most)
}

/// Kills the process of a pidfd that somebody else owns and does not close
/// meanwhile.
pub(crate) fn kill_by_number(pidfd: RawFd) -> Result<(), Errno> {
    send(pidfd, Signal::KILL.as_raw(), 0)
}

fn send(pidfd: RawFd, signal: i32, flags: usize) -> Result<(), Errno> {
    let fd = pidfd.unsigned_abs() as usize;
    let args = [fd, signal.unsigned_abs() as usize, 0, flags, 0];
    // SAFETY: the only pointer is null, which the call allows.
    let answer = unsafe { sys::call(nr::PIDFD_SEND_SIGNAL, args) };
    sys::result(answer).map(drop)
}
