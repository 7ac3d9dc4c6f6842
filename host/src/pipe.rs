//! Pipe ends that a guest owns.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Arc, OnceLock};

use offspring_spawn::Errno;
use rustix::fs::{CWD, Mode, OFlags, fcntl_getfl, fcntl_setfl, openat};
use rustix::pipe::{PipeFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with};

use crate::quota::{Quota, Share};

/// The end of a pipe that is read from: the resource `pipe-reader`.
#[derive(Debug)]
pub struct PipeReader(End);

/// The end of a pipe that is written to: the resource `pipe-writer`.
#[derive(Debug)]
pub struct PipeWriter(End);

/// What the pipes of a guest take of its limits.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    /// How many ends there may be.
    pub(crate) ends: Quota,
    /// How many bytes pipes may be larger together than the kernel makes them.
    pub(crate) bytes: Quota,
}

/// One end, which counts as long as anything here refers to it.
#[derive(Debug)]
pub(crate) struct Pipe {
    fd: OwnedFd,
    share: Share,
    bytes: Quota,
    /// What was taken for its being larger, once that was tried.
    larger: OnceLock<Option<Share>>,
}

/// How large a pipe is made that carries much: as large as every user may make
/// some, by default. Reader and writer then wait for each other less often.
const LARGE: usize = 1 << 20;

#[derive(Debug)]
struct End {
    pipe: Arc<Pipe>,
    /// Whether a child has it too, or may come to have it.
    given: bool,
}

/// Why there is no new pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PipeError {
    LimitReached,
    Kernel(Errno),
}

/// Why an end cannot be read or written by the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotStream {
    #[error("the guest holds as many pipe ends as its host allows")]
    LimitReached,
    #[error("cannot open the pipe: {0}")]
    Kernel(#[from] Errno),
}

impl PipeReader {
    pub(crate) fn new(fd: OwnedFd, share: Share, room: &Room) -> PipeReader {
        PipeReader(End::new(fd, share, &room.bytes))
    }

    /// The end, to give to a child.
    pub(crate) fn give(&mut self) -> Arc<Pipe> {
        self.0.give()
    }

    /// The end, to be read from by the host, without blocking.
    pub(crate) fn into_non_blocking(self) -> Result<Arc<Pipe>, NotStream> {
        self.0.into_non_blocking(OFlags::RDONLY)
    }
}

impl PipeWriter {
    pub(crate) fn new(fd: OwnedFd, share: Share, room: &Room) -> PipeWriter {
        PipeWriter(End::new(fd, share, &room.bytes))
    }

    /// The end, to give to a child.
    pub(crate) fn give(&mut self) -> Arc<Pipe> {
        self.0.give()
    }

    /// The end, to be written to by the host, without blocking.
    pub(crate) fn into_non_blocking(self) -> Result<Arc<Pipe>, NotStream> {
        self.0.into_non_blocking(OFlags::WRONLY)
    }
}

impl End {
    fn new(fd: OwnedFd, share: Share, bytes: &Quota) -> End {
        End { pipe: Arc::new(Pipe::new(fd, share, bytes)), given: false }
    }

    fn give(&mut self) -> Arc<Pipe> {
        self.given = true;
        Arc::clone(&self.pipe)
    }

    /// Whether an open file blocks is a property that all who share it share:
    /// a child would find its stream non-blocking, or make ours block. So an
    /// end that a child may have is opened anew.
    fn into_non_blocking(self, mode: OFlags) -> Result<Arc<Pipe>, NotStream> {
        if !self.given {
            let flags = fcntl_getfl(&self.pipe.fd)?;
            fcntl_setfl(&self.pipe.fd, flags | OFlags::NONBLOCK)?;
            return Ok(self.pipe);
        }
        let path = format!("/proc/self/fd/{}", self.pipe.fd.as_raw_fd());
        let flags = mode | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = openat(CWD, path, flags, Mode::empty())?;
        let bytes = self.pipe.bytes.clone();
        let share = match Arc::try_unwrap(self.pipe) {
            Ok(pipe) => pipe.share,
            Err(shared) => shared.share.another().ok_or(NotStream::LimitReached)?,
        };
        Ok(Arc::new(Pipe::new(fd, share, &bytes)))
    }
}

impl Pipe {
    pub(crate) fn new(fd: OwnedFd, share: Share, bytes: &Quota) -> Pipe {
        Pipe { fd, share, bytes: bytes.clone(), larger: OnceLock::new() }
    }

    /// Makes the pipe larger, once, as far as the guest's limit and the kernel's
    /// on its host's user let it. Called when it was found full: few pipes ever
    /// are. Returns whether it has more room now.
    pub(crate) fn enlarge(&self) -> bool {
        let mut enlarged = false;
        self.larger.get_or_init(|| {
            let more = LARGE.checked_sub(fcntl_getpipe_size(&self.fd).ok()?)?;
            let share = self.bytes.take_many(u32::try_from(more).ok()?)?;
            // EPERM is the user's limit.
            fcntl_setpipe_size(&self.fd, LARGE).ok()?;
            enlarged = true;
            Some(share)
        });
        enlarged
    }
}

impl AsFd for Pipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Pipe {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// Makes a pipe, both of whose ends count.
pub(crate) fn create(room: &Room) -> Result<(PipeReader, PipeWriter), PipeError> {
    let shares = (room.ends.take(), room.ends.take());
    let (Some(read), Some(write)) = shares else {
        return Err(PipeError::LimitReached);
    };
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).map_err(PipeError::Kernel)?;
    Ok((PipeReader::new(reader, read, room), PipeWriter::new(writer, write, room)))
}
