//! A file of records, one line each.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use offspring_spawn::Errno;
use rustix::fs::{CWD, Mode, OFlags, openat};

use super::{Audit, Record, json};

/// A file to which each record is appended as one line of JSON.
///
/// A line is handed to the kernel whole, by one system call, before the guest
/// goes on: when this process crashes, every finished line is in the file, and
/// processes that share a file do not mix their lines. What the *machine* loses
/// when it crashes is the file system's to say.
///
/// A line that cannot be written, because the disk is full for example, is lost,
/// and the guest goes on. The host is told of the first one, by
/// [`on_failure`](AuditFile::on_failure) or the log, and the file of all, by a
/// line of its own as soon as it can be written again.
pub struct AuditFile {
    fd: OwnedFd,
    state: Mutex<State>,
    on_failure: Box<dyn Fn(&io::Error) + Send + Sync>,
}

#[derive(Debug, Default)]
struct State {
    /// How many lines there are not.
    lost: u64,
    /// How many of these the file tells of.
    told: u64,
    /// Whether the file ends in the middle of a line.
    torn: bool,
}

impl AuditFile {
    /// Opens a file to append to; makes it, for its owner alone to read, if there
    /// is none.
    ///
    /// A pipe or a terminal does too: what it has no room for is lost, because a
    /// guest does not wait for whoever reads it.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn open(path: impl AsRef<Path>) -> io::Result<AuditFile> {
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE;
        let flags = flags | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        let fd = openat(CWD, path.as_ref(), flags, Mode::RUSR | Mode::WUSR)?;
        Ok(AuditFile {
            fd,
            state: Mutex::default(),
            on_failure: Box::new(|error| {
                tracing::error!("the audit log cannot be written, the guest goes on: {error}");
            }),
        })
    }

    /// Sets what is called when a line is lost for the first time. Default: an
    /// error in the log.
    pub fn on_failure(mut self, call: impl Fn(&io::Error) + Send + Sync + 'static) -> AuditFile {
        self.on_failure = Box::new(call);
        self
    }

    /// How many lines were lost.
    pub fn lost(&self) -> u64 {
        self.state().lost
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a line, and before it what the file does not know yet.
    fn append(&self, state: &mut State, line: &str) -> Result<(), Errno> {
        let mut text = String::with_capacity(line.len() + 1);
        if state.torn {
            text.push('\n');
        }
        if state.lost > state.told {
            text.push_str(&json::lost(SystemTime::now(), state.lost));
            text.push('\n');
        }
        if !line.is_empty() {
            text.push_str(line);
            text.push('\n');
        }
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            match rustix::io::write(&self.fd, rest) {
                Ok(0) => return Err(Errno::NOSPC),
                Ok(written) => {
                    rest = &rest[written..];
                    // A reader of the file sees where the next line begins.
                    state.torn = !rest.is_empty();
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        state.told = state.lost;
        Ok(())
    }
}

impl Audit for AuditFile {
    fn record(&self, record: &Record<'_>) {
        let line = json::to_json(record);
        let mut state = self.state();
        if let Err(errno) = self.append(&mut state, &line) {
            state.lost += 1;
            let first = state.lost == 1;
            drop(state);
            if first {
                (self.on_failure)(&errno.into());
            }
        }
    }
}

impl Drop for AuditFile {
    fn drop(&mut self) {
        let mut state = self.state();
        if state.lost > state.told {
            // Nobody is left to be told.
            let _ = self.append(&mut state, "");
        }
    }
}

impl fmt::Debug for AuditFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditFile").field("fd", &self.fd).field("state", &self.state).finish()
    }
}
