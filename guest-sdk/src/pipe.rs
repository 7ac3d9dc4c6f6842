//! Pipes: the ends that a child, or the component itself, reads and writes.

use crate::SpawnError;
use crate::bindings::pipe as host;
use crate::error::from_host;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

mod reader;
mod writer;

pub use reader::PipeReader;
pub use writer::PipeWriter;

/// Makes a pipe, as [`std::io::pipe`] does.
///
/// Either end can be given to a child as one of its standard streams, or used
/// by the component.
#[doc(alias = "pipe2")]
pub fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = host::create().map_err(from_host)?;
    Ok((PipeReader::new(reader), PipeWriter::new(writer)))
}

/// A pipe end, until the component uses it itself, and its stream from then
/// on: one of the two is there.
#[derive(Debug)]
struct End<P, S> {
    pipe: Option<P>,
    stream: Option<S>,
}

impl<P, S> End<P, S> {
    fn new(pipe: P) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self { pipe: Some(pipe), stream: None }))
    }

    /// An end that has been a stream from the start.
    fn of_stream(stream: S) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self { pipe: None, stream: Some(stream) }))
    }

    fn lock(end: &Mutex<Self>) -> MutexGuard<'_, Self> {
        end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stream(&mut self, convert: fn(P) -> S) -> &S {
        let pipe = &mut self.pipe;
        self.stream.get_or_insert_with(|| convert(pipe.take().expect("a pipe or a stream")))
    }

    fn pipe(&self) -> Result<&P, SpawnError> {
        self.pipe.as_ref().ok_or_else(|| {
            SpawnError::invalid("a pipe that the component itself used cannot be given to a child")
        })
    }
}

fn failed(error: &wasip2::io::error::Error) -> io::Error {
    io::Error::other(error.to_debug_string())
}
