//! Forking: the calling process goes on twice.
//!
//! A process that this makes has a copy of its parent's memory, not the memory
//! itself, and returns from the same call. So nothing here is bound by the rules
//! of the child between clone and exec; instead the process must have one thread
//! only, because the others would not exist in the copy, and neither would
//! whoever holds a lock.

mod budget;
mod clone;
mod code;
mod copy;
mod epoll;
mod error;
mod huge;
mod maps;
mod open;
mod proc;
mod report;
mod thread;
mod timer;

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{getpid, set_parent_process_death_signal};

pub use budget::{Budget, Slot};
pub use code::prefer_huge_code;
pub use error::{ForkError, Unforkable};
pub use huge::{prefer_huge_ends, prefer_huge_pages};

use crate::child::Child;
use crate::clone::Method;
use crate::kernel::Kernel;
use crate::launch::{is_about_cgroup, open_procs};
use crate::pidfd::PidFd;
use crate::signal::Signal;
use crate::sigset::Blocked;
use crate::stdio::moved_above_stdio;
use crate::wait::{self, Reap};
use clone::{Kinship, Made};
use epoll::Epolls;
use report::{Failed, Report};
use thread::Thread;

/// How to fork: what `fork_np` was to take, and more.
///
/// The new process has a copy of this one's memory, its descriptors, handlers
/// and mask, and returns from the same call. It differs from what the C library's
/// `fork` makes in this:
///
/// - No handler of `pthread_atfork` runs, as with `_Fork`.
/// - Its epoll instances, and the eventfds registered with them, are its own: a
///   runtime such as tokio's goes on in both processes.
/// - Its [`Child`]ren are not those that its parent had. The copies of those
///   answer `ECHILD`, and dropping one does nothing.
///
/// ```
/// use offspring_spawn::{ExitStatus, Fork, ForkError, Forked, exit_process};
///
/// match Fork::new().fork() {
///     Ok(Forked::Parent(child)) => {
///         assert_eq!(child.wait()?.status, ExitStatus::Exited(7));
///     }
///     Ok(Forked::Child) => exit_process(7),
///     // As in this example, which a test harness runs on a thread of its own.
///     Err(ForkError::NotSingleThreaded) => {}
///     Err(error) => return Err(error.into()),
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # References
/// - [fork(2)](https://man7.org/linux/man-pages/man2/fork.2.html)
/// - [clone(2)](https://man7.org/linux/man-pages/man2/clone.2.html)
#[derive(Debug, Clone)]
pub struct Fork {
    cgroup: Option<Arc<OwnedFd>>,
    exit_signal: Option<Signal>,
    parent_death_signal: Option<Signal>,
    deadline: Option<Duration>,
}

/// Which of the two processes this is.
#[derive(Debug)]
pub enum Forked {
    /// The one that called, with the new one. Dropping it kills it.
    Parent(Child),
    /// The new one.
    Child,
}

/// Which of the two processes of [`Fork::fork_sibling`] this is.
#[derive(Debug)]
pub enum Sibling {
    /// The one that called, with a descriptor of the new one, which is no child
    /// of it.
    Old(PidFd),
    /// The new one.
    New,
}

impl Default for Fork {
    fn default() -> Fork {
        Fork::new()
    }
}

impl Fork {
    /// As `fork` does it: SIGCHLD at the end, in the same cgroup, without a
    /// deadline.
    pub fn new() -> Fork {
        Fork {
            cgroup: None,
            exit_signal: Some(Signal::CHLD),
            parent_death_signal: None,
            deadline: None,
        }
    }

    /// Makes the child inside this cgroup (version 2), by the descriptor of
    /// its directory.
    pub fn cgroup(&mut self, directory: impl Into<Arc<OwnedFd>>) -> &mut Fork {
        self.cgroup = Some(directory.into());
        self
    }

    /// Sets the signal that this process gets when the child ends; `None` for
    /// none at all. A child of another signal than SIGCHLD is seen by no plain
    /// `waitpid`, until it executes a program.
    pub fn exit_signal(&mut self, signal: Option<Signal>) -> &mut Fork {
        self.exit_signal = signal;
        self
    }

    /// Sets the signal that the child gets when this process ends. Default:
    /// none.
    pub fn parent_death_signal(&mut self, signal: Option<Signal>) -> &mut Fork {
        self.parent_death_signal = signal;
        self
    }

    /// Lets the kernel kill the child after this time, whatever it does then.
    /// The children of the child have no part in it.
    pub fn deadline(&mut self, after: Duration) -> &mut Fork {
        self.deadline = Some(after);
        self
    }

    /// Makes the child, and returns in both processes. After an error there is
    /// no child.
    ///
    /// # Errors
    /// See [`ForkError`].
    pub fn fork(&self) -> Result<Forked, ForkError> {
        let kernel = Kernel::get().map_err(ForkError::from)?;
        Ok(match self.make(kernel, Kinship::Child)? {
            Made::Child => Forked::Child,
            Made::Parent(pidfd) => {
                let pidfd = PidFd::from(moved_above_stdio(pidfd));
                let group_signals = kernel.has_group_signals();
                Forked::Parent(Child::new(pidfd, None, false, group_signals, [None, None, None]))
            }
        })
    }

