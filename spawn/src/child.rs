//! A child process that is owned.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, kill_process_group};

use crate::fork;
use crate::head;
use crate::kernel::Kernel;
use crate::pidfd::PidFd;
use crate::reaper::{self, Orphan, Release};
use crate::signal::Signal;
use crate::status::Exit;
use crate::wait::{self, Reap};

/// How long a drop waits for a killed child before a thread of its own does.
/// A killed process is gone within a millisecond unless it is stuck in the
/// kernel.
const DROP_PATIENCE: Duration = Duration::from_millis(50);

/// What is called when a process is gone.
pub(crate) struct Gone(Box<dyn FnOnce(Option<Exit>) + Send + Sync>);

impl Gone {
    pub(crate) fn call(self, exit: Option<Exit>) {
        (self.0)(exit);
    }
}

impl Default for Gone {
    fn default() -> Gone {
        Gone(Box::new(|_| {}))
    }
}

impl fmt::Debug for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gone")
    }
}

/// A child process and our ends of its pipes.
///
/// The child is owned: dropping this kills it, with the process group that it
/// was started in, and waits for it. [`Child::detach`] gives up ownership.
///
/// All methods may be called from several threads at once, and every wait gives
/// the same answer.
#[derive(Debug)]
pub struct Child {
    /// `None` once detached.
    pidfd: Option<PidFd>,
    id: Option<u32>,
    leads_group: bool,
    /// Without group signals the child stays a zombie until it is dropped: as
    /// long as it is one, its number is not given to another group.
    keeps_zombie: bool,
    /// Whether it is the first one of a process-id namespace.
    is_head: bool,
    /// Whether it was known to have ended from the beginning, so that no wait sleeps.
    has_ended: bool,
    exit: Mutex<Option<Exit>>,
    /// The forks that led to the process whose child it is.
    generation: u32,
    gone: Option<Gone>,
    /// Our end of the standard input, if it is piped.
    pub stdin: Option<OwnedFd>,
    /// Our end of the standard output, if it is piped.
    pub stdout: Option<OwnedFd>,
    /// Our end of the standard error, if it is piped.
    pub stderr: Option<OwnedFd>,
}

impl Child {
    pub(crate) fn new(
        pidfd: PidFd,
        id: Option<u32>,
        leads_group: bool,
        group_signals: bool,
        [stdin, stdout, stderr]: [Option<OwnedFd>; 3],
    ) -> Child {
        Child {
            pidfd: Some(pidfd),
            id,
            leads_group,
            keeps_zombie: leads_group && !group_signals,
            is_head: false,
            has_ended: false,
            exit: Mutex::new(None),
            generation: fork::generation(),
            gone: None,
            stdin,
            stdout,
            stderr,
        }
    }

    /// Says that it is the first one of a process-id namespace.
    pub(crate) fn head(mut self, is_head: bool) -> Child {
        self.is_head = is_head;
        self
    }

    /// Says whether it is known to have ended.
    pub(crate) fn ended(mut self, has_ended: bool) -> Child {
        self.has_ended = has_ended;
        self
    }

    /// Takes ownership of a child of this process that something else has made,
    /// such as [`Fork::fork_sibling`](crate::Fork::fork_sibling) of another process.
    /// Nobody else may wait for it. Its process group is killed with it if it leads
    /// one.
    ///
    /// # Errors
    /// `ECHILD` for a process that is not a child of this one, `EBADF` for a
    /// descriptor that is no pidfd, and what [`Kernel::get`] says.
    pub fn adopt(pidfd: PidFd, leads_group: bool) -> io::Result<Child> {
        let kernel = Kernel::get().map_err(|unsupported| unsupported.errno())?;
        wait::check_child(pidfd.as_fd())?;
        let group_signals = kernel.has_group_signals();
        Ok(Child::new(pidfd, None, leads_group, group_signals, [None, None, None]))
    }

    /// The process by its descriptor.
    pub fn pidfd(&self) -> &PidFd {
        match &self.pidfd {
            Some(pidfd) => pidfd,
            None => unreachable!("only detach takes the pidfd, and the child with it"),
        }
    }

