//! A process from its start to its end. `docs/child-states.md` draws it.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use offspring_spawn::{
    Cgroup, Errno, ExitStatus, Mark, Signal, Slot, SpawnAbort, SpawnError, Stage,
};

use crate::cgroup::{Leaf, Node};
use crate::child::{Cause, Exit};
use crate::children::{Children, Membership};
use crate::deadline::Deadline;
use crate::quota::Share;
use crate::recorder::Account;
use crate::watch::Watch;

/// The process, as its handle, its deadline and the host share it.
pub(crate) struct ChildProcess {
    /// There from the moment that its program runs.
    child: OnceLock<offspring_spawn::Child>,
    /// Ends it before that.
    abort: SpawnAbort,
    state: Mutex<State>,
    /// Kept when the process has ended: its group may live on.
    deadline: OnceLock<Deadline>,
    /// When the kernel kills a fork by itself.
    until: Option<Instant>,
    /// The kill that comes after it was asked to end, likewise.
    kill: Mutex<Option<Deadline>>,
    /// How long it has between being asked to end and being killed, when its
    /// time is over or its handle is dropped.
    grace: Duration,
    /// What it takes up until its handle is dropped and it is gone.
    held: Option<Share>,
    /// All that it ever started, where that can be told. Goes last.
    tree: Option<Leaf>,
    /// What that is found by where it has no cgroup. Likewise.
    mark: Option<Mark>,
    children: Children,
    /// Whether it lives on when nobody holds it.
    pub(crate) detach: bool,
    pub(crate) watch: OnceLock<Arc<Watch>>,
    /// Told how it ends, from the moment that its program runs.
    account: OnceLock<Account>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// How it is to end, if that was decided before there was a child.
    wanted: Option<Ending>,
    /// What the process takes up of the guest's limits until it has ended.
    alive: Option<Alive>,
}

/// Where a process is on its way.
#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Its program is not executed yet.
    Starting,
    Running,
    /// Somebody has decided that it ends: whoever was first is the cause. A
    /// process that was only asked may end as it likes.
    Ending {
        cause: Cause,
        asked: bool,
    },
    /// From now on nobody changes what is told.
    Ended(Exit),
}

impl Phase {
    /// Why a process ended whose handle was dropped in this phase: of what was
    /// killed or asked to end then, nobody else is the cause.
    fn cause_of(self, exit: Option<offspring_spawn::Exit>, gracious: bool) -> Option<Cause> {
        let by = |wanted| {
            exit.is_some_and(|exit| {
                matches!(exit.status, ExitStatus::Signaled { signal, .. } if signal == wanted)
            })
        };
        match self {
            Phase::Ending { cause, asked } if asked || by(Signal::KILL) => Some(cause),
            Phase::Running if by(Signal::KILL) || (gracious && by(Signal::TERM)) => {
                Some(Cause::Dropped)
            }
            Phase::Starting | Phase::Running | Phase::Ending { .. } | Phase::Ended(_) => None,
        }
    }
}

/// What a process takes up as long as it lives.
#[derive(Debug)]
pub(crate) struct Alive {
    pub(crate) membership: Membership,
    pub(crate) _counted: Counted,
}

/// A place among the live processes of the same origin.
#[derive(Debug)]
#[expect(dead_code, reason = "only that it is held matters")]
pub(crate) enum Counted {
    /// That of the grant, and those of what it was narrowed to.
    Grant(Share, Vec<Share>),
    Fork(Slot),
}

/// How to end a process.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ending {
    Kill,
    /// SIGTERM now, and SIGKILL after this time.
    Ask(Duration),
}

impl ChildProcess {
    /// A process that is about to be started.
    pub(crate) fn new(
        alive: Alive,
        held: Share,
        tree: Option<Leaf>,
        grace: Duration,
        detach: bool,
        children: Children,
    ) -> ChildProcess {
        ChildProcess {
            child: OnceLock::new(),
            abort: SpawnAbort::default(),
            state: Mutex::new(State { phase: Phase::Starting, wanted: None, alive: Some(alive) }),
            deadline: OnceLock::new(),
            until: None,
            kill: Mutex::default(),
            grace,
            held: Some(held),
            tree,
            mark: None,
            children,
            detach,
            watch: OnceLock::new(),
            account: OnceLock::new(),
        }
    }