    /// Makes a child of this process's parent, and returns in both processes:
    /// for a process that is kept to be copied (a *zygote*), on behalf of the one
    /// that started it. Who has the descriptor there can wait for the new process
    /// and kill it, see [`Child::adopt`]; this process cannot wait for it.
    ///
    /// The exit signal is the one that this process has itself, and the
    /// [parent death signal](Fork::parent_death_signal) comes when that parent
    /// ends.
    ///
    /// # Errors
    /// See [`ForkError`].
    ///
    /// # References
    /// - [`CLONE_PARENT` of clone(2)](https://man7.org/linux/man-pages/man2/clone.2.html)
    pub fn fork_sibling(&self) -> Result<Sibling, ForkError> {
        let kernel = Kernel::get().map_err(ForkError::from)?;
        Ok(match self.make(kernel, Kinship::Sibling)? {
            Made::Child => Sibling::New,
            Made::Parent(pidfd) => Sibling::Old(PidFd::from(moved_above_stdio(pidfd))),
        })
    }

    fn make(&self, kernel: Kernel, kinship: Kinship) -> Result<Made, ForkError> {
        if !thread::is_alone()? {
            return Err(ForkError::NotSingleThreaded);
        }
        let thread = Thread::this()?;
        let procs = match (&self.cgroup, kernel.method) {
            (Some(cgroup), Method::Clone) => Some(open_procs(cgroup).map_err(ForkError::cgroup)?),
            (Some(_), Method::Clone3) | (None, _) => None,
        };
        // What else the child may fail at is told to the parent.
        let report = match procs.is_some() || self.deadline.is_some() {
            true => Some(Report::new().map_err(ForkError::Descriptors)?),
            false => None,
        };
        let epolls = Epolls::prepare()?;
        let parent = match kinship {
            Kinship::Child => getpid().as_raw_pid(),
            Kinship::Sibling => thread::parent(),
        };

        let blocked = Blocked::all();
        let made = clone::fork(&clone::Fork {
            method: kernel.method,
            kinship,
            exit_signal: self.exit_signal,
            cgroup: match kernel.method {
                Method::Clone3 => self.cgroup.as_deref().map(AsFd::as_fd),
                Method::Clone => None,
            },
            tid: thread.tid_address(),
        });
        match made {
            Ok(Made::Child) => {
                GENERATION.fetch_add(1, Ordering::Relaxed);
                thread.settle();
                if epolls.replace().is_err() {
                    // Nothing that waits would ever be woken.
                    exit_process(FAILED);
                }
                let settled = self.settle(parent, procs);
                if let Some(report) = report {
                    report.send(settled);
                }
                if settled.is_err() {
                    exit_process(FAILED);
                }
                drop(blocked);
                Ok(Made::Child)
            }
            Ok(Made::Parent(pidfd)) => {
                drop(blocked);
                if let Some(Err(failed)) = report.map(Report::receive) {
                    // It has ended or is about to. A sibling is not ours to wait
                    // for.
                    let _ = wait::wait(pidfd.as_fd(), Reap::Yes);
                    return Err(failed.into());
                }
                Ok(Made::Parent(pidfd))
            }
            Err(errno) if self.cgroup.is_some() && is_about_cgroup(errno) => {
                Err(ForkError::Cgroup(errno))
            }
            Err(errno) => Err(ForkError::from_clone(errno)),
        }
    }

    /// What the child does first that may fail.
    fn settle(&self, parent: i32, procs: Option<OwnedFd>) -> Result<(), Failed> {
        if let Some(procs) = procs {
            let myself = b"0";
            rustix::io::write(procs, myself).map_err(Failed::Cgroup)?;
        }
        if let Some(signal) = self.parent_death_signal {
            let signal = rustix::process::Signal::from_named_raw(signal.as_raw());
            let _ = set_parent_process_death_signal(signal);
            // It may have died before.
            if thread::parent() != parent {
                exit_process(FAILED);
            }
        }
        match self.deadline {
            Some(after) => timer::kill_after(after).map_err(Failed::Deadline),
            None => Ok(()),
        }
    }
}

/// What a child exits with that could not be made whole, or whose parent had
/// gone already.
const FAILED: u8 = 127;

/// How many forks led to this process.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// How many forks of this crate's led to this process: 0 in one that executed its
/// program itself. What was made under a smaller number belongs to an ancestor, and
/// a copy of it must not end what it stands for.
pub fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Whether this process has no thread but the calling one, and shares its memory
/// with none, so that it can fork.
///
/// # Errors
/// When that cannot be found out.
pub fn is_single_threaded() -> Result<bool, ForkError> {
    thread::is_alone()
}

/// Ends this process at once: no destructor, no `atexit`, no buffer is written
/// out. What a forked process ends by, because all that is its parent's.
///
/// # References
/// - [_exit(2)](https://man7.org/linux/man-pages/man2/_exit.2.html)
pub fn exit_process(code: u8) -> ! {
    thread::exit_group(code)
}
