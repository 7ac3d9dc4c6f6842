//! Whose a cgroup is.

use std::os::fd::OwnedFd;

use rustix::fs::{FlockOperation, Mode, OFlags, flock, openat};
use rustix::io::Errno;

use super::{Cgroup, CgroupError};
use crate::window::aside;

/// The lock of a cgroup. Dropping it gives it up, and so does the end of the
/// process, however it ends.
#[derive(Debug)]
pub struct CgroupLock(#[expect(dead_code, reason = "it is held, not used")] OwnedFd);

impl Cgroup {
    /// Takes the cgroup's lock, which nobody need heed: it says that its owner
    /// lives. A name with the owner's number in it would say so too, but
    /// numbers are used again, and another namespace has them as well.
    ///
    /// # Errors
    /// [`Busy`](super::CgroupErrorKind::Busy) when somebody has it, and those
    /// of open(2).
    ///
    /// # References
    /// - [flock(2)](https://man7.org/linux/man-pages/man2/flock.2.html)
    pub fn lock(&self) -> Result<CgroupLock, CgroupError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let lock = || {
            let directory = openat(&*self.directory, c".", flags, Mode::empty())?;
            flock(&directory, FlockOperation::NonBlockingLockExclusive)?;
            aside(directory)
        };
        lock().map(CgroupLock).map_err(|errno| match errno {
            Errno::WOULDBLOCK => self.file_error("its lock", Errno::BUSY),
            errno => self.file_error(".", errno),
        })
    }
}
