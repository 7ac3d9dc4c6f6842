//! Why something could not be done with a cgroup.

use crate::bindings::cgroup as host;
use std::io::{self, ErrorKind};
use std::{error, fmt};

/// Why something could not be done with a cgroup. The [`io::Error`]s of
/// [`Cgroup`](super::Cgroup) carry one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CgroupError {
    /// The host's policy does not permit this.
    AccessDenied,
    /// No group of this name is granted.
    NotFound,
    /// The host lacks this: a controller such as `memory`, a file that its
    /// kernel does not have, or `cgroup` where it can make none at all.
    Unsupported(String),
    /// The group does not belong to the host's user (EACCES, EPERM).
    NotDelegated,
    /// There is something in the group that does not allow this (EBUSY, ENOSPC).
    Busy,
    /// The group is, or lies beneath, a threaded one (EOPNOTSUPP).
    InvalidDomain,
    /// The group was removed from outside (ENOENT, ENODEV).
    Gone,
    /// There is a group of this name already (EEXIST).
    Exists,
    /// There are as many groups, or groups so deep, as the host allows (EAGAIN).
    LimitReached,
    /// A name that cannot be one, or a value that the kernel does not take
    /// (EINVAL, ERANGE).
    InvalidArgument,
    /// Another error, with its POSIX name where it has one.
    Other(Option<String>),
}

impl CgroupError {
    /// The kind of the [`io::Error`] that carries this.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::AccessDenied | Self::NotDelegated => ErrorKind::PermissionDenied,
            Self::NotFound | Self::Gone => ErrorKind::NotFound,
            Self::Unsupported(_) | Self::InvalidDomain => ErrorKind::Unsupported,
            Self::Busy => ErrorKind::ResourceBusy,
            Self::Exists => ErrorKind::AlreadyExists,
            Self::LimitReached => ErrorKind::QuotaExceeded,
            Self::InvalidArgument => ErrorKind::InvalidInput,
            Self::Other(_) => ErrorKind::Other,
        }
    }
}

impl fmt::Display for CgroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccessDenied => "the group is the host's",
            Self::NotFound => "no group of this name is granted",
            Self::Unsupported(what) => return write!(f, "this host has no {what}"),
            Self::NotDelegated => "the group is not delegated to the host's user",
            Self::Busy => "the group is in use",
            Self::InvalidDomain => "the group is threaded",
            Self::Gone => "the group was removed",
            Self::Exists => "there is a group of this name",
            Self::LimitReached => "there are as many groups as the host allows",
            Self::InvalidArgument => "no group can have this name or value",
            Self::Other(Some(name)) => name,
            Self::Other(None) => "unknown error",
        })
    }
}

impl error::Error for CgroupError {}

impl From<CgroupError> for io::Error {
    fn from(error: CgroupError) -> Self {
        Self::new(error.kind(), error)
    }
}

impl From<host::CgroupError> for CgroupError {
    fn from(error: host::CgroupError) -> Self {
        use host::CgroupError as Host;
        match error {
            Host::AccessDenied => Self::AccessDenied,
            Host::NotFound => Self::NotFound,
            Host::Unsupported(what) => Self::Unsupported(what),
            Host::NotDelegated => Self::NotDelegated,
            Host::Busy => Self::Busy,
            Host::InvalidDomain => Self::InvalidDomain,
            Host::Gone => Self::Gone,
            Host::Exists => Self::Exists,
            Host::LimitReached => Self::LimitReached,
            Host::InvalidArgument => Self::InvalidArgument,
            Host::Other(name) => Self::Other(name),
        }
    }
}
