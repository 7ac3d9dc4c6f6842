//! The standard input without a thread, which a fork would not have.

use std::fs::File;
use std::io::{self, IoSliceMut, IsTerminal as _};
use std::os::unix::fs::FileTypeExt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use tokio::io::{AsyncRead, Interest};
use wasmtime_wasi::cli::{InputFile, IsTerminal, StdinStream};
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{InputStream, StreamError, StreamResult};

use crate::readiness::{Readiness, is_ready};

/// The standard input of this process, read when there is something to read. It
/// is not made non-blocking: that would concern everybody who has it.
pub(super) struct Stdin {
    file: Arc<File>,
    blocking: InputFile,
    no_wait: bool,
}

struct Stream {
    file: Arc<File>,
    readiness: Readiness<Arc<File>>,
    /// Whether a read can be told not to wait: with a terminal it cannot, and a
    /// file has no need of it.
    no_wait: bool,
    ended: bool,
}

/// The most that one read returns.
const CHUNK: usize = 64 * 1024;

impl Stdin {
    pub(super) fn new() -> io::Result<Stdin> {
        let file = File::from(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?);
        let kind = file.metadata()?.file_type();
        Ok(Stdin {
            blocking: InputFile::new(file.try_clone()?),
            no_wait: kind.is_fifo() || kind.is_socket(),
            file: Arc::new(file),
        })
    }
}

impl IsTerminal for Stdin {
    fn is_terminal(&self) -> bool {
        self.file.is_terminal()
    }
}

impl StdinStream for Stdin {
    fn p2_stream(&self) -> Box<dyn InputStream> {
        let file = Arc::clone(&self.file);
        let no_wait = self.no_wait;
        Box::new(Stream { file, readiness: Readiness::default(), no_wait, ended: false })
    }

    /// For WASI 0.3: blocks.
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        self.blocking.async_stream()
    }
}

impl Stream {
    /// Another process that has the same input may be faster, and then a read
    /// would wait with everything else in this one.
    fn read_now(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        /// Where the file is.
        const POSITION: u64 = u64::MAX;
        match self.no_wait {
            true => {
                let mut buffers = [IoSliceMut::new(buffer)];
                preadv2(&self.file, &mut buffers, POSITION, ReadWriteFlags::NOWAIT)
            }
            false => rustix::io::read(&self.file, buffer),
        }
    }
}

#[async_trait]
impl Pollable for Stream {
    async fn ready(&mut self) {
        if !self.ended {
            self.readiness.ready(&self.file, Interest::READABLE).await;
        }
    }
}

#[async_trait]
impl InputStream for Stream {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if self.ended {
            return Err(StreamError::Closed);
        }
        if size == 0 || !is_ready(&self.file, Interest::READABLE) {
            return Ok(Bytes::new());
        }
        let mut buffer = vec![0; size.min(CHUNK)];
        match self.read_now(&mut buffer) {
            Ok(0) => {
                self.ended = true;
                Err(StreamError::Closed)
            }
            Ok(read) => {
                buffer.truncate(read);
                Ok(buffer.into())
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(Bytes::new()),
            Err(errno) => {
                self.ended = true;
                Err(StreamError::LastOperationFailed(errno.into()))
            }
        }
    }

    /// Not the default one, which gives up when others were faster some times in
    /// a row.
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
