//! Going on twice: the component forks itself.
//!
//! ```no_run
//! use offspring_guest::fork::{self, Forked};
//!
//! # fn main() -> std::io::Result<()> {
//! let prepared = vec![1_u64; 1 << 20];
//! match fork::fork()? {
//!     Forked::Parent(child) => println!("it ended with {}", child.wait()?),
//!     Forked::Child => println!("{} numbers, without making them again", prepared.len()),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What differs from POSIX
//!
//! - Dropping the [`PidFd`] kills the child, and so does the parent's end.
//! - A [`PidFd`] or [`Child`](crate::Child) from before the fork is the parent's:
//!   in the child it answers [`ErrorCode::NoChild`], and its drop does nothing to
//!   the process.
//! - Each process has its own position in a [`File`](std::fs::File) from before
//!   the fork, unless the file is open for appending.
//! - [`std::io::stdout`] and other buffers are memory: what is in them at the fork
//!   is written by both. [`spawn`] flushes the standard output first.
//!
//! [`ErrorCode::NoChild`]: crate::ErrorCode::NoChild

mod error;
mod handlers;

use crate::bindings::fork as host;
use crate::cgroup::Cgroup;
use crate::pidfd::nanoseconds;
use crate::{PidFd, Signal};
use std::io::{self, Write};
use std::time::Duration;

pub use error::ForkError;
pub use handlers::at_fork;

/// Which of the two processes this is.
#[derive(Debug)]
pub enum Forked {
    /// The one that called, with its child.
    Parent(PidFd),
    /// The new one. It ends when `main` returns, with its code.
    Child,
}

/// How to fork.
#[derive(Clone, Debug)]
pub struct Options {
    async_safe: bool,
    exit_signal: Option<Signal>,
    deadline: Option<Duration>,
    group: Option<Cgroup>,
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

impl Options {
    /// As POSIX's `fork`.
    #[must_use]
    pub fn new() -> Self {
        Self { async_safe: false, exit_signal: Some(Signal::CHLD), deadline: None, group: None }
    }

    /// Leaves out the handlers of [`at_fork`], as `_Fork` does.
    #[must_use]
    pub fn async_safe(mut self) -> Self {
        self.async_safe = true;
        self
    }

    /// Sets the signal that the host's process gets when the child ends; `None`
    /// for none, so that nothing else in the host can see the child. Only
    /// SIGCHLD, the default, SIGCONT, SIGURG and SIGWINCH, which do nothing.
    #[must_use]
    pub fn exit_signal(mut self, signal: Option<Signal>) -> Self {
        self.exit_signal = signal;
        self
    }

    /// Sets how long the child may run before the host's kernel kills it.
    #[must_use]
    pub fn deadline(mut self, after: Duration) -> Self {
        self.deadline = Some(after);
        self
    }

    /// Makes the child inside this cgroup: it runs no instruction outside.
    #[must_use]
    pub fn group(mut self, group: &Cgroup) -> Self {
        self.group = Some(group.clone());
        self
    }

    /// Makes the child, and returns in both processes.
    ///
    /// # Errors
    ///
    /// With a [`ForkError`] inside:
    /// - `PermissionDenied`: the host's policy has no `fork`.
    /// - `Unsupported`: the host cannot, for example because it has threads.
    /// - `ResourceBusy`: it could not just now.
    /// - `QuotaExceeded`: as many processes live as may.
    /// - That of a [`CgroupError`](crate::cgroup::CgroupError), which is inside the
    ///   `ForkError`: the group does not take the child.
    #[doc(alias = "fork_np")]
    pub fn fork(&self) -> io::Result<Forked> {
        match self.async_safe {
            true => self.fork_now(),
            false => handlers::around(|| self.fork_now()),
        }
    }

    fn fork_now(&self) -> io::Result<Forked> {
        let forked = host::fork(&host::Options {
            exit_signal: self.exit_signal.map(Signal::to_host),
            deadline: self.deadline.map(nanoseconds),
            group: self.group.as_ref().map(Cgroup::host),
        });
        match forked {
            Ok(host::Forked::Parent(pidfd)) => Ok(Forked::Parent(PidFd::new(pidfd))),
            Ok(host::Forked::Child) => Ok(Forked::Child),
            Err(error) => Err(ForkError::from(error).into()),
        }
    }

    /// Runs `job` in a child, which [ends](exit) with the code that it returns; with
    /// 134 when it panics.
    ///
    /// # Errors
    ///
    /// Those of [`Options::fork`].
    pub fn spawn(&self, job: impl FnOnce() -> u8) -> io::Result<PidFd> {
        io::stdout().flush()?;
        match self.fork()? {
            Forked::Parent(child) => Ok(child),
            Forked::Child => exit(job()),
        }
    }
}

/// Makes a child as [`Options::new`] says.
///
/// # Errors
///
/// Those of [`Options::fork`].
pub fn fork() -> io::Result<Forked> {
    Options::new().fork()
}

/// Runs `job` in a child, which ends with the code that it returns.
///
/// # Errors
///
/// Those of [`Options::fork`].
pub fn spawn(job: impl FnOnce() -> u8) -> io::Result<PidFd> {
    Options::new().spawn(job)
}

/// Ends the component with this code. In a child nothing is done besides writing out
/// [`std::io::stdout`]: it takes less time than [`crate::exit`], and what the host does
/// when a component ends is left to the parent. Elsewhere it is the same.
#[doc(alias = "_exit")]
pub fn exit(code: u8) -> ! {
    // What cannot be written any more is lost in std's way of ending, too.
    let _ = io::stdout().flush();
    host::exit(code);
    crate::exit(code)
}
