//! Pipe ends as `wasi:io` streams: non-blocking system calls, no task and no
//! read-ahead, so that the pipe itself is the only buffer.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Buf, Bytes};
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tokio::io::Interest;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{
    DynInputStream, DynOutputStream, InputStream, OutputStream, StreamError, StreamResult,
};

use crate::pipe::{NotStream, Pipe, PipeReader, PipeWriter};
use crate::readiness::Readiness;

/// The most that one read returns and that a writer may hand over at once:
/// what a pipe holds by default. It bounds what the host allocates at a
/// guest's word.
const CHUNK: usize = 64 * 1024;

/// The reading end of a pipe as an `input-stream`.
#[derive(Debug)]
pub(crate) struct ReadStream {
    pipe: Arc<Pipe>,
    readiness: Readiness<Arc<Pipe>>,
    closed: bool,
}

/// The writing end of a pipe as an `output-stream`.
#[derive(Debug)]
pub(crate) struct WriteStream {
    pipe: Arc<Pipe>,
    readiness: Readiness<Arc<Pipe>>,
    /// What the pipe had no room for; at most [`CHUNK`] bytes.
    pending: Bytes,
    state: State,
}

/// Whether there is anything more to write to.
#[derive(Debug, Clone, Copy)]
enum State {
    Open,
    /// It failed, and nobody has been told.
    Failed(Errno),
    Closed,
}

/// A pipe end that could not be made a stream: fails once, and is closed.
#[derive(Debug)]
pub(crate) struct FailedStream(Option<NotStream>);

/// The stream that reads from a pipe.
pub(crate) fn read_stream(reader: PipeReader) -> DynInputStream {
    match reader.into_non_blocking() {
        Ok(pipe) => read_from(pipe),
        Err(error) => Box::new(FailedStream(Some(error))),
    }
}

/// The stream that reads from what does not block: of a terminal, too.
pub(crate) fn read_from(pipe: Arc<Pipe>) -> DynInputStream {
    Box::new(ReadStream { pipe, readiness: Readiness::default(), closed: false })
}

/// The stream that writes to a pipe.
pub(crate) fn write_stream(writer: PipeWriter) -> DynOutputStream {
    match writer.into_non_blocking() {
        Ok(pipe) => write_to(pipe),
        Err(error) => Box::new(FailedStream(Some(error))),
    }
}

/// The stream that writes to what does not block: to a terminal, too.
pub(crate) fn write_to(pipe: Arc<Pipe>) -> DynOutputStream {
    Box::new(WriteStream {
        pipe,
        readiness: Readiness::default(),
        pending: Bytes::new(),
        state: State::Open,
    })
}

#[async_trait]
impl Pollable for ReadStream {
    async fn ready(&mut self) {
        self.readiness.ready(&self.pipe, Interest::READABLE).await;
    }
}

#[async_trait]
impl InputStream for ReadStream {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        if self.closed {
            return Err(StreamError::Closed);
        }
        let mut buffer = Vec::with_capacity(size.min(CHUNK));
        loop {
            match rustix::io::read(&self.pipe, spare_capacity(&mut buffer)) {
                // A terminal that nobody has any more says so by EIO.
                Ok(0) | Err(Errno::IO) => return Err(StreamError::Closed),
                Ok(read) => {
                    // Whoever writes has to wait for us.
                    if read == CHUNK {
                        self.pipe.enlarge();
                    }
                    return Ok(buffer.into());
                }
                Err(Errno::AGAIN) => return Ok(Bytes::new()),
                Err(Errno::INTR) => {}
                Err(errno) => {
                    self.closed = true;
                    return Err(StreamError::LastOperationFailed(errno.into()));
                }
            }
        }
    }

    /// Not the default one, which gives up when a child that shares the end
    /// was faster some times in a row.
    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        loop {
            self.ready().await;
            let bytes = self.read(size)?;
            if size == 0 || !bytes.is_empty() {
                return Ok(bytes);
            }
        }
    }
}

impl WriteStream {
    /// Writes what the pipe has room for. A failure is told by [`Self::check`].
    fn push(&mut self) {
        while !self.pending.is_empty() {
            match rustix::io::write(&self.pipe, &self.pending) {
                Ok(written) => self.pending.advance(written),
                // Whoever reads has to wait for us.
                Err(Errno::AGAIN) if self.pipe.enlarge() => {}
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                Err(errno) => {
                    self.pending = Bytes::new();
                    self.state = match errno {
                        Errno::PIPE | Errno::IO => State::Closed,
                        errno => State::Failed(errno),
                    };
                }
            }
        }
    }

    /// Tells of a failure once; from then on the stream is closed.
    fn check(&mut self) -> StreamResult<()> {
        match self.state {
            State::Open => Ok(()),
            State::Closed => Err(StreamError::Closed),
            State::Failed(errno) => {
                self.state = State::Closed;
                Err(StreamError::LastOperationFailed(errno.into()))
            }
        }
    }

    /// Whether there is nobody left to read. Asked before the guest writes, so
    /// that it does not write in vain.
    fn is_broken(&self) -> bool {
        let mut fds = [PollFd::new(&self.pipe, PollFlags::empty())];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let [fd] = match poll(&mut fds, Some(&now)) {
            Ok(_) => fds,
            Err(_) => return false,
        };
        fd.revents().intersects(PollFlags::ERR | PollFlags::HUP)
    }
}

/// Ready when nothing is pending: the next bytes need not wait for room in the
/// pipe, and what is flushed has left us.
#[async_trait]
impl Pollable for WriteStream {
    async fn ready(&mut self) {
        self.push();
        while !self.pending.is_empty() {
            self.readiness.ready(&self.pipe, Interest::WRITABLE).await;
            self.push();
        }
    }
}

#[async_trait]
impl OutputStream for WriteStream {
    fn check_write(&mut self) -> StreamResult<usize> {
        self.push();
        self.check()?;
        if !self.pending.is_empty() {
            return Ok(0);
        }
        if self.is_broken() {
            self.state = State::Closed;
        }
        self.check().map(|()| CHUNK)
    }

    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > CHUNK || !self.pending.is_empty() {
            return Err(StreamError::trap("wrote more than check-write permitted"));
        }
        self.check()?;
        self.pending = bytes;
        self.push();
        self.check()
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.push();
        self.check()
    }

    /// Not the default one, which takes a pipe that breaks while it flushes
    /// for a success.
    async fn blocking_write_and_flush(&mut self, mut bytes: Bytes) -> StreamResult<()> {
        while !bytes.is_empty() {
            let permit = self.write_ready().await?;
            let chunk = bytes.split_to(bytes.len().min(permit));
            self.write(chunk)?;
        }
        self.ready().await;
        self.check()
    }
}

impl FailedStream {
    fn fail<T>(&mut self) -> StreamResult<T> {
        Err(match self.0.take() {
            Some(error) => StreamError::LastOperationFailed(wasmtime::Error::new(error)),
            None => StreamError::Closed,
        })
    }
}

#[async_trait]
impl Pollable for FailedStream {
    async fn ready(&mut self) {}
}

#[async_trait]
impl InputStream for FailedStream {
    fn read(&mut self, _: usize) -> StreamResult<Bytes> {
        self.fail()
    }
}

#[async_trait]
impl OutputStream for FailedStream {
    fn check_write(&mut self) -> StreamResult<usize> {
        self.fail()
    }

    fn write(&mut self, _: Bytes) -> StreamResult<()> {
        self.fail()
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.fail()
    }
}
