//! Why there is no second process.

use std::fmt;
use std::io;

use rustix::io::Errno;

use super::report::Failed;
use crate::error::SpawnError;
use crate::kernel::Unsupported;

/// Why a process could not be forked. There is no child, and nothing has
/// changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForkError {
    /// This process has other threads, which the child would not have, or
    /// shares its memory with another process.
    NotSingleThreaded,
    /// This process cannot be copied so that the copy works.
    Unsupported(Unforkable),
    /// A limit on processes is reached (`EAGAIN`): `RLIMIT_NPROC`, `pids.max`,
    /// or the system's.
    LimitReached,
    /// Not enough memory (`ENOMEM`).
    OutOfMemory,
    /// The child could not be put into its cgroup. `EBADF` for what is not the
    /// directory of one, `ENOENT` for one that was removed.
    Cgroup(Errno),
    /// Descriptors could not be prepared: `EMFILE`, `ENFILE`.
    Descriptors(Errno),
    /// The child's deadline could not be set: `EAGAIN` where
    /// `RLIMIT_SIGPENDING` is reached.
    Deadline(Errno),
    /// The kernel refuses for another reason.
    Clone(Errno),
}

/// Why this process cannot be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unforkable {
    /// The kernel lacks what this crate needs.
    Kernel(Unsupported),
    /// The kernel cannot say where the C library keeps the number of its
    /// thread (`CONFIG_CHECKPOINT_RESTORE`), or may not be asked.
    ThreadAddress(Errno),
    /// The C library keeps something else there, as musl does: the copy would
    /// have its parent's number.
    ThreadNumber,
    /// The list of robust mutexes cannot be found.
    RobustList(Errno),
    /// The process's threads or descriptors cannot be listed: `/proc` is needed.
    Proc(Errno),
    /// Two descriptors cannot be compared (`kcmp`), which is needed where an
    /// epoll instance may have two.
    Compare(Errno),
    /// A view of this process's page tables is open, which would show the copy
    /// its parent's.
    Pagemap,
}

impl ForkError {
    pub(super) fn cgroup(error: SpawnError) -> ForkError {
        ForkError::Cgroup(error.errno)
    }

    pub(super) fn from_clone(errno: Errno) -> ForkError {
        match errno {
            Errno::AGAIN => ForkError::LimitReached,
            Errno::NOMEM => ForkError::OutOfMemory,
            Errno::MFILE | Errno::NFILE => ForkError::Descriptors(errno),
            errno => ForkError::Clone(errno),
        }
    }

    /// The error number that stands for it.
    pub fn errno(self) -> Errno {
        match self {
            ForkError::NotSingleThreaded => Errno::BUSY,
            ForkError::Unsupported(_) => Errno::NOSYS,
            ForkError::LimitReached => Errno::AGAIN,
            ForkError::OutOfMemory => Errno::NOMEM,
            ForkError::Cgroup(errno)
            | ForkError::Descriptors(errno)
            | ForkError::Deadline(errno)
            | ForkError::Clone(errno) => errno,
        }
    }
}

impl From<Unforkable> for ForkError {
    fn from(why: Unforkable) -> ForkError {
        ForkError::Unsupported(why)
    }
}

impl From<Unsupported> for ForkError {
    fn from(unsupported: Unsupported) -> ForkError {
        match (unsupported, unsupported.errno()) {
            (Unsupported::Clone(_), errno) if errno != Errno::NOSYS => ForkError::from_clone(errno),
            // Not known yet, and no limit.
            (Unsupported::Killed(_), errno) => ForkError::Clone(errno),
            (unsupported, _) => Unforkable::Kernel(unsupported).into(),
        }
    }
}

impl From<Failed> for ForkError {
    fn from(failed: Failed) -> ForkError {
        match failed {
            Failed::Cgroup(errno) => ForkError::Cgroup(errno),
            Failed::Deadline(errno) => ForkError::Deadline(errno),
        }
    }
}

impl fmt::Display for ForkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ForkError::NotSingleThreaded => f.write_str("this process has more than one thread"),
            ForkError::Unsupported(why) => why.fmt(f),
            ForkError::LimitReached => f.write_str("a limit on processes is reached"),
            ForkError::OutOfMemory => f.write_str("not enough memory"),
            ForkError::Cgroup(errno) => write!(f, "cannot join the cgroup: {errno}"),
            ForkError::Descriptors(errno) => write!(f, "cannot prepare descriptors: {errno}"),
            ForkError::Deadline(errno) => write!(f, "cannot set the deadline: {errno}"),
            ForkError::Clone(errno) => write!(f, "cannot create the process: {errno}"),
        }
    }
}

impl fmt::Display for Unforkable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unforkable::Kernel(unsupported) => unsupported.fmt(f),
            Unforkable::ThreadAddress(errno) => {
                write!(f, "the kernel does not say where the number of this thread is: {errno}")
            }
            Unforkable::ThreadNumber => {
                f.write_str("this C library keeps no number of its thread that a fork could set")
            }
            Unforkable::RobustList(errno) => {
                write!(f, "the list of robust mutexes cannot be found: {errno}")
            }
            Unforkable::Proc(errno) => {
                write!(f, "threads and descriptors cannot be listed in /proc: {errno}")
            }
            Unforkable::Compare(errno) => {
                write!(f, "epoll descriptors cannot be compared: {errno}")
            }
            Unforkable::Pagemap => f.write_str("a pagemap of this process is open"),
        }
    }
}

impl std::error::Error for ForkError {}

impl From<ForkError> for io::Error {
    /// Keeps the errno's kind, and the whole error as the inner one.
    fn from(error: ForkError) -> io::Error {
        io::Error::new(io::Error::from(error.errno()).kind(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::Signal;

    #[test]
    fn what_may_be_tried_again() {
        let errno = |unsupported| ForkError::from(unsupported).errno();
        assert_eq!(errno(Unsupported::Killed(Signal::TERM)), Errno::AGAIN);
        assert_eq!(errno(Unsupported::Clone(Errno::AGAIN)), Errno::AGAIN);
        assert_eq!(errno(Unsupported::Clone(Errno::NOSYS)), Errno::NOSYS);
        assert_eq!(errno(Unsupported::Memory), Errno::NOSYS);
    }
}
