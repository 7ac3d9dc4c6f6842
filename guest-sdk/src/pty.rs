//! Pseudo-terminals: what a program is run in that wants a terminal.

use crate::bindings::pty as host;
use crate::error::from_host;
use crate::{PipeReader, PipeWriter};
use std::io;
use std::sync::Arc;

/// A pseudo-terminal, of which the component has the side of whoever plays the
/// terminal.
///
/// ```no_run
#[doc = include_str!("../examples/pty.rs")]
/// ```
///
/// Dropping it with its reader and its writer hangs it up.
///
/// # References
/// - <https://man7.org/linux/man-pages/man7/pty.7.html>
#[derive(Clone, Debug)]
#[doc(alias = "openpty")]
pub struct Pty(Arc<host::Pty>);

/// How many characters a terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WindowSize {
    /// Its lines.
    pub rows: u16,
    /// The characters of a line.
    pub columns: u16,
}

impl Pty {
    /// Opens a new pseudo-terminal, whose size is 0 by 0.
    ///
    /// # Errors
    ///
    /// - `QuotaExceeded`: it counts as two pipe ends, and the component holds
    ///   as many as its host allows.
    pub fn open() -> io::Result<Self> {
        Ok(Self(Arc::new(host::open().map_err(from_host)?)))
    }

    /// Sets the terminal's size, and tells the processes in its foreground by
    /// SIGWINCH.
    pub fn resize(&self, size: WindowSize) -> io::Result<()> {
        let WindowSize { rows, columns } = size;
        self.0.resize(host::WindowSize { rows, columns }).map_err(from_host)
    }

    /// The terminal's size.
    pub fn size(&self) -> io::Result<WindowSize> {
        let host::WindowSize { rows, columns } = self.0.size().map_err(from_host)?;
        Ok(WindowSize { rows, columns })
    }

    /// What the terminal shows, to be read as a pipe is. It ends when every
    /// process that had the terminal is gone.
    ///
    /// # Errors
    ///
    /// - `QuotaExceeded`: as many pipe ends are held as the host allows.
    pub fn reader(&self) -> io::Result<PipeReader> {
        Ok(PipeReader::of_stream(self.0.read_via_stream().map_err(from_host)?))
    }

    /// The keyboard, to be written to as a pipe is.
    ///
    /// # Errors
    ///
    /// - `QuotaExceeded`: as many pipe ends are held as the host allows.
    pub fn writer(&self) -> io::Result<PipeWriter> {
        Ok(PipeWriter::of_stream(self.0.write_via_stream().map_err(from_host)?))
    }

    pub(crate) fn host(&self) -> &host::Pty {
        &self.0
    }
}
