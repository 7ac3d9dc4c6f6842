//! A worker's way to its embedder, afresh for each fork.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::message::{self, Kind, Message, nonsense, pair};

/// A worker's calls of its embedder, for host functions that need what only the
/// embedder has.
///
/// Each process of a worker's tree has a connection of its own: the copy that a
/// fork's child has of this one is put on a new connection before the child goes
/// on, so that an answer never comes to the wrong process.
#[derive(Debug, Clone)]
pub struct Channel(Arc<Mutex<Option<OwnedFd>>>);

thread_local! {
    /// The one of this process: it has one thread.
    static CURRENT: RefCell<Option<Channel>> = const { RefCell::new(None) };
}

impl Channel {
    /// The most bytes of a call and of an answer: 1 MiB.
    pub const MAX: usize = message::MAX;

    /// Calls the embedder, and waits for its answer. It holds the thread
    /// meanwhile, as a host function of a synchronous embedder does.
    ///
    /// # Errors
    /// - `NotConnected`: the job has no [`Answer`](super::Answer).
    /// - `InvalidInput`: more than [`Channel::MAX`] bytes.
    /// - `ConnectionAborted`: the embedder has gone, or no longer has the
    ///   worker.
    /// - `Other`, with the reason: the embedder has no answer.
    pub fn call(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        let socket = self.socket();
        let Some(socket) = &*socket else {
            return Err(io::Error::new(ErrorKind::NotConnected, "nobody answers calls"));
        };
        let gone =
            || io::Error::new(ErrorKind::ConnectionAborted, "the embedder no longer answers");
        match Message::new(Kind::Call, request).send(socket) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Err(gone()),
            sent => sent?,
        }
        let answer = Message::receive(socket)?.ok_or_else(gone)?;
        match answer.kind {
            Kind::Answer => Ok(answer.bytes),
            Kind::Unanswered => {
                Err(io::Error::other(String::from_utf8_lossy(&answer.bytes).into_owned()))
            }
            _ => Err(nonsense()),
        }
    }

    /// That of a worker, over this socket.
    pub(super) fn begin(socket: Option<OwnedFd>) -> Channel {
        let channel = Channel(Arc::new(Mutex::new(socket)));
        CURRENT.set(Some(channel.clone()));
        channel
    }

    fn socket(&self) -> MutexGuard<'_, Option<OwnedFd>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection for a process that is about to be forked.
#[derive(Debug)]
pub(in crate::fork) struct Fresh(Option<(Channel, OwnedFd)>);

impl Fresh {
    /// Makes it, and tells the embedder. Where no process comes of it, dropping
    /// it tells that as well.
    pub(in crate::fork) fn prepare() -> io::Result<Fresh> {
        let Some(channel) = CURRENT.with_borrow(Clone::clone) else {
            return Ok(Fresh(None));
        };
        let socket = channel.socket();
        let Some(old) = &*socket else {
            return Ok(Fresh(None));
        };
        let (ours, theirs) = pair()?;
        let mut message = Message::new(Kind::Channel, []);
        message.files.push(theirs);
        message.send(old)?;
        drop(socket);
        Ok(Fresh(Some((channel, ours))))
    }

    /// In the child: uses it from now on.
    pub(in crate::fork) fn begin(self) {
        if let Some((channel, ours)) = self.0 {
            *channel.socket() = Some(ours);
        }
    }
}
