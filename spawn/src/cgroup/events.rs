//! What happens in a cgroup, to be waited for.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, pread};

use super::file::value_of;
use super::{Cgroup, CgroupError};

/// The state of a cgroup and all beneath it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CgroupState {
    /// Whether there are processes in it. Zombies do not count.
    pub populated: bool,
    /// Whether every process in it has stopped because it was frozen.
    pub frozen: bool,
}

/// What the memory controller had to do in a cgroup and all beneath it, since
/// it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct MemoryEvents {
    /// How often memory was reclaimed although less than `memory.low` was used.
    pub low: u64,
    /// How often processes were slowed down because `memory.high` was reached.
    pub high: u64,
    /// How often `memory.max` was about to be exceeded.
    pub max: u64,
    /// How often memory could not be had, and so the out-of-memory killer was
    /// considered.
    pub oom: u64,
    /// How many processes the out-of-memory killer killed.
    pub oom_kill: u64,
    /// How often it killed the whole cgroup (Linux 5.17; else 0).
    pub oom_group_kill: u64,
}

/// The state of a cgroup as a file that can be waited for: poll(2) reports
/// `POLLPRI` once it has changed since it was read last.
#[derive(Debug)]
pub struct CgroupEvents(OwnedFd);

/// The memory events of a cgroup as a file that can be waited for, likewise.
#[derive(Debug)]
pub struct MemoryEventsFile(OwnedFd);

/// Events.
impl Cgroup {
    /// The state at this moment.
    ///
    /// # Errors
    /// [`Gone`](super::CgroupErrorKind::Gone), and
    /// [`Unsupported`](super::CgroupErrorKind::Unsupported) for the root.
    pub fn state(&self) -> Result<CgroupState, CgroupError> {
        Ok(state_of(&self.read("cgroup.events")?))
    }

    /// Opens the state to wait for its changes.
    ///
    /// # Errors
    /// Those of [`Cgroup::state`].
    pub fn events(&self) -> Result<CgroupEvents, CgroupError> {
        self.open_file("cgroup.events").map(CgroupEvents)
    }

    /// The memory events so far.
    ///
    /// # Errors
    /// [`NoController`](super::CgroupErrorKind::NoController),
    /// [`Gone`](super::CgroupErrorKind::Gone).
    pub fn memory_events(&self) -> Result<MemoryEvents, CgroupError> {
        Ok(memory_events_of(&self.read("memory.events")?))
    }

    /// Opens the memory events to wait for their changes.
    ///
    /// # Errors
    /// Those of [`Cgroup::memory_events`].
    pub fn memory_events_file(&self) -> Result<MemoryEventsFile, CgroupError> {
        self.open_file("memory.events").map(MemoryEventsFile)
    }

    /// Waits at most this long until there is no process in the cgroup or
    /// beneath it. Returns whether there is none.
    ///
    /// # Errors
    /// Those of [`Cgroup::state`].
    pub fn wait_until_empty(&self, timeout: Duration) -> Result<bool, CgroupError> {
        let events = self.events()?;
        let start = Instant::now();
        loop {
            let state = events.read().map_err(|errno| self.file_error("cgroup.events", errno))?;
            if !state.populated {
                return Ok(true);
            }
            let left = timeout.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(false);
            }
            events.poll(left).map_err(|errno| self.file_error("cgroup.events", errno))?;
        }
    }
}

impl CgroupEvents {
    /// Reads the state; a change after this can be waited for.
    ///
    /// # Errors
    /// `ENODEV` when the cgroup was removed.
    pub fn read(&self) -> Result<CgroupState, Errno> {
        read_again(&self.0).map(|text| state_of(&text))
    }

    /// Waits at most this long until the state has changed since it was read
    /// last. Returns whether it has.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn poll(&self, timeout: Duration) -> Result<bool, Errno> {
        let mut fds = [PollFd::new(&self.0, PollFlags::PRI)];
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        match poll(&mut fds, Some(&timeout)) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(errno) => Err(errno),
        }
    }
}

impl MemoryEventsFile {
    /// Reads the events; a change after this can be waited for.
    ///
    /// # Errors
    /// `ENODEV` when the cgroup was removed.
    pub fn read(&self) -> Result<MemoryEvents, Errno> {
        read_again(&self.0).map(|text| memory_events_of(&text))
    }
}

macro_rules! descriptors {
    ($($file:ident),*) => {$(
        impl AsFd for $file {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.0.as_fd()
            }
        }

        impl AsRawFd for $file {
            fn as_raw_fd(&self) -> RawFd {
                self.0.as_raw_fd()
            }
        }
    )*};
}

descriptors!(CgroupEvents, MemoryEventsFile);

/// Reads an open file from its beginning, wherever others have read to. The kernel
/// makes these files in one piece, and they are much shorter than this.
fn read_again(fd: &OwnedFd) -> Result<String, Errno> {
    let mut buffer = [0; 1024];
    let length = loop {
        match pread(fd, &mut buffer, 0) {
            Err(Errno::INTR) => {}
            length => break length?,
        }
    };
    let text = buffer.get(..length).and_then(|text| str::from_utf8(text).ok());
    text.map(str::to_owned).ok_or(Errno::IO)
}

fn state_of(text: &str) -> CgroupState {
    CgroupState {
        populated: value_of(text, "populated") == Some(1),
        frozen: value_of(text, "frozen") == Some(1),
    }
}

fn memory_events_of(text: &str) -> MemoryEvents {
    let value = |key| value_of(text, key).unwrap_or(0);
    MemoryEvents {
        low: value("low"),
        high: value("high"),
        max: value("max"),
        oom: value("oom"),
        oom_kill: value("oom_kill"),
        oom_group_kill: value("oom_group_kill"),
    }
}
