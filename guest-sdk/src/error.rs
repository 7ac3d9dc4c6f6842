//! Errors: [`io::Error`] outside, the typed reason inside.

use crate::bindings::{spawn, types};
use std::io::{self, ErrorKind};
use std::{error, fmt};

/// Why an operation failed, by its POSIX equivalent.
///
/// The [`io::Error`]s of this crate carry one, or a [`SpawnError`] with one;
/// `error.get_ref()` and `downcast_ref` give it back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The host's policy or the kernel does not permit this (EACCES, EPERM).
    AccessDenied,
    /// The program, a script's interpreter or a path does not exist (ENOENT).
    NotFound,
    /// The file has no format that the kernel can execute (ENOEXEC).
    NotExecutable,
    /// A component of a path is not a directory (ENOTDIR).
    NotDirectory,
    /// Too many symbolic links (ELOOP).
    Loop,
    /// A path or a name is too long (ENAMETOOLONG).
    NameTooLong,
    /// Arguments and environment are too long (E2BIG).
    ArgumentListTooLong,
    /// A value is malformed (EINVAL).
    InvalidArgument,
    /// The program is open for writing elsewhere (ETXTBSY).
    TextFileBusy,
    /// The process has ended and was waited for (ESRCH).
    NoSuchProcess,
    /// The process was started by the component's parent, before a fork (ECHILD).
    NoChild,
    /// The process is outside the host's process-id namespace (EREMOTE).
    ForeignNamespace,
    /// A number that no descriptor has, or can have (EBADF).
    BadDescriptor,
    /// The host has no descriptors left (EMFILE, ENFILE).
    TooManyDescriptors,
    /// The kernel's limit on processes is reached (EAGAIN).
    TooManyProcesses,
    /// A limit of the host's policy is reached.
    LimitReached,
    /// Not enough memory (ENOMEM).
    InsufficientMemory,
    /// An input/output error (EIO).
    Io,
    /// Something is in use, or in a state that does not allow this, such as a
    /// frozen cgroup (EBUSY).
    Busy,
    /// This host or its kernel cannot do this (ENOSYS, ENOTSUP).
    Unsupported,
    /// Another error, with its POSIX name where it has one.
    Other(Option<String>),
}