    /// Says what all that it ever starts is found by.
    pub(crate) fn marked(mut self, mark: Option<Mark>) -> ChildProcess {
        self.mark = mark;
        self
    }

    /// Says when the kernel kills the process by itself.
    pub(crate) fn until(mut self, until: Option<Instant>) -> ChildProcess {
        self.until = until;
        self
    }

    /// Those that it is one of.
    pub(crate) fn children(&self) -> &Children {
        &self.children
    }

    /// Whether this is a process of ours, and not of our parent's.
    pub(crate) fn is_ours(&self) -> bool {
        self.child.get().is_none_or(offspring_spawn::Child::is_ours)
    }

    /// Gives the process a deadline from now on. Its group is ended then also
    /// when the process itself has.
    ///
    /// # Errors
    /// When no thread can be had to wait for it.
    pub(crate) fn set_deadline(self: &Arc<ChildProcess>, after: Duration) -> io::Result<()> {
        let process = Arc::downgrade(self);
        let passed = move || {
            if let Some(process) = process.upgrade() {
                // It may have ended by itself, and then nothing is killed.
                let _ = process.end(Cause::Deadline, process.ending());
            }
        };
        let deadline = Deadline::after(after, Box::new(passed))?;
        self.deadline.get_or_init(|| deadline);
        Ok(())
    }

    /// What stops it as long as it is being started.
    pub(crate) fn abort(&self) -> SpawnAbort {
        self.abort.clone()
    }

    /// Says that its program runs. Who wanted it ended before it was known to is obeyed
    /// now.
    pub(crate) fn started(
        self: &Arc<ChildProcess>,
        child: offspring_spawn::Child,
        account: Option<Account>,
    ) {
        let mut state = self.state();
        if let Some(account) = account {
            self.account.get_or_init(|| account);
        }
        let first = self.child.set(child).is_ok();
        debug_assert!(first, "a process starts once");
        let wanted = state.wanted.take();
        match &mut state.phase {
            Phase::Ending { asked, .. } => *asked = matches!(wanted, Some(Ending::Ask(_))),
            phase => *phase = Phase::Running,
        }
        drop(state);
        if let (Some(ending), Some(child)) = (wanted, self.child.get()) {
            // It may have ended by itself; what else can fail, dropping it sees to.
            let _ = self.carry_out(ending, child);
        }
    }

    /// Who wanted it ended, if anybody has.
    pub(crate) fn cause(&self) -> Option<Cause> {
        match self.state().phase {
            Phase::Ending { cause, .. } => Some(cause),
            Phase::Starting | Phase::Running | Phase::Ended(_) => None,
        }
    }

    /// Asks, without blocking, whether the process has ended.
    pub(crate) fn try_wait(&self) -> io::Result<Option<Exit>> {
        if let Phase::Ended(exit) = self.state().phase {
            return Ok(Some(exit));
        }
        let Some(child) = self.child.get() else {
            return Ok(None);
        };
        let Some(exit) = child.try_wait()? else {
            return Ok(None);
        };
        let mut state = self.state();
        let killed = matches!(exit.status, ExitStatus::Signaled { signal: Signal::KILL, .. });
        let cause = match state.phase {
            Phase::Ended(exit) => return Ok(Some(exit)),
            Phase::Ending { cause, asked } if killed || asked => Some(cause),
            // The kernel does not tell who sent a signal that killed, but nobody
            // else who may is expected to.
            Phase::Running if killed && self.until.is_some_and(|at| at <= Instant::now()) => {
                Some(Cause::Deadline)
            }
            Phase::Starting | Phase::Running | Phase::Ending { .. } => {
                (killed && self.was_out_of_memory()).then_some(Cause::OutOfMemory)
            }
        };
        let exit = Exit { status: exit.status, cause, usage: exit.usage };
        state.phase = Phase::Ended(exit);
        // Taken out under the lock, dropped after it.
        let alive = state.alive.take();
        drop(state);
        drop(alive);
        if let Some(account) = self.account.get() {
            account.exited(exit);
        }
        Ok(Some(exit))
    }

