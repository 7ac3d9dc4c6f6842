//! An embedder's end of a socket, on its runtime.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::ioctl_fionbio;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::message::{Inbox, Message, Taken};

/// The end of a socket that does not block.
#[derive(Debug)]
pub(super) struct Connection {
    socket: AsyncFd<OwnedFd>,
    inbox: Inbox,
}

impl Connection {
    /// Only within a runtime.
    pub(super) fn new(socket: OwnedFd) -> io::Result<Connection> {
        ioctl_fionbio(&socket, true)?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe for the sake of descriptors that are closed while \
                      registered; ours is owned by what is registered"
        )]
        let socket = AsyncFd::new(socket)?;
        Ok(Connection { socket, inbox: Inbox::default() })
    }

    /// The socket, which blocks again.
    pub(super) fn into_blocking(self) -> io::Result<OwnedFd> {
        let socket = self.socket.into_inner();
        ioctl_fionbio(&socket, false)?;
        Ok(socket)
    }

    /// Sends a message. When this is dropped before it is done, the rest of the
    /// message is missing, and the connection of no use.
    pub(super) async fn send(&self, message: &Message) -> io::Result<()> {
        message.check()?;
        for index in 0..message.packets() {
            let send = |socket: &OwnedFd| message.send_packet(socket, index);
            self.socket.async_io(Interest::WRITABLE, send).await?;
        }
        Ok(())
    }

    /// Waits for a message; `None` when nobody has the other end any more. What
    /// has come of one is kept when this is dropped.
    pub(super) async fn receive(&mut self) -> io::Result<Option<Message>> {
        let Connection { socket, inbox } = self;
        loop {
            let taken = socket.async_io(Interest::READABLE, |socket| inbox.take(socket)).await?;
            match taken {
                Taken::Message(message) => return Ok(Some(message)),
                Taken::Part => {}
                Taken::End => return Ok(None),
            }
        }
    }
}
