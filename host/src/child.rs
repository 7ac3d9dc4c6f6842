//! A child process that a guest owns: the resource `pidfd`.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use offspring_spawn::{Errno, ExitStatus, ResourceUsage, Signal, SpawnError, Stage};
use tokio::io::Interest;
use wasmtime_wasi_io::poll::Pollable;

use crate::children::Membership;
use crate::deadline::Deadline;
use crate::quota::Share;
use crate::readiness::Readiness;

/// Why a process ended, where it was the host that ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Its deadline passed.
    Deadline,
    /// The guest killed it by its handle.
    Killed,
    /// The host killed it.
    KilledByHost,
}

/// The end of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Exit {
    /// How it ended.
    pub status: ExitStatus,
    /// Why, where the host did it.
    pub cause: Option<Cause>,
    /// What it used.
    pub usage: Option<ResourceUsage>,
}

/// A child process that a guest owns. Dropping it kills the process with its
/// process group, and waits for it.
#[derive(Debug)]
pub struct Child {
    // Before the process: it refers to its descriptor.
    readiness: Readiness<Arc<ChildProcess>>,
    process: Arc<ChildProcess>,
    grant: usize,
}

/// The process, as its handle, its deadline and the host share it.
pub(crate) struct ChildProcess {
    child: offspring_spawn::Child,
    /// Who was first to kill it.
    cause: Mutex<Option<Cause>>,
    /// Its end, once it is known: from then on nobody changes what is told.
    exit: OnceLock<Exit>,
    /// Kept when the process has ended: its group may live on.
    deadline: OnceLock<Deadline>,
    /// What it takes up of the guest's limits until it has ended. What it does
    /// until its handle is dropped and it is gone, the child keeps.
    alive: Mutex<Option<Alive>>,
}

/// What a process takes up as long as it lives.
#[derive(Debug)]
pub(crate) struct Alive {
    pub(crate) _membership: Membership,
    pub(crate) _share: Share,
}

impl Child {
    pub(crate) fn new(process: Arc<ChildProcess>, grant: usize) -> Child {
        Child { readiness: Readiness::default(), process, grant }
    }

    /// The grant that it was started by, by its index in the policy.
    pub(crate) fn grant(&self) -> usize {
        self.grant
    }

    pub(crate) fn process(&self) -> &Arc<ChildProcess> {
        &self.process
    }
}

#[async_trait]
impl Pollable for Child {
    async fn ready(&mut self) {
        loop {
            let process = &self.process;
            self.readiness.ready(process, Interest::READABLE).await;
            if !matches!(process.try_wait(), Ok(None)) {
                return;
            }
            // Dead, but not ours to wait for yet: something traces it.
            tokio::time::sleep(TRACED).await;
        }
    }
}

/// How often to look whether a dead process is let go by what traces it.
const TRACED: Duration = Duration::from_millis(10);

impl ChildProcess {
    pub(crate) fn new(
        mut child: offspring_spawn::Child,
        alive: Alive,
        held: Share,
    ) -> ChildProcess {
        child.keep(held);
        ChildProcess {
            child,
            cause: Mutex::default(),
            exit: OnceLock::new(),
            deadline: OnceLock::new(),
            alive: Mutex::new(Some(alive)),
        }
    }

    /// Gives the process a deadline from now on. Its group is killed then also
    /// when the process itself has ended.
    ///
    /// # Errors
    /// When no thread can be had to wait for it.
    pub(crate) fn set_deadline(self: &Arc<ChildProcess>, after: Duration) -> io::Result<()> {
        let process = Arc::downgrade(self);
        let passed = move || {
            if let Some(process) = process.upgrade() {
                // It may have ended by itself, and then nothing is killed.
                let _ = process.kill(Cause::Deadline);
            }
        };
        let deadline = Deadline::after(after, Box::new(passed))?;
        self.deadline.get_or_init(|| deadline);
        Ok(())
    }

    /// Asks, without blocking, whether the process has ended.
    pub(crate) fn try_wait(&self) -> io::Result<Option<Exit>> {
        if let Some(exit) = self.exit.get() {
            return Ok(Some(*exit));
        }
        let Some(exit) = self.child.try_wait()? else {
            return Ok(None);
        };
        // Taken out under the lock, dropped after it.
        let alive = lock(&self.alive).take();
        drop(alive);
        let killed = matches!(exit.status, ExitStatus::Signaled { signal: Signal::KILL, .. });
        let exit = self.exit.get_or_init(|| Exit {
            status: exit.status,
            cause: lock(&self.cause).filter(|_| killed),
            usage: exit.usage,
        });
        Ok(Some(*exit))
    }

    /// Kills the process and its group. Whoever does so first is the cause.
    pub(crate) fn kill(&self, cause: Cause) -> io::Result<()> {
        self.note(cause);
        self.child.kill()
    }

    pub(crate) fn send_signal(&self, signal: Signal) -> Result<(), Errno> {
        self.note_signal(signal);
        self.child.pidfd().send_signal(signal)
    }

    /// # Errors
    /// `EOPNOTSUPP` for a child in its host's process group, which is not the
    /// guest's to signal.
    pub(crate) fn signal_group(&self, signal: Signal) -> Result<(), Errno> {
        if !self.child.leads_group() {
            return Err(Errno::OPNOTSUPP);
        }
        self.note_signal(signal);
        self.child.signal_group(signal)
    }

    /// Puts what a command starts into the group that this process leads.
    ///
    /// # Errors
    /// `ESRCH` when it leads none.
    pub(crate) fn lend_group(&self, to: &mut offspring_spawn::Command) -> Result<(), SpawnError> {
        match to.join_process_group(&self.child) {
            Ok(_) => Ok(()),
            Err(errno) => Err(SpawnError { stage: Stage::ProcessGroup, errno }),
        }
    }

    pub(crate) fn getpid(&self) -> Result<u32, Errno> {
        self.child.pidfd().getpid()
    }

    fn note_signal(&self, signal: Signal) {
        if signal == Signal::KILL {
            self.note(Cause::Killed);
        }
    }

    /// Remembers who is about to kill the process, unless it has ended already.
    fn note(&self, cause: Cause) {
        if !matches!(self.try_wait(), Ok(Some(_))) {
            lock(&self.cause).get_or_insert(cause);
        }
    }
}

impl AsFd for ChildProcess {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.child.as_fd()
    }
}

impl AsRawFd for ChildProcess {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for ChildProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChildProcess").field(&self.as_raw_fd()).finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
