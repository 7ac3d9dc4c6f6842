//! Why no sandbox could be made.

use std::fmt;
use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

use super::part::{Lack, Part};

/// Why no sandbox could be made. None is made that would do less than it was
/// asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SandboxError {
    /// A part that was asked for cannot be in force here, and was not said to
    /// be best effort.
    Missing(Missing),
    /// A file that was named cannot be opened.
    Open {
        /// Its path.
        path: PathBuf,
        /// The kernel's error.
        errno: Errno,
    },
    /// The kernel did not take the rules for files.
    Ruleset(Errno),
    /// io_uring was let through, and sockets were not: it makes them too.
    IoUringNeedsNetwork,
}

/// A part that is not in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Missing {
    /// Which.
    pub part: Part,
    /// Why not.
    pub lack: Lack,
}

impl SandboxError {
    /// The error number that stands for it.
    pub fn errno(&self) -> Errno {
        match self {
            SandboxError::Missing(_) => Errno::NOSYS,
            SandboxError::Open { errno, .. } | SandboxError::Ruleset(errno) => *errno,
            SandboxError::IoUringNeedsNetwork => Errno::INVAL,
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.part, self.lack)
    }
}

impl fmt::Display for SandboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SandboxError::Missing(missing) => {
                write!(f, "a part of the sandbox is missing here: {missing}")
            }
            SandboxError::Open { path, errno } => {
                write!(f, "cannot open {}: {errno}", path.display())
            }
            SandboxError::Ruleset(errno) => write!(f, "cannot make the rules for files: {errno}"),
            SandboxError::IoUringNeedsNetwork => {
                f.write_str("io_uring makes sockets, so it needs a network that is allowed")
            }
        }
    }
}

impl std::error::Error for SandboxError {}

impl From<SandboxError> for io::Error {
    fn from(error: SandboxError) -> io::Error {
        io::Error::new(io::Error::from(error.errno()).kind(), error)
    }
}
