//! What a child's standard streams are connected to.

use std::fs::File;
use std::io::{PipeReader, PipeWriter};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, OnceLock};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::pipe::{PipeFlags, pipe_with};

/// What a standard stream of a child is connected to.
#[derive(Debug, Clone, Default)]
pub enum Stdio {
    /// `/dev/null`.
    #[default]
    Null,
    /// This process's stream of the same number; `/dev/null` if it is closed.
    Inherit,
    /// A new pipe, whose other end the [`Child`](crate::Child) holds.
    Piped,
    /// This descriptor, which stays open here as long as the
    /// [`Command`](crate::Command) lives: who reads the other end of a pipe
    /// sees its end only after that.
    Fd(Arc<OwnedFd>),
}

impl From<OwnedFd> for Stdio {
    fn from(fd: OwnedFd) -> Stdio {
        Stdio::Fd(Arc::new(fd))
    }
}

impl From<File> for Stdio {
    fn from(file: File) -> Stdio {
        OwnedFd::from(file).into()
    }
}

impl From<PipeReader> for Stdio {
    fn from(reader: PipeReader) -> Stdio {
        OwnedFd::from(reader).into()
    }
}

impl From<PipeWriter> for Stdio {
    fn from(writer: PipeWriter) -> Stdio {
        OwnedFd::from(writer).into()
    }
}

/// Which way the bytes go, seen from the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    In,
    Out,
}

/// A stream ready to be given to a child, and our end if it is a pipe.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) child: Arc<OwnedFd>,
    pub(crate) parent: Option<OwnedFd>,
}

impl Stdio {
    /// Opens what the child is to be given as its stream of this number.
    pub(crate) fn open(&self, number: u8, direction: Direction) -> Result<Stream, Errno> {
        match self {
            Stdio::Null => Ok(Stream { child: null()?, parent: None }),
            Stdio::Inherit => {
                let child = match inherited(number) {
                    Err(Errno::BADF) => null()?,
                    inherited => Arc::new(inherited?),
                };
                Ok(Stream { child, parent: None })
            }
            Stdio::Piped => {
                let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
                let (child, parent) = match direction {
                    Direction::In => (reader, writer),
                    Direction::Out => (writer, reader),
                };
                Ok(Stream {
                    child: Arc::new(above_stdio(child)?),
                    parent: Some(above_stdio(parent)?),
                })
            }
            Stdio::Fd(fd) => Ok(Stream { child: Arc::clone(fd), parent: None }),
        }
    }
}

/// `/dev/null`, opened once.
pub(crate) fn null() -> Result<Arc<OwnedFd>, Errno> {
    static NULL: OnceLock<Arc<OwnedFd>> = OnceLock::new();
    if let Some(null) = NULL.get() {
        return Ok(Arc::clone(null));
    }
    let fd = openat(CWD, c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    let fd = Arc::new(above_stdio(fd)?);
    Ok(Arc::clone(NULL.get_or_init(|| fd)))
}

/// A copy of one of our own standard streams.
fn inherited(number: u8) -> Result<OwnedFd, Errno> {
    match number {
        0 => fcntl_dupfd_cloexec(rustix::stdio::stdin(), FIRST_OTHER),
        1 => fcntl_dupfd_cloexec(rustix::stdio::stdout(), FIRST_OTHER),
        _ => fcntl_dupfd_cloexec(rustix::stdio::stderr(), FIRST_OTHER),
    }
}

/// The first descriptor behind the standard streams.
pub(crate) const FIRST_OTHER: i32 = 3;

fn is_stdio(fd: impl AsFd) -> bool {
    use std::os::fd::AsRawFd;
    fd.as_fd().as_raw_fd() < FIRST_OTHER
}

/// Moves a descriptor that we keep behind the standard streams, if this process
/// runs with some of those closed: there a child that inherits would get it.
pub(crate) fn above_stdio(fd: OwnedFd) -> Result<OwnedFd, Errno> {
    match is_stdio(&fd) {
        true => fcntl_dupfd_cloexec(fd, FIRST_OTHER),
        false => Ok(fd),
    }
}

/// The same for a descriptor that must not be lost: it stays where it is if
/// there is no room.
pub(crate) fn moved_above_stdio(fd: OwnedFd) -> OwnedFd {
    match is_stdio(&fd) {
        true => fcntl_dupfd_cloexec(&fd, FIRST_OTHER).unwrap_or(fd),
        false => fd,
    }
}
