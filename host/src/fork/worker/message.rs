//! What an embedder and its workers say to each other, over a socket that keeps
//! packets apart (`SOCK_SEQPACKET`).
//!
//! A message is one packet or several: a byte that says what it is, a byte that
//! says whether more of it follows, and bytes. Descriptors come with its first
//! packet. A process that dies leaves no half of a packet, and a message of which
//! the end is missing is none.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair,
};

/// The most bytes of a message.
pub(super) const MAX: usize = 1 << 20;

/// The most descriptors of a message.
pub(super) const MAX_FILES: usize = 64;

/// The most bytes of a packet: a socket takes several of them without anybody
/// reading, whatever the system's default for its buffer is.
const CHUNK: usize = 32 << 10;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// To a new program: what to prepare from.
    Setup,
    /// To a worker: what to do. Its first three descriptors are the standard
    /// streams.
    Job,
    /// From a program that is prepared, and from a worker that has its job.
    Ready,
    /// From either, in words: it cannot.
    Failed,
    /// To a zygote: fork a worker at the other end of this socket.
    Start,
    /// From a zygote, over that socket: the descriptor of the worker.
    Made,
    /// From a worker or a fork of it: a call.
    Call,
    /// To it: the answer.
    Answer,
    /// To it, in words: there will be no answer.
    Unanswered,
    /// From it: the end of the channel of the process that it forks next.
    Channel,
}

const KINDS: [Kind; 10] = [
    Kind::Setup,
    Kind::Job,
    Kind::Ready,
    Kind::Failed,
    Kind::Start,
    Kind::Made,
    Kind::Call,
    Kind::Answer,
    Kind::Unanswered,
    Kind::Channel,
];

/// A message. To be sent or received.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) kind: Kind,
    pub(super) bytes: Vec<u8>,
    pub(super) files: Vec<OwnedFd>,
}

/// A message that has not come whole yet.
#[derive(Debug, Default)]
pub(super) struct Inbox(Option<Message>);

/// What one look at the socket has brought.
#[derive(Debug)]
pub(super) enum Taken {
    Message(Message),
    /// More is to come.
    Part,
    /// Nobody has the other end any more.
    End,
}

/// Two ends of a new socket. Both block.
pub(super) fn pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
}

impl Message {
    pub(super) fn new(kind: Kind, bytes: impl Into<Vec<u8>>) -> Message {
        Message { kind, bytes: bytes.into(), files: Vec::new() }
    }

    /// Checks that it is no larger than messages may be.
    ///
    /// # Errors
    /// `InvalidInput`.
    pub(super) fn check(&self) -> io::Result<()> {
        match (self.bytes.len(), self.files.len()) {
            (..=MAX, ..=MAX_FILES) => Ok(()),
            (bytes, files) => Err(io::Error::new(
                ErrorKind::InvalidInput,
                format!(
                    "{bytes} bytes and {files} descriptors are more than the {MAX} and {MAX_FILES} \
                     of a message"
                ),
            )),
        }
    }

    /// Sends it, and waits until there is room for it.
    pub(super) fn send(&self, socket: &OwnedFd) -> io::Result<()> {
        self.check()?;
        (0..self.packets()).try_for_each(|index| self.send_packet(socket, index))
    }

    /// How many packets it is.
    pub(super) fn packets(&self) -> usize {
        self.bytes.len().div_ceil(CHUNK).max(1)
    }

    /// Sends one of its packets. `WouldBlock` where there is no room for it.
    pub(super) fn send_packet(&self, socket: impl AsFd, index: usize) -> io::Result<()> {
        let (start, end) = (index * CHUNK, self.bytes.len().min((index + 1) * CHUNK));
        let is_last = end == self.bytes.len();
        let kind = KINDS.iter().position(|kind| *kind == self.kind);
        let head = [kind.and_then(|kind| kind.try_into().ok()).unwrap_or(0), u8::from(!is_last)];
        let files: Vec<BorrowedFd<'_>> = match index {
            0 => self.files.iter().map(AsFd::as_fd).collect(),
            _ => Vec::new(),
        };
        let parts = [IoSlice::new(&head), IoSlice::new(&self.bytes[start..end])];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FILES))];
        loop {
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !files.is_empty() {
                control.push(SendAncillaryMessage::ScmRights(&files));
            }
            match sendmsg(&socket, &parts, &mut control, SendFlags::NOSIGNAL) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Waits for the next one; `None` when nobody has the other end any more.
    pub(super) fn receive(socket: &OwnedFd) -> io::Result<Option<Message>> {
        let mut inbox = Inbox::default();
        loop {
            match inbox.take(socket)? {
                Taken::Message(message) => return Ok(Some(message)),
                Taken::Part => {}
                Taken::End => return Ok(None),
            }
        }
    }
}

