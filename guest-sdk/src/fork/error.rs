//! Why there is no child.

use crate::ErrorCode;
use crate::bindings::fork as host;
use crate::cgroup::CgroupError;
use std::io::{self, ErrorKind};
use std::{error, fmt};

/// Why a component could not fork: inside the [`io::Error`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ForkError {
    /// The host's policy does not let this component fork.
    NotPermitted,
    /// The host's process has other threads.
    NotSingleThreaded,
    /// A thread of the host still works for this component.
    Busy,
    /// This host cannot do it; says for people why.
    Unsupported(String),
    /// As many processes live, or are held, as may.
    LimitReached,
    /// Not enough memory.
    OutOfMemory,
    /// The group does not take the child.
    Cgroup(CgroupError),
    /// Another error.
    Other(ErrorCode),
}

impl ForkError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotPermitted => ErrorKind::PermissionDenied,
            Self::NotSingleThreaded | Self::Unsupported(_) => ErrorKind::Unsupported,
            Self::Busy => ErrorKind::ResourceBusy,
            Self::LimitReached => ErrorKind::QuotaExceeded,
            Self::OutOfMemory => ErrorKind::OutOfMemory,
            Self::Cgroup(error) => error.kind(),
            Self::Other(code) => code.kind(),
        }
    }
}

impl From<host::ForkError> for ForkError {
    fn from(error: host::ForkError) -> Self {
        match error {
            host::ForkError::NotPermitted => Self::NotPermitted,
            host::ForkError::NotSingleThreaded => Self::NotSingleThreaded,
            host::ForkError::Busy => Self::Busy,
            host::ForkError::Unsupported(why) => Self::Unsupported(why),
            host::ForkError::LimitReached => Self::LimitReached,
            host::ForkError::OutOfMemory => Self::OutOfMemory,
            host::ForkError::Cgroup(error) => Self::Cgroup(error.into()),
            host::ForkError::Other(code) => Self::Other(code.into()),
        }
    }
}

impl fmt::Display for ForkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPermitted => f.write_str("the host does not let this component fork"),
            Self::NotSingleThreaded => f.write_str("the host's process has other threads"),
            Self::Busy => f.write_str("a thread of the host still works for this component"),
            Self::Unsupported(why) => write!(f, "this host cannot fork: {why}"),
            Self::LimitReached => f.write_str("a limit on processes is reached"),
            Self::OutOfMemory => f.write_str("not enough memory"),
            Self::Cgroup(error) => error.fmt(f),
            Self::Other(code) => code.fmt(f),
        }
    }
}

impl error::Error for ForkError {}

impl From<ForkError> for io::Error {
    fn from(error: ForkError) -> Self {
        Self::new(error.kind(), error)
    }
}
