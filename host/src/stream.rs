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

use crate::pipe::{Pipe, PipeReader, PipeWriter};
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
}

/// The writing end of a pipe as an `output-stream`.
#[derive(Debug)]
pub(crate) struct WriteStream {
    pipe: Arc<Pipe>,
    readiness: Readiness<Arc<Pipe>>,
    /// What the pipe had no room for; at most [`CHUNK`] bytes.
    pending: Bytes,
}

/// A pipe end that could not be made a stream, as a stream that fails.
#[derive(Debug)]
pub(crate) struct FailedStream(Errno);

/// The stream that reads from a pipe.
pub(crate) fn read_stream(reader: PipeReader) -> DynInputStream {
    match reader.into_non_blocking() {
        Ok(pipe) => Box::new(ReadStream {
            pipe,
            readiness: Readiness::default(),
        }),
        Err(errno) => Box::new(FailedStream(errno)),
    }
}

/// The stream that writes to a pipe.
pub(crate) fn write_stream(writer: PipeWriter) -> DynOutputStream {
    match writer.into_non_blocking() {
        Ok(pipe) => {
            let (readiness, pending) = (Readiness::default(), Bytes::new());
            Box::new(WriteStream {
                pipe,
                readiness,
                pending,
            })
        }
        Err(errno) => Box::new(FailedStream(errno)),
    }
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
        let mut buffer = Vec::with_capacity(size.min(CHUNK));
        loop {
            match rustix::io::read(&self.pipe, spare_capacity(&mut buffer)) {
                Ok(0) => return Err(StreamError::Closed),
                Ok(_) => return Ok(buffer.into()),
                Err(Errno::AGAIN) => return Ok(Bytes::new()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(StreamError::LastOperationFailed(errno.into())),
            }
        }
    }
}

impl WriteStream {
    /// Writes what the pipe has room for.
    fn push(&mut self) -> StreamResult<()> {
        while !self.pending.is_empty() {
            match rustix::io::write(&self.pipe, &self.pending) {
                Ok(written) => self.pending.advance(written),
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(Errno::PIPE) => {
                    self.pending = Bytes::new();
                    return Err(StreamError::Closed);
                }
                Err(errno) => return Err(StreamError::LastOperationFailed(errno.into())),
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Pollable for WriteStream {
    async fn ready(&mut self) {
        loop {
            self.readiness.ready(&self.pipe, Interest::WRITABLE).await;
            // An error shows in the `check_write` that follows.
            if self.push().is_err() || self.pending.is_empty() {
                return;
            }
        }
    }
}

#[async_trait]
impl OutputStream for WriteStream {
    fn check_write(&mut self) -> StreamResult<usize> {
        self.push()?;
        let mut fds = [PollFd::new(&self.pipe, PollFlags::OUT)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        match poll(&mut fds, Some(&now)) {
            Ok(0) | Err(Errno::INTR) => return Ok(0),
            Ok(_) => {}
            Err(errno) => return Err(StreamError::LastOperationFailed(errno.into())),
        }
        let [fd] = fds;
        if fd.revents().contains(PollFlags::ERR) {
            return Err(StreamError::Closed);
        }
        Ok(if self.pending.is_empty() { CHUNK } else { 0 })
    }

    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > CHUNK || !self.pending.is_empty() {
            return Err(StreamError::trap("wrote more than check-write permitted"));
        }
        self.pending = bytes;
        self.push()
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.push()
    }
}

impl FailedStream {
    fn error(&self) -> StreamError {
        StreamError::LastOperationFailed(self.0.into())
    }
}

#[async_trait]
impl Pollable for FailedStream {
    async fn ready(&mut self) {}
}

#[async_trait]
impl InputStream for FailedStream {
    fn read(&mut self, _: usize) -> StreamResult<Bytes> {
        Err(self.error())
    }
}

#[async_trait]
impl OutputStream for FailedStream {
    fn check_write(&mut self) -> StreamResult<usize> {
        Err(self.error())
    }

    fn write(&mut self, _: Bytes) -> StreamResult<()> {
        Err(self.error())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Err(self.error())
    }
}
