//! The end that is read from.

use super::{End, failed, host};
use crate::{Pollable, SpawnError};
use std::io::{self, ErrorKind, Read};
use std::sync::{Arc, Mutex};
use wasip2::io::streams::{InputStream, StreamError};

/// The most that one call asks of the host, whose memory it is until then.
const MOST_TO_READ: usize = 1 << 20;

/// What is asked for when nobody knows how much there is: what a pipe holds
/// by default.
const CHUNK: usize = 1 << 16;

/// The end of a pipe that is read from.
///
/// The component reads it, or gives it to a child with
/// [`Command::stdin`](crate::Command::stdin). Once read from or polled, it can no
/// longer be given away.
#[derive(Debug)]
pub struct PipeReader(Arc<Mutex<End<host::PipeReader, InputStream>>>);

impl PipeReader {
    pub(crate) fn new(pipe: host::PipeReader) -> Self {
        Self(End::new(pipe))
    }

    pub(crate) fn of_stream(stream: InputStream) -> Self {
        Self(End::of_stream(stream))
    }

    /// Makes a second handle to the same end. Unlike in std, both are one to
    /// the host, and once one is read from, neither can be given to a child.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(Arc::clone(&self.0)))
    }

    /// Reads what is there, without waiting. 0 means the end.
    ///
    /// # Errors
    ///
    /// - `WouldBlock`: nothing is there yet. Wait for [`Self::pollable`].
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let chunk = self.with(|stream| stream.read(length(buf.len())))?;
        match chunk {
            Some(chunk) if chunk.is_empty() => Err(ErrorKind::WouldBlock.into()),
            chunk => Ok(copy(&chunk.unwrap_or_default(), buf)),
        }
    }

    /// Returns a pollable that is ready when there is something to read, or
    /// the end. It must be dropped before this end of the pipe.
    pub fn pollable(&self) -> Pollable {
        End::lock(&self.0).stream(host::PipeReader::into_stream).subscribe()
    }

    /// Appends what is there, without waiting. `false` means the end.
    pub(crate) fn append_available(&self, to: &mut Vec<u8>) -> io::Result<bool> {
        let chunk = self.with(|stream| stream.read(length(CHUNK)))?;
        to.extend_from_slice(chunk.as_deref().unwrap_or_default());
        Ok(chunk.is_some())
    }

    /// Lends the pipe to a command.
    pub(crate) fn lend<T>(&self, to: impl FnOnce(&host::PipeReader) -> T) -> Result<T, SpawnError> {
        Ok(to(End::lock(&self.0).pipe()?))
    }

    /// Waits for something to read. `None` means the end.
    fn chunk(&self, most: usize) -> io::Result<Option<Vec<u8>>> {
        loop {
            let chunk = self.with(|stream| stream.blocking_read(length(most)))?;
            if chunk.as_ref().is_none_or(|chunk| !chunk.is_empty()) {
                return Ok(chunk);
            }
        }
    }

    fn with(
        &self,
        read: impl FnOnce(&InputStream) -> Result<Vec<u8>, StreamError>,
    ) -> io::Result<Option<Vec<u8>>> {
        let mut end = End::lock(&self.0);
        match read(end.stream(host::PipeReader::into_stream)) {
            Ok(chunk) => Ok(Some(chunk)),
            Err(StreamError::Closed) => Ok(None),
            Err(StreamError::LastOperationFailed(error)) => Err(failed(&error)),
        }
    }
}

impl Read for &PipeReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let chunk = self.chunk(buf.len())?;
        Ok(copy(&chunk.unwrap_or_default(), buf))
    }

    fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
        let before = buf.len();
        while let Some(chunk) = self.chunk(CHUNK)? {
            buf.extend_from_slice(&chunk);
        }
        Ok(buf.len() - before)
    }
}

impl Read for PipeReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }

    fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
        (&*self).read_to_end(buf)
    }
}

fn length(wanted: usize) -> u64 {
    wanted.min(MOST_TO_READ) as u64
}

fn copy(chunk: &[u8], buf: &mut [u8]) -> usize {
    buf[..chunk.len()].copy_from_slice(chunk);
    chunk.len()
}