impl Inbox {
    /// Takes one packet off the socket. `WouldBlock` where there is none yet.
    ///
    /// # Errors
    /// `InvalidData` for what no other side sends that keeps to the rules.
    pub(super) fn take(&mut self, socket: impl AsFd) -> io::Result<Taken> {
        let mut head = [0; 2];
        let mut bytes = vec![0; CHUNK];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FILES))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            let mut parts = [IoSliceMut::new(&mut head), IoSliceMut::new(&mut bytes)];
            match recvmsg(&socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC) {
                Ok(received) => break received,
                // The second one is told once, before what is left to read: the other
                // end was closed with something unread in it.
                Err(Errno::INTR | Errno::CONNRESET) => {}
                Err(errno) => return Err(errno.into()),
            }
        };
        let files: Vec<OwnedFd> = control
            .drain()
            .filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(files) => Some(files),
                _ => None,
            })
            .flatten()
            .collect();
        if received.bytes == 0 {
            return Ok(Taken::End);
        }
        let lost = ReturnFlags::TRUNC | ReturnFlags::CTRUNC;
        let kind = KINDS.get(usize::from(head[0])).copied();
        let (Some(length), Some(kind), false) =
            (received.bytes.checked_sub(head.len()), kind, received.flags.intersects(lost))
        else {
            return Err(nonsense());
        };
        bytes.truncate(length);
        let message = match self.0.take() {
            None => Message { kind, bytes, files },
            Some(mut message) if message.kind == kind && files.is_empty() => {
                message.bytes.append(&mut bytes);
                message
            }
            Some(_) => return Err(nonsense()),
        };
        if message.bytes.len() > MAX {
            return Err(nonsense());
        }
        Ok(match head[1] {
            0 => Taken::Message(message),
            _ => {
                self.0 = Some(message);
                Taken::Part
            }
        })
    }
}

/// The other side does not keep to the rules.
pub(super) fn nonsense() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "the other side does not speak as a worker does")
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn message(bytes: usize, files: usize) -> Message {
        let file = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        let bytes = (0..bytes).map(|index| (index % 251).to_le_bytes()[0]).collect();
        let files = std::iter::repeat_with(file).take(files).collect();
        Message { kind: Kind::Call, bytes, files }
    }

    #[test]
    fn every_size() {
        let (one, other) = pair().unwrap();
        for (bytes, files) in
            [(0, 0), (1, 1), (CHUNK, 0), (CHUNK + 1, 2), (3 * CHUNK, MAX_FILES), (MAX, 0)]
        {
            let sent = message(bytes, files);
            thread::scope(|scope| {
                scope.spawn(|| sent.send(&one).unwrap());
                let received = Message::receive(&other).unwrap().unwrap();
                assert_eq!(received.kind, Kind::Call);
                assert!(received.bytes == sent.bytes, "{bytes}");
                assert_eq!(received.files.len(), files);
            });
        }
        drop(one);
        assert!(Message::receive(&other).unwrap().is_none());
    }

    #[test]
    fn never_larger() {
        let (one, _other) = pair().unwrap();
        for message in [message(MAX + 1, 0), message(0, MAX_FILES + 1)] {
            let error = message.send(&one).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn nonsense_is_an_error() {
        let packets: [&[u8]; 4] = [b"", b"\x06", b"\xff\x00", b"\x07\x00"];
        for (index, packet) in packets.iter().enumerate() {
            let (one, other) = pair().unwrap();
            let mut inbox = Inbox::default();
            if index == 3 {
                // Goes on as another kind than it began.
                rustix::net::send(&one, b"\x06\x01", SendFlags::empty()).unwrap();
                assert!(matches!(inbox.take(&other), Ok(Taken::Part)));
            }
            rustix::net::send(&one, packet, SendFlags::empty()).unwrap();
            match (index, inbox.take(&other)) {
                // An empty packet cannot be told from the end.
                (0, Ok(Taken::End)) => {}
                (1.., Err(error)) => assert_eq!(error.kind(), ErrorKind::InvalidData),
                (_, other) => panic!("{index}: {other:?}"),
            }
        }
        // As is what does not end.
        let (one, other) = pair().unwrap();
        let mut packet = vec![0; CHUNK + 2];
        packet[..2].copy_from_slice(&[6, 1]);
        let mut inbox = Inbox::default();
        for count in 1.. {
            rustix::net::send(&one, &packet, SendFlags::empty()).unwrap();
            match inbox.take(&other) {
                Ok(Taken::Part) => assert!(count * CHUNK <= MAX),
                taken => {
                    assert_eq!(taken.unwrap_err().kind(), ErrorKind::InvalidData);
                    return assert!(count * CHUNK > MAX);
                }
            }
        }
    }

    #[test]
    fn half_a_message_is_none() {
        let (one, other) = pair().unwrap();
        message(CHUNK + 1, 1).send_packet(&one, 0).unwrap();
        drop(one);
        assert!(Message::receive(&other).unwrap().is_none());
    }
}