    /// The number that the process was born with: for messages, since it may be
    /// another's once this one was waited for.
    ///
    /// # Errors
    /// Those of [`PidFd::getpid`], where clone3 is refused and the kernel must be
    /// asked.
    pub fn id(&self) -> Result<u32, Errno> {
        match self.id {
            Some(id) => Ok(id),
            None => self.pidfd().getpid(),
        }
    }

    /// Whether the process is a child of this one. It is not in a process that
    /// was made by a [`Fork`](crate::Fork) since: there every method that waits
    /// or kills is `ECHILD`, and a drop closes the descriptor and no more.
    pub fn is_ours(&self) -> bool {
        self.generation == fork::generation()
    }

    /// Asks, without blocking, whether the process has ended.
    ///
    /// # Errors
    /// Those of waitid(2), though only `ECHILD` is expected, see
    /// [`Child::is_ours`].
    pub fn try_wait(&self) -> io::Result<Option<Exit>> {
        self.check_ours()?;
        let mut exit = self.exit();
        if exit.is_none() {
            *exit = wait::try_wait(self.pidfd().as_fd(), self.reap())?;
        }
        Ok(*exit)
    }

    /// Blocks until the process has ended. Does not close our pipe ends.
    ///
    /// # Errors
    /// Those of poll(2) and waitid(2), though only `ECHILD` is expected, see
    /// [`Child::is_ours`].
    pub fn wait(&self) -> io::Result<Exit> {
        self.check_ours()?;
        loop {
            // Not under the lock, which others need, and so not for good: any
            // number of threads may be here.
            if !self.has_ended && self.exit().is_none() {
                wait::block(self.pidfd().as_fd())?;
            }
            if let Some(exit) = self.try_wait()? {
                return Ok(exit);
            }
        }
    }