impl ErrorCode {
    /// The kind of the [`io::Error`] that carries this code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::AccessDenied => ErrorKind::PermissionDenied,
            Self::NotFound | Self::NoSuchProcess => ErrorKind::NotFound,
            Self::NotExecutable => ErrorKind::InvalidData,
            Self::NotDirectory => ErrorKind::NotADirectory,
            Self::NameTooLong => ErrorKind::InvalidFilename,
            Self::ArgumentListTooLong => ErrorKind::ArgumentListTooLong,
            Self::InvalidArgument => ErrorKind::InvalidInput,
            Self::TextFileBusy => ErrorKind::ExecutableFileBusy,
            Self::TooManyProcesses => ErrorKind::WouldBlock,
            Self::LimitReached => ErrorKind::QuotaExceeded,
            Self::InsufficientMemory => ErrorKind::OutOfMemory,
            Self::Busy => ErrorKind::ResourceBusy,
            Self::Unsupported => ErrorKind::Unsupported,
            Self::Other(Some(name)) if name == "ETIMEDOUT" => ErrorKind::TimedOut,
            Self::Loop
            | Self::NoChild
            | Self::ForeignNamespace
            | Self::BadDescriptor
            | Self::TooManyDescriptors
            | Self::Io
            | Self::Other(_) => ErrorKind::Other,
        }
    }

    fn words(&self) -> &str {
        match self {
            Self::AccessDenied => "access denied",
            Self::NotFound => "not found",
            Self::NotExecutable => "not an executable format",
            Self::NotDirectory => "not a directory",
            Self::Loop => "too many symbolic links",
            Self::NameTooLong => "name too long",
            Self::ArgumentListTooLong => "argument list too long",
            Self::InvalidArgument => "invalid argument",
            Self::TextFileBusy => "the program is open for writing",
            Self::NoSuchProcess => "no such process",
            Self::NoChild => "no child of this process",
            Self::ForeignNamespace => "the process is in another namespace",
            Self::BadDescriptor => "no such descriptor",
            Self::TooManyDescriptors => "the host has no descriptors left",
            Self::TooManyProcesses => "too many processes",
            Self::LimitReached => "a limit of the host's policy is reached",
            Self::InsufficientMemory => "not enough memory",
            Self::Io => "input/output error",
            Self::Busy => "in use, or frozen",
            Self::Unsupported => "not supported by this host",
            Self::Other(Some(name)) => name,
            Self::Other(None) => "unknown error",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

impl error::Error for ErrorCode {}

impl From<ErrorCode> for io::Error {
    fn from(code: ErrorCode) -> Self {
        Self::new(code.kind(), code)
    }
}

impl From<types::ErrorCode> for ErrorCode {
    fn from(code: types::ErrorCode) -> Self {
        use types::ErrorCode as Host;
        match code {
            Host::AccessDenied => Self::AccessDenied,
            Host::NotFound => Self::NotFound,
            Host::NotExecutable => Self::NotExecutable,
            Host::NotDirectory => Self::NotDirectory,
            Host::Loop => Self::Loop,
            Host::NameTooLong => Self::NameTooLong,
            Host::ArgumentListTooLong => Self::ArgumentListTooLong,
            Host::InvalidArgument => Self::InvalidArgument,
            Host::TextFileBusy => Self::TextFileBusy,
            Host::NoSuchProcess => Self::NoSuchProcess,
            Host::NoChild => Self::NoChild,
            Host::ForeignNamespace => Self::ForeignNamespace,
            Host::BadDescriptor => Self::BadDescriptor,
            Host::TooManyDescriptors => Self::TooManyDescriptors,
            Host::TooManyProcesses => Self::TooManyProcesses,
            Host::LimitReached => Self::LimitReached,
            Host::InsufficientMemory => Self::InsufficientMemory,
            Host::Io => Self::Io,
            Host::Busy => Self::Busy,
            Host::Unsupported => Self::Unsupported,
            Host::Other(name) => Self::Other(name),
        }
    }
}

/// How far [`Command::spawn`](crate::Command::spawn) came before it failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The command is malformed: nothing was checked against the policy.
    Request,
    /// The policy refuses it, by this key of its grant.
    Policy(String),
    /// The directory to run in was resolved.
    Resolve,
    /// The path in the argument of this index, counted from 0, was resolved.
    Argument(u32),
    /// Pipes and descriptors were prepared.
    Descriptors,
    /// The process was created.
    Clone,
    /// This property of the new process was set, such as `process-group`.
    Attribute(String),
    /// The descriptor of this number was put in place: one that the child
    /// starts with, with 0 to 2 for its standard streams.
    Passed(u32),
    /// The file action of this index, counted from 0, was done.
    FileAction(u32),
    /// The program was executed.
    Exec,
}

/// Why no process was started.
///
/// Displays as its message. An [`io::Error`] of `spawn`, `output` or `status`
/// carries it:
///
/// ```
/// # use offspring_guest::{SpawnError, Stage};
/// fn refused_by(error: &std::io::Error) -> Option<&str> {
///     match &error.get_ref()?.downcast_ref::<SpawnError>()?.stage {
///         Stage::Policy(key) => Some(key),
///         _ => None,
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SpawnError {
    /// How far it came.
    pub stage: Stage,
    /// What went wrong.
    pub code: ErrorCode,
    /// The kernel's error, such as `ENOENT`, where it was the kernel that
    /// refused.
    pub errno: Option<String>,
    /// One line for people.
    pub message: String,
}

impl SpawnError {
    /// A request that this crate or the host cannot even take.
    pub(crate) fn request(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { stage: Stage::Request, code, errno: None, message: message.into() }
    }

    /// A request that makes no sense.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::request(ErrorCode::InvalidArgument, message)
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl error::Error for SpawnError {}

impl From<SpawnError> for io::Error {
    fn from(error: SpawnError) -> Self {
        Self::new(error.code.kind(), error)
    }
}

impl From<spawn::SpawnError> for SpawnError {
    fn from(error: spawn::SpawnError) -> Self {
        let stage = match error.stage {
            spawn::Stage::Request => Stage::Request,
            spawn::Stage::Policy(key) => Stage::Policy(key),
            spawn::Stage::Resolve => Stage::Resolve,
            spawn::Stage::Argument(index) => Stage::Argument(index),
            spawn::Stage::Descriptors => Stage::Descriptors,
            spawn::Stage::Clone => Stage::Clone,
            spawn::Stage::Attribute(name) => Stage::Attribute(name),
            spawn::Stage::Passed(number) => Stage::Passed(number),
            spawn::Stage::FileAction(index) => Stage::FileAction(index),
            spawn::Stage::Exec => Stage::Exec,
        };
        Self { stage, code: error.code.into(), errno: error.errno, message: error.message }
    }
}

/// Turns an error of an operation other than spawning.
pub(crate) fn from_host(code: types::ErrorCode) -> io::Error {
    ErrorCode::from(code).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_typed_reason_is_inside() {
        let error: io::Error = SpawnError {
            stage: Stage::Policy("args".into()),
            code: ErrorCode::AccessDenied,
            errno: None,
            message: "git takes no arguments here".into(),
        }
        .into();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert_eq!(error.to_string(), "git takes no arguments here");
        let inner = error.get_ref().unwrap().downcast_ref::<SpawnError>().unwrap();
        assert_eq!(inner.stage, Stage::Policy("args".into()));
    }

    #[test]
    fn a_code_is_an_error_of_its_own() {
        let error: io::Error = ErrorCode::LimitReached.into();
        assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
        let inner = error.get_ref().unwrap().downcast_ref::<ErrorCode>();
        assert_eq!(inner, Some(&ErrorCode::LimitReached));
    }
}
