//! Exit handles.

use crate::bindings::pidfd as host;
use crate::error::from_host;
use crate::{Change, ExitStatus, Pollable, ResourceUsage, Signal, SpawnError, poll};
use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;
use wasip2::clocks::monotonic_clock;

/// What is waited for without a pollable, as far as the host lets it: the commands
/// whose cost counts are shorter.
pub(crate) const MOMENT: Duration = Duration::from_millis(11);

/// One child process, owned.
///
/// Made together with its process, so it never means another one. Dropping it
/// kills the process and its process group, and waits for it.
#[derive(Debug)]
#[doc(alias = "pidfd_open")]
pub struct PidFd(Arc<host::Pidfd>);

impl PidFd {
    pub(crate) fn new(pidfd: host::Pidfd) -> Self {
        Self(Arc::new(pidfd))
    }

    /// The handle, for as long as it is there.
    pub(crate) fn downgrade(&self) -> Weak<host::Pidfd> {
        Arc::downgrade(&self.0)
    }

    /// Waits until the process has ended. May be called any number of times.
    #[doc(alias = "waitid")]
    pub fn wait(&self) -> io::Result<ExitStatus> {
        let soon = self.0.try_wait_within(nanoseconds(MOMENT)).map_err(from_host)?;
        if let Some(status) = soon {
            return Ok(status.into());
        }
        loop {
            self.pollable().block();
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
        }
    }

    /// Waits until the process has ended, but no longer than `timeout`. The
    /// process goes on when the time is up: `None`.
    pub fn wait_timeout(&self, timeout: Duration) -> io::Result<Option<ExitStatus>> {
        let exit = self.pollable();
        let timer = monotonic_clock::subscribe_duration(nanoseconds(timeout));
        poll(&[&exit, &timer]);
        self.try_wait()
    }

    /// Says how the process ended, or `None` while it runs.
    pub fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        let status = self.0.try_wait().map_err(from_host)?;
        Ok(status.map(ExitStatus::from))
    }

    /// Sends the process a signal that its grant allows.
    #[doc(alias = "pidfd_send_signal")]
    pub fn send_signal(&self, signal: Signal) -> io::Result<()> {
        self.0.send_signal(signal.to_host(), host::SignalScope::Process).map_err(from_host)
    }

    /// Sends a signal that the grant allows to every process of the process
    /// group that the child was started in.
    #[doc(alias = "killpg")]
    pub fn send_group_signal(&self, signal: Signal) -> io::Result<()> {
        self.0.send_signal(signal.to_host(), host::SignalScope::Group).map_err(from_host)
    }

    /// Kills the process and its process group. Always allowed, and no error
    /// when the process has already ended.
    pub fn kill(&self) -> io::Result<()> {
        self.0.kill().map_err(from_host)
    }

    /// Sends the first thread of the process alone a signal that its grant
    /// allows.
    pub fn send_thread_signal(&self, signal: Signal) -> io::Result<()> {
        self.0.send_signal(signal.to_host(), host::SignalScope::Thread).map_err(from_host)
    }

    /// Asks the process and its process group to end, by SIGTERM, and kills what
    /// is left after `grace`. Returns at once: wait as usual. Always allowed, and
    /// no error when the process has already ended.
    pub fn terminate(&self, grace: Duration) -> io::Result<()> {
        self.0.terminate(nanoseconds(grace)).map_err(from_host)
    }

    /// Waits until the process is stopped or continued, and says which, or
    /// `None` when it has ended. Of several changes the last is told.
    ///
    /// # Errors
    ///
    /// - `QuotaExceeded`: too many processes are watched.
    #[doc(alias = "WUNTRACED")]
    #[doc(alias = "WCONTINUED")]
    pub fn wait_change(&self) -> io::Result<Option<Change>> {
        let changes = self.changes()?;
        loop {
            if let Some(change) = self.last_change()? {
                return Ok(Some(change));
            }
            if self.try_wait()?.is_some() {
                return Ok(None);
            }
            changes.block();
        }
    }

    /// Says what happened last to a process that goes on living, once.
    pub fn last_change(&self) -> io::Result<Option<Change>> {
        Ok(self.0.last_change().map_err(from_host)?.map(Change::from))
    }

    /// Returns a pollable that is ready when there is a change to be told, or
    /// the process has ended. It must be dropped before this handle.
    pub fn changes(&self) -> io::Result<Pollable> {
        self.0.subscribe_changes().map_err(from_host)
    }

    /// Returns the number of the process: for messages only, since nothing
    /// takes one.
    ///
    /// # Errors
    ///
    /// - `NotFound`: the process has ended and was waited for.
    #[doc(alias = "pidfd_getpid")]
    pub fn getpid(&self) -> io::Result<u32> {
        self.0.getpid().map_err(from_host)
    }

    /// Returns what the process used, or `None` while it runs, or when its
    /// status is lost.
    #[doc(alias = "getrusage")]
    pub fn usage(&self) -> Option<ResourceUsage> {
        self.0.usage().map(ResourceUsage::from)
    }

    /// Returns a pollable that is ready when the process has ended, for event
    /// loops. It must be dropped before this handle.
    pub fn pollable(&self) -> Pollable {
        self.0.subscribe()
    }
}

/// Waits until one of these processes has ended, and returns its index and
/// status.
///
/// # Errors
///
/// - `InvalidInput`: there are none.
pub fn wait_any(pidfds: &[&PidFd]) -> io::Result<(usize, ExitStatus)> {
    if pidfds.is_empty() {
        return Err(SpawnError::invalid("no processes to wait for").into());
    }
    let pollables: Vec<Pollable> = pidfds.iter().map(|pidfd| pidfd.pollable()).collect();
    let pollables: Vec<&Pollable> = pollables.iter().collect();
    loop {
        for index in poll(&pollables) {
            let index = index as usize;
            if let Some(status) = pidfds[index].try_wait()? {
                return Ok((index, status));
            }
        }
    }
}

/// A duration as the host counts it: the longest one is 584 years.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
