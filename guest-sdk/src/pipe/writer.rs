//! The end that is written to.

use super::{End, failed, host};
use crate::{Pollable, SpawnError};
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Mutex};
use wasip2::io::streams::{OutputStream, StreamError};

/// The most that `blocking-write-and-flush` takes.
const ONE_CALL: usize = 4096;

/// The end of a pipe that is written to.
///
/// The component writes to it, or gives it to a child with
/// [`Command::stdout`](crate::Command::stdout) or
/// [`Command::stderr`](crate::Command::stderr). Once written to or
/// polled, it can no longer be given away. Its readers see the end when it is
/// dropped, together with every clone.
#[derive(Debug)]
pub struct PipeWriter(Arc<Mutex<End<host::PipeWriter, OutputStream>>>);

impl PipeWriter {
    pub(crate) fn new(pipe: host::PipeWriter) -> Self {
        Self(End::new(pipe))
    }

    pub(crate) fn of_stream(stream: OutputStream) -> Self {
        Self(End::of_stream(stream))
    }

    /// Makes a second handle to the same end. Unlike in std, both are one to
    /// the host, and once one is written to, neither can be given to a child.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(self.share())
    }

    pub(crate) fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// Writes as much as there is room for, without waiting. What was written
    /// is on its way, and [`Self::try_flush`] says when it has arrived: until
    /// then, dropping this end may lose it.
    ///
    /// # Errors
    ///
    /// - `WouldBlock`: there is no room. Wait for [`Self::pollable`].
    /// - `BrokenPipe`: there are no readers any more.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.with(|stream| {
            let room = usize::try_from(stream.check_write()?).unwrap_or(usize::MAX);
            let taken = room.min(buf.len());
            if taken > 0 {
                stream.write(&buf[..taken])?;
                stream.flush()?;
            }
            Ok(taken)
        })
        .and_then(|taken| match taken {
            0 if !buf.is_empty() => Err(ErrorKind::WouldBlock.into()),
            taken => Ok(taken),
        })
    }

    /// Asks whether everything written has arrived in the pipe.
    ///
    /// # Errors
    ///
    /// - `WouldBlock`: not yet. Wait for [`Self::pollable`].
    /// - `BrokenPipe`: there are no readers any more.
    pub fn try_flush(&self) -> io::Result<()> {
        match self.with(OutputStream::check_write)? {
            0 => Err(ErrorKind::WouldBlock.into()),
            _ => Ok(()),
        }
    }

    /// Returns a pollable that is ready when there is room to write, or no
    /// reader any more. It must be dropped before this end of the pipe.
    pub fn pollable(&self) -> Pollable {
        End::lock(&self.0).stream(host::PipeWriter::into_stream).subscribe()
    }

    /// Lends the pipe to a command.
    pub(crate) fn lend<T>(&self, to: impl FnOnce(&host::PipeWriter) -> T) -> Result<T, SpawnError> {
        Ok(to(End::lock(&self.0).pipe()?))
    }

    fn with<T>(
        &self,
        write: impl FnOnce(&OutputStream) -> Result<T, StreamError>,
    ) -> io::Result<T> {
        let mut end = End::lock(&self.0);
        write(end.stream(host::PipeWriter::into_stream)).map_err(|error| match error {
            StreamError::Closed => ErrorKind::BrokenPipe.into(),
            StreamError::LastOperationFailed(error) => failed(&error),
        })
    }
}

/// Every write is flushed: the host may drop what is not when the stream goes.
impl Write for &PipeWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        self.with(|stream| {
            if buf.len() <= ONE_CALL {
                stream.blocking_write_and_flush(buf)?;
                return Ok(buf.len());
            }
            let room = loop {
                match stream.check_write()? {
                    0 => stream.subscribe().block(),
                    room => break usize::try_from(room).unwrap_or(usize::MAX),
                }
            };
            let taken = room.min(buf.len());
            stream.write(&buf[..taken])?;
            stream.blocking_flush()?;
            Ok(taken)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        if End::lock(&self.0).stream.is_none() {
            return Ok(());
        }
        self.with(OutputStream::blocking_flush)
    }
}

impl Write for PipeWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self).write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self).flush()
    }
}
