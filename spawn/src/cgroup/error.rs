//! Why something cannot be done with a cgroup.

use std::fmt;
use std::io;

use rustix::io::Errno;

use super::controller::Controller;

/// Why something could not be done with a cgroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CgroupError {
    /// What was tried with: one of the cgroup's files, or the name of a cgroup.
    what: String,
    kind: CgroupErrorKind,
    errno: Errno,
}

/// The reasons why something cannot be done with a cgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CgroupErrorKind {
    /// Version 2 is not mounted, or not where it could be seen.
    NotMounted,
    /// This is no directory of a cgroup of version 2 (`EBADF`, `ENOTDIR`).
    NotCgroup,
    /// There is no cgroup of this name (`ENOENT`).
    NotFound,
    /// The cgroup was removed (`ENOENT`, `ENODEV`).
    Gone,
    /// There is a cgroup of this name already (`EEXIST`).
    Exists,
    /// We may not: the cgroup is not ours (`EACCES`, `EPERM`, `EROFS`).
    NotDelegated,
    /// There are processes or cgroups in it; or it has enabled controllers for
    /// those beneath it, and so can have no processes itself (`EBUSY`). Or it would
    /// be left without processors or memory nodes of its own while there are
    /// processes in it (`ENOSPC`).
    Busy,
    /// It is, or lies beneath, a threaded cgroup (`EOPNOTSUPP`).
    InvalidDomain,
    /// A limit of the cgroup, or of one above it, is reached: `pids.max`,
    /// `cgroup.max.depth` or `cgroup.max.descendants` (`EAGAIN`).
    LimitReached,
    /// The cgroup does not have this controller.
    NoController(Controller),
    /// The kernel does not offer this file: it is too old, or was built
    /// without.
    Unsupported,
    /// The value means nothing (`EINVAL`, `ERANGE`).
    InvalidValue,
    /// Something else: see the errno.
    Other,
}

impl CgroupErrorKind {
    /// What the kernel means by this error when it is about an open cgroup,
    /// such as that of a [`SpawnError`](crate::SpawnError) at
    /// [`Stage::Cgroup`](crate::Stage::Cgroup).
    pub fn of(errno: Errno) -> CgroupErrorKind {
        match errno {
            Errno::BADF | Errno::NOTDIR => CgroupErrorKind::NotCgroup,
            Errno::NOENT | Errno::NODEV => CgroupErrorKind::Gone,
            Errno::EXIST => CgroupErrorKind::Exists,
            Errno::ACCESS | Errno::PERM | Errno::ROFS => CgroupErrorKind::NotDelegated,
            Errno::BUSY => CgroupErrorKind::Busy,
            Errno::OPNOTSUPP => CgroupErrorKind::InvalidDomain,
            Errno::AGAIN => CgroupErrorKind::LimitReached,
            Errno::INVAL | Errno::RANGE => CgroupErrorKind::InvalidValue,
            _ => CgroupErrorKind::Other,
        }
    }
}

impl CgroupError {
    /// Why.
    pub fn kind(&self) -> CgroupErrorKind {
        self.kind
    }

    /// The kernel's error.
    pub fn errno(&self) -> Errno {
        self.errno
    }

    /// What was tried with: one of the cgroup's files, or a name.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// An error with a cgroup of this name, which need not exist.
    pub(super) fn of_name(name: impl Into<String>, errno: Errno) -> CgroupError {
        let kind = match errno {
            Errno::NOENT | Errno::SRCH => CgroupErrorKind::NotFound,
            errno => CgroupErrorKind::of(errno),
        };
        CgroupError { what: name.into(), kind, errno }
    }

    /// An error with a file of a cgroup that exists, or does not any more.
    pub(super) fn of_file(file: &str, errno: Errno, exists: bool) -> CgroupError {
        let kind = match errno {
            Errno::NOENT if exists => Controller::of_file(file)
                .map_or(CgroupErrorKind::Unsupported, CgroupErrorKind::NoController),
            // A cpuset with processes in it. A cgroup that cannot be made because
            // there are too many says the same.
            Errno::NOSPC => CgroupErrorKind::Busy,
            // Of the device that it names.
            Errno::NODEV if exists => CgroupErrorKind::Other,
            errno => CgroupErrorKind::of(errno),
        };
        CgroupError { what: file.to_owned(), kind, errno }
    }

    /// The same, where what is not there is this controller.
    pub(super) fn of_controller(mut self, controller: Controller) -> CgroupError {
        if matches!(self.kind, CgroupErrorKind::Unsupported | CgroupErrorKind::InvalidValue) {
            self.kind = CgroupErrorKind::NoController(controller);
        }
        self
    }

    pub(super) fn not_mounted() -> CgroupError {
        CgroupError {
            what: "cgroup2".to_owned(),
            kind: CgroupErrorKind::NotMounted,
            errno: Errno::NODEV,
        }
    }

    /// Whether the cgroup is there, but not this file of it.
    pub(super) fn is_missing_file(&self) -> bool {
        matches!(self.kind, CgroupErrorKind::NoController(_) | CgroupErrorKind::Unsupported)
    }
}

impl fmt::Display for CgroupErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CgroupErrorKind::NotMounted => "no cgroups of version 2 are mounted",
            CgroupErrorKind::NotCgroup => "it is no cgroup of version 2",
            CgroupErrorKind::NotFound => "there is none of this name",
            CgroupErrorKind::Gone => "the cgroup was removed",
            CgroupErrorKind::Exists => "there is one already",
            CgroupErrorKind::NotDelegated => "the cgroup is not delegated to this user",
            CgroupErrorKind::Busy => "the cgroup is in use",
            CgroupErrorKind::InvalidDomain => "the cgroup is, or lies beneath, a threaded one",
            CgroupErrorKind::LimitReached => "a limit of the cgroup is reached",
            CgroupErrorKind::NoController(controller) => {
                return write!(f, "the cgroup does not have the controller {controller}");
            }
            CgroupErrorKind::Unsupported => "this kernel does not offer it",
            CgroupErrorKind::InvalidValue => "the value means nothing",
            CgroupErrorKind::Other => "it failed",
        })
    }
}

impl fmt::Display for CgroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cgroup: {}: {} ({})", self.what, self.kind, self.errno)
    }
}

impl std::error::Error for CgroupError {}

impl From<CgroupError> for io::Error {
    /// Keeps the errno's kind, and the whole error as the inner one.
    fn from(error: CgroupError) -> io::Error {
        io::Error::new(io::Error::from(error.errno).kind(), error)
    }
}
