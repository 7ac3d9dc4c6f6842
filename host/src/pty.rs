//! Pseudo-terminals that a guest owns: the resource `pty`.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use offspring_spawn::{Errno, WindowSize};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::command::duplicate;
use crate::pipe::{Pipe, PipeError, Room};
use crate::quota::Share;

/// A pseudo-terminal, of which this is the side of whoever plays the terminal.
#[derive(Debug)]
pub struct Pty(Arc<Terminal>);

/// It is hung up when nothing refers to it any more.
#[derive(Debug)]
pub(crate) struct Terminal {
    pty: offspring_spawn::Pty,
    /// The other side, until a child has it: without anybody there, what is
    /// typed would be an error, and reading would be at its end.
    peer: Mutex<Option<OwnedFd>>,
    share: Share,
    room: Room,
}

/// It and its other side.
const ENDS: u32 = 2;

impl Pty {
    /// Opens a terminal, which counts as its two ends.
    pub(crate) fn open(room: &Room) -> Result<Pty, PipeError> {
        let share = room.ends.take_many(ENDS).ok_or(PipeError::LimitReached)?;
        let open = || {
            let pty = offspring_spawn::Pty::open()?;
            // For all who share it, none of which is a child.
            fcntl_setfl(&pty, fcntl_getfl(&pty)? | OFlags::NONBLOCK)?;
            let peer = Mutex::new(Some(pty.open_peer()?));
            Ok(Terminal { pty, peer, share, room: room.clone() })
        };
        Ok(Pty(Arc::new(open().map_err(PipeError::Kernel)?)))
    }

    pub(crate) fn resize(&self, size: WindowSize) -> Result<(), Errno> {
        self.0.pty.resize(size)
    }

    pub(crate) fn size(&self) -> Result<WindowSize, Errno> {
        self.0.pty.window_size()
    }

    /// What a stream reads from or writes to.
    pub(crate) fn end(&self) -> Result<Arc<Pipe>, PipeError> {
        let share = self.0.share.another().ok_or(PipeError::LimitReached)?;
        let fd = duplicate(self.0.pty.as_fd()).map_err(PipeError::Kernel)?;
        Ok(Arc::new(Pipe::new(fd, share, &self.0.room.bytes)))
    }

    /// The terminal, to give to a child.
    pub(crate) fn give(&self) -> Arc<Terminal> {
        Arc::clone(&self.0)
    }
}

impl Terminal {
    /// Lets what a command starts run in this terminal.
    pub(crate) fn lend(&self, to: &mut offspring_spawn::Command) -> Result<(), Errno> {
        to.terminal(&self.pty).map(drop_reference)
    }

    /// A child has the other side now, and when it has closed it the terminal
    /// is at its end.
    pub(crate) fn given(&self) {
        *self.peer.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn drop_reference(_: &mut offspring_spawn::Command) {}