    /// The same, after this thread has slept so long for its end.
    pub(crate) fn try_wait_within(&self, patience: Duration) -> io::Result<Option<Exit>> {
        if let Some(child) = self.child.get().filter(|child| child.is_ours()) {
            child.pidfd().poll(patience)?;
        }
        self.try_wait()
    }

    /// Blocks until the process has ended.
    pub(crate) fn wait(&self) -> io::Result<Exit> {
        loop {
            if let Some(child) = self.child.get() {
                child.wait()?;
            }
            if let Some(exit) = self.try_wait()? {
                return Ok(exit);
            }
        }
    }

    /// Ends the process and its group.
    pub(crate) fn end(self: &Arc<ChildProcess>, cause: Cause, ending: Ending) -> io::Result<()> {
        match self.decide(cause, ending) {
            Some(child) => self.carry_out(ending, child),
            None => {
                self.abort.abort();
                Ok(())
            }
        }
    }

    fn carry_out(
        self: &Arc<ChildProcess>,
        ending: Ending,
        child: &offspring_spawn::Child,
    ) -> io::Result<()> {
        match ending {
            Ending::Kill => self.kill(child),
            Ending::Ask(grace) => {
                child.terminate()?;
                self.kill_after(grace)
            }
        }
    }

    /// Kills it, with its group or all that it ever started.
    fn kill(&self, child: &offspring_spawn::Child) -> io::Result<()> {
        if !child.is_ours() {
            return Err(Errno::CHILD.into());
        }
        let tree = self.tree.as_ref().map(Leaf::kill);
        child.kill()?;
        self.mark.as_ref().map_or(Ok(()), |mark| mark.kill(child.as_fd()))?;
        // After the process itself, whose own error tells more.
        tree.transpose().map(drop).map_err(|error| error.errno().into())
    }

    /// Whether the kernel killed it, or what it has started, because the memory
    /// of its group was out. The kernel counts before it kills.
    fn was_out_of_memory(&self) -> bool {
        let events = self.tree.as_ref().and_then(Leaf::cgroup).map(Cgroup::memory_events);
        events.is_some_and(|events| events.is_ok_and(|events| events.oom_kill > 0))
    }

    /// Whether it was started in this group, or beneath it.
    pub(crate) fn is_within(&self, group: &Node) -> bool {
        let own = self.tree.as_ref().and_then(|tree| tree.group.as_ref());
        own.is_some_and(|own| own.is_within(group))
    }

    /// Whether the group that it is to start in has no room for it.
    pub(crate) fn finds_no_room(&self) -> bool {
        let own = self.tree.as_ref().and_then(|tree| tree.group.as_ref());
        own.is_some_and(|own| own.is_full())
    }

    /// Says that the guest is about to kill it, with its group.
    pub(crate) fn note_killed(&self) {
        self.decide(Cause::Killed, Ending::Kill);
    }

    /// How its policy ends it.
    pub(crate) fn ending(&self) -> Ending {
        if self.grace.is_zero() { Ending::Kill } else { Ending::Ask(self.grace) }
    }

    pub(crate) fn send_signal(&self, signal: Signal) -> Result<(), Errno> {
        self.running(signal)?.pidfd().send_signal(signal)
    }

    /// Only its first thread. `EOPNOTSUPP` before Linux 6.9.
    pub(crate) fn send_thread_signal(&self, signal: Signal) -> Result<(), Errno> {
        let sent = self.running(signal)?.pidfd().send_thread_signal(signal);
        sent.map_err(|errno| if errno == Errno::INVAL { Errno::OPNOTSUPP } else { errno })
    }

    /// # Errors
    /// `EOPNOTSUPP` for a child in its host's process group, which is not the
    /// guest's to signal.
    pub(crate) fn signal_group(&self, signal: Signal) -> Result<(), Errno> {
        if self.is_ours() && !self.child.get().is_some_and(offspring_spawn::Child::leads_group) {
            return Err(Errno::OPNOTSUPP);
        }
        self.running(signal)?.signal_group(signal)
    }

    /// Puts what a command starts into the group that this process leads.
    ///
    /// # Errors
    /// `ESRCH` when it leads none.
    pub(crate) fn lend_group(&self, to: &mut offspring_spawn::Command) -> Result<(), SpawnError> {
        let leader = self.child.get().ok_or(Errno::SRCH);
        match leader.and_then(|leader| to.join_process_group(leader)) {
            Ok(_) => Ok(()),
            Err(errno) => Err(SpawnError { stage: Stage::ProcessGroup, errno }),
        }
    }