    /// Kills the process, with its group if it leads one. Succeeds also when
    /// the process has ended.
    ///
    /// # Errors
    /// `EPERM` when the process runs with other rights than ours, `ECHILD` when
    /// it is not [ours](Child::is_ours).
    pub fn kill(&self) -> io::Result<()> {
        self.check_ours()?;
        let group = match self.leads_group {
            true => self.signal_group(Signal::KILL),
            false => Ok(()),
        };
        // Also by itself: it may have left its group.
        for result in [self.pidfd().send_signal(Signal::KILL), group] {
            match result {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    /// Asks the process to end, with its group if it leads one: SIGTERM, and
    /// SIGCONT for what is stopped.
    ///
    /// To the first process of a [process-id namespace](crate::Namespace::Pid) a
    /// signal does not come that it does not handle. One that SIGTERM would have
    /// ended elsewhere, and that has no children who may use the time, is killed.
    ///
    /// # Errors
    /// `EPERM` when the process runs with other rights than ours, `ECHILD` when
    /// it is not [ours](Child::is_ours).
    pub fn terminate(&self) -> io::Result<()> {
        self.check_ours()?;
        for signal in [Signal::TERM, Signal::CONT] {
            let sent = match self.leads_group {
                true => self.signal_group(signal),
                false => self.pidfd().send_signal(signal),
            };
            match sent {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        if self.would_have_ended() { self.kill() } else { Ok(()) }
    }

    /// Whether it was asked to end, and only its namespace keeps it.
    pub(crate) fn would_have_ended(&self) -> bool {
        self.is_head
            && self.exit().is_none()
            && self.pidfd().getpid().is_ok_and(head::would_have_ended)
    }

    /// Gives the process up, to end within this time: [asks it to
    /// end](Child::terminate) now, and kills what is left of it and its group
    /// when the time is over, on a thread of this crate. Our ends of its pipes
    /// are closed.
    ///
    /// That thread looks twenty times a second.
    pub fn release(mut self, grace: Duration) -> Release {
        // What cannot be asked is killed.
        let grace = if self.terminate().is_ok() { grace } else { Duration::ZERO };
        let release = Release::after(grace);
        (self.stdin, self.stdout, self.stderr) = (None, None, None);
        reaper::end_within(self, release.clone());
        release
    }

    /// Whether neither the process nor one of its group is left.
    pub(crate) fn is_gone(&self) -> bool {
        match self.try_wait() {
            Ok(None) => false,
            // A zombie is one of its group still, and cannot be told from others.
            Ok(Some(_)) if self.leads_group && !self.keeps_zombie => !self.pidfd().group_exists(),
            Ok(Some(_)) | Err(_) => true,
        }
    }

    /// Sends a signal to the process group that the process leads, or led
    /// until it ended.
    ///
    /// # Errors
    /// `ESRCH` when the group is empty or was never led by this process,
    /// `ECHILD` when it is not [ours](Child::is_ours).
    pub fn signal_group(&self, signal: Signal) -> Result<(), Errno> {
        self.check_ours()?;
        if !self.leads_group {
            return Err(Errno::SRCH);
        }
        if !self.keeps_zombie {
            return self.pidfd().send_group_signal(signal);
        }
        // Not waited for as long as we hold it, so the number is still its.
        let pid = i32::try_from(self.pidfd().getpid()?).ok().and_then(Pid::from_raw);
        let signal = rustix::process::Signal::from_named_raw(signal.as_raw());
        match (pid, signal) {
            (Some(pid), Some(signal)) => kill_process_group(pid, signal),
            (Some(_) | None, _) => Err(Errno::INVAL),
        }
    }

    /// Whether the process was started to lead a process group, its own or that
    /// of its session.
    pub fn leads_group(&self) -> bool {
        self.leads_group
    }

    /// Gives the process up: it lives on when this is dropped, and whoever
    /// holds the returned descriptor has to wait for it. Our ends of its pipes
    /// are closed, unless they were taken before.
    pub fn detach(mut self) -> PidFd {
        match self.pidfd.take() {
            Some(pidfd) => pidfd,
            None => unreachable!("only detach takes the pidfd"),
        }
    }

    /// Gives the process up: it lives on when this is dropped. Should it end
    /// before this process does, a thread of this crate waits for it, so that it
    /// does not stay a zombie; that thread keeps its descriptor until then.
    /// Our ends of its pipes are closed.
    ///
    /// It outlives a [supervised](crate::supervise) program only if it is
    /// [spared](crate::spare).
    pub fn leave(mut self) {
        let gone = self.gone.take().unwrap_or_default();
        let known = *self.exit();
        reaper::leave(Orphan { pidfd: self.detach(), known, gone });
    }

    /// Has this called once this is dropped and the process has been waited
    /// for: for counting what the process takes up, and for telling how it
    /// ended. A drop waits for that no longer than a moment, and leaves it to a
    /// thread then.
    ///
    /// Called with the end of the process, or `None` where the kernel could not
    /// be asked. Not called for a child that is detached.
    pub fn when_gone(&mut self, call: impl FnOnce(Option<Exit>) + Send + Sync + 'static) {
        self.gone = Some(Gone(Box::new(call)));
    }

    fn check_ours(&self) -> Result<(), Errno> {
        if self.is_ours() { Ok(()) } else { Err(Errno::CHILD) }
    }

    fn reap(&self) -> Reap {
        if self.keeps_zombie { Reap::No } else { Reap::Yes }
    }

    fn exit(&self) -> MutexGuard<'_, Option<Exit>> {
        self.exit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd().as_fd()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.pidfd.is_none() || !self.is_ours() {
            return;
        }
        let known = *self.exit();
        // Fails only for a process that took on other rights than ours, and
        // then there is nobody to tell.
        match known {
            None => drop(self.kill()),
            // Others of its group may live.
            Some(_) if self.leads_group => drop(self.signal_group(Signal::KILL)),
            Some(_) => {}
        }
        let gone = self.gone.take().unwrap_or_default();
        if known.is_some() && !self.keeps_zombie {
            return gone.call(known);
        }
        let pidfd = self.pidfd();
        let waited = match pidfd.poll(DROP_PATIENCE) {
            Ok(true) => wait::try_wait(pidfd.as_fd(), Reap::Yes).ok().flatten(),
            Ok(false) | Err(_) => None,
        };
        if waited.is_some() {
            return gone.call(known.or(waited));
        }
        if let Some(pidfd) = self.pidfd.take() {
            reaper::adopt(Orphan { pidfd, known, gone });
        }
    }
}
