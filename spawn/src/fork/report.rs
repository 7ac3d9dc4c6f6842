//! What a child says to its parent before both go on.

use std::os::fd::OwnedFd;

use rustix::io::{Errno, retry_on_intr};
use rustix::pipe::{PipeFlags, pipe_with};

/// Where a child failed before it was whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failed {
    Cgroup(Errno),
    Deadline(Errno),
}

/// A pipe from the child to its parent. Nothing in it means that all is well.
#[derive(Debug)]
pub(super) struct Report {
    reader: OwnedFd,
    writer: OwnedFd,
}

impl Report {
    pub(super) fn new() -> Result<Report, Errno> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        Ok(Report { reader, writer })
    }

    /// In the child.
    pub(super) fn send(self, result: Result<(), Failed>) {
        let (kind, errno) = match result {
            Ok(()) => return,
            Err(Failed::Cgroup(errno)) => (0, errno),
            Err(Failed::Deadline(errno)) => (1, errno),
        };
        let [low, high, ..] = errno.raw_os_error().to_le_bytes();
        // Fails only when the parent has gone.
        let _ = rustix::io::write(self.writer, &[kind, low, high]);
    }

    /// In the parent: waits until the child has said so, or has ended.
    pub(super) fn receive(self) -> Result<(), Failed> {
        drop(self.writer);
        let mut word = [0; 3];
        match retry_on_intr(|| rustix::io::read(&self.reader, &mut word)) {
            Ok(3) => {
                let [kind, low, high] = word;
                let errno = Errno::from_raw_os_error(i32::from_le_bytes([low, high, 0, 0]));
                Err(if kind == 0 { Failed::Cgroup(errno) } else { Failed::Deadline(errno) })
            }
            // A child that ended without a word: its status tells.
            Ok(_) | Err(_) => Ok(()),
        }
    }
}