    pub(crate) fn getpid(&self) -> Result<u32, Errno> {
        self.child.get().ok_or(Errno::SRCH)?.pidfd().getpid()
    }

    /// What its host is told of it.
    pub(crate) fn account(&self) -> Option<&Account> {
        self.account.get()
    }

    /// Another descriptor of the process.
    pub(crate) fn pidfd(&self) -> io::Result<offspring_spawn::PidFd> {
        if !self.is_ours() {
            return Err(Errno::CHILD.into());
        }
        self.child.get().ok_or(Errno::SRCH)?.pidfd().try_clone()
    }

    /// The child, to send it this signal; `ECHILD` for one of our parent's.
    fn running(&self, signal: Signal) -> Result<&offspring_spawn::Child, Errno> {
        if !self.is_ours() {
            return Err(Errno::CHILD);
        }
        let child = match signal == Signal::KILL {
            true => self.decide(Cause::Killed, Ending::Kill),
            false => self.child.get(),
        };
        child.ok_or(Errno::SRCH)
    }

    /// Decides that the process ends, unless it has ended or somebody else has
    /// decided. `None` as long as there is no child.
    fn decide(&self, cause: Cause, ending: Ending) -> Option<&offspring_spawn::Child> {
        let ended = matches!(self.try_wait(), Ok(Some(_)));
        let mut state = self.state();
        match &mut state.phase {
            Phase::Starting => {
                state.phase = Phase::Ending { cause, asked: false };
                state.wanted = Some(ending);
            }
            Phase::Running if !ended => {
                let asked = matches!(ending, Ending::Ask(_));
                state.phase = Phase::Ending { cause, asked };
            }
            Phase::Running | Phase::Ending { .. } | Phase::Ended(_) => {}
        }
        self.child.get()
    }

    /// Kills the process after this time, unless that is decided already for
    /// an earlier one.
    fn kill_after(self: &Arc<ChildProcess>, grace: Duration) -> io::Result<()> {
        let process = Arc::downgrade(self);
        let over = move || {
            if let Some(process) = process.upgrade()
                && let Some(child) = process.child.get()
            {
                let _ = process.kill(child);
            }
        };
        let kill = Deadline::after(grace, Box::new(over))?;
        let mut slot = self.kill.lock().unwrap_or_else(PoisonError::into_inner);
        let later = match &*slot {
            Some(earlier) if earlier.is_before(&kill) => Some(kill),
            _ => slot.replace(kill),
        };
        drop(slot);
        drop(later);
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ChildProcess {
    /// Nobody holds the process any more: it ends, and with it its group, unless
    /// it may live on.
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        let mut state = self.state();
        let alive = state.alive.take();
        let phase = state.phase;
        drop(state);
        if let Phase::Ended(_) = phase {
            // That was told. What is left of its group goes, and then all that this has.
            return drop(child);
        }
        let id = alive.as_ref().map(|alive| alive.membership.id());
        // Nobody ends this one, so nobody is the cause.
        let left = self.detach && matches!(phase, Phase::Running);
        let told = self.account.take();
        let (taken, gracious) =
            ((self.held.take(), alive, self.tree.take(), self.mark.take()), !self.grace.is_zero());
        child.when_gone(move |exit| {
            if let Some(account) = told {
                account.gone(exit, if left { None } else { phase.cause_of(exit, gracious) });
            }
            drop(taken);
        });
        let may_live =
            child.is_ours() && matches!(phase, Phase::Running | Phase::Ending { asked: true, .. });
        match id {
            Some(_) if left => child.leave(),
            Some(id) if may_live && !self.grace.is_zero() => {
                self.children.released(id, child.release(self.grace));
            }
            // Killed, with what is left of its group.
            _ => drop(child),
        }
    }
}

impl AsFd for ChildProcess {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.child.get() {
            Some(child) => child.as_fd(),
            None => unreachable!("a guest gets a handle once the process runs"),
        }
    }
}

impl AsRawFd for ChildProcess {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for ChildProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildProcess").field("phase", &self.state().phase).finish_non_exhaustive()
    }
}
