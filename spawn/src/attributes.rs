//! What a child is: session, group, ids, priorities, limits, signals.

use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::sync::Arc;

use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::process::{Resource, Rlimit};

use crate::child::Child;
use crate::command::Command;
use crate::identity::Identity;
use crate::namespace::Namespaces;
use crate::pidfd::PidFd;
use crate::signal::Signal;
use crate::sigset::SignalSet;

/// The attributes of a command, as its child finds them.
#[derive(Debug, Clone)]
pub(crate) struct Attributes {
    pub(crate) scheduler: Option<Scheduler>,
    pub(crate) nice: Option<i32>,
    /// A bit for every processor.
    pub(crate) cpu_affinity: Option<Vec<u64>>,
    pub(crate) new_session: bool,
    pub(crate) group: Group,
    pub(crate) terminal: Option<Arc<OwnedFd>>,
    pub(crate) reset_ids: bool,
    pub(crate) identity: Option<Identity>,
    pub(crate) namespaces: Namespaces,
    pub(crate) umask: Option<u32>,
    pub(crate) limits: Vec<(Resource, Rlimit)>,
    pub(crate) parent_death_signal: Option<Signal>,
    pub(crate) no_new_privileges: bool,
    pub(crate) default_signals: SignalSet,
    pub(crate) signal_mask: SignalSet,
    pub(crate) exit_signal: Option<Signal>,
}

/// Which process group a child is in.
#[derive(Debug, Clone)]
pub(crate) enum Group {
    /// Its parent's, or that of its new session.
    Inherited,
    New,
    /// The one that this process leads.
    Joined(Arc<PidFd>),
}

impl Group {
    /// Whose group it is, if another child's.
    pub(crate) fn leader(&self) -> Option<&PidFd> {
        match self {
            Group::Joined(leader) => Some(leader),
            Group::Inherited | Group::New => None,
        }
    }
}

/// Policy and parameter, or the parameter alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scheduler {
    pub(crate) policy: Option<SchedulerPolicy>,
    pub(crate) priority: i32,
}

/// How the kernel shares out processors.
///
/// # References
/// - [sched(7)](https://man7.org/linux/man-pages/man7/sched.7.html)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
#[non_exhaustive]
pub enum SchedulerPolicy {
    /// By turns, weighted by the nice value. Its priority is 0.
    Other = 0,
    /// Real time, first in first out. Its priority is 1 to 99.
    Fifo = 1,
    /// Real time, by turns. Its priority is 1 to 99.
    RoundRobin = 2,
    /// Like [`Other`](Self::Other), for what nobody waits for.
    Batch = 3,
    /// Only when nothing else runs.
    Idle = 5,
}

impl Default for Attributes {
    fn default() -> Attributes {
        Attributes {
            scheduler: None,
            nice: None,
            cpu_affinity: None,
            new_session: false,
            group: Group::Inherited,
            terminal: None,
            reset_ids: false,
            identity: None,
            namespaces: Namespaces::NONE,
            umask: None,
            limits: Vec::new(),
            parent_death_signal: None,
            no_new_privileges: false,
            default_signals: [Signal::PIPE].into_iter().collect(),
            signal_mask: SignalSet::EMPTY,
            exit_signal: Some(Signal::CHLD),
        }
    }
}

impl Attributes {
    /// Whether none of them needs a descriptor, an id or a namespace.
    pub(crate) fn is_plain(&self) -> bool {
        self.terminal.is_none()
            && self.group.leader().is_none()
            && !self.reset_ids
            && self.namespaces == Namespaces::NONE
    }

    /// Whether the child leads a group, of its own or of its session.
    pub(crate) fn leads_group(&self) -> bool {
        self.new_session || matches!(self.group, Group::New)
    }
}

/// Attributes of the child.
impl Command {
    /// Sets the child's scheduling policy and its priority in it:
    /// `POSIX_SPAWN_SETSCHEDULER`.
    ///
    /// A spawn fails with `EINVAL` for a priority that the policy does not
    /// have, and with `EPERM` when it is not allowed.
    pub fn scheduler(&mut self, policy: SchedulerPolicy, priority: i32) -> &mut Command {
        let policy = Some(policy);
        self.attributes.scheduler = Some(Scheduler { policy, priority });
        self
    }

    /// Sets the child's priority in the policy that it has from us:
    /// `POSIX_SPAWN_SETSCHEDPARAM`.
    pub fn scheduler_priority(&mut self, priority: i32) -> &mut Command {
        let policy = None;
        self.attributes.scheduler = Some(Scheduler { policy, priority });
        self
    }

    /// Sets the child's nice value: −20, the most favourable, to 19. What is
    /// beyond counts as the nearest.
    pub fn nice(&mut self, value: i32) -> &mut Command {
        self.attributes.nice = Some(value);
        self
    }

    /// Lets the child run on these processors only. Those that there are not
    /// do not count; a spawn fails with `EINVAL` when none is left.
    pub fn cpu_affinity(&mut self, processors: impl IntoIterator<Item = u16>) -> &mut Command {
        let mut mask = vec![0];
        for processor in processors.into_iter().map(usize::from) {
            let word = processor / 64;
            mask.resize(mask.len().max(word + 1), 0);
            mask[word] |= 1 << (processor % 64);
        }
        self.attributes.cpu_affinity = Some(mask);
        self
    }

    /// Lets the child lead a session of its own, without a terminal:
    /// `POSIX_SPAWN_SETSID`. It leads the session's process group too, and to
    /// ask for a group of its own besides is `EPERM`.
    pub fn new_session(&mut self, yes: bool) -> &mut Command {
        self.attributes.new_session = yes;
        self
    }

    /// Lets the child lead a process group of its own. Then what kills the
    /// child kills its group.
    pub fn new_process_group(&mut self, yes: bool) -> &mut Command {
        self.attributes.group = if yes { Group::New } else { Group::Inherited };
        self
    }

    /// Puts the child into the process group that another child leads, and
    /// into no other that took over its number: a spawn fails with `ESRCH`
    /// once the leader was waited for.
    ///
    /// # Errors
    /// `ESRCH` when that child leads no group, `EMFILE` when there is no
    /// descriptor left to hold on to it.
    pub fn join_process_group(&mut self, leader: &Child) -> Result<&mut Command, Errno> {
        if !leader.leads_group() {
            return Err(Errno::SRCH);
        }
        let pidfd = PidFd::from(fcntl_dupfd_cloexec(leader.as_fd(), FIRST_OTHER)?);
        self.attributes.group = Group::Joined(Arc::new(pidfd));
        Ok(self)
    }

    /// Makes this terminal the controlling one of the child's session, which
    /// must be [new](Self::new_session), and the child's group its foreground
    /// group.
    ///
    /// # References
    /// - [TIOCSCTTY(2const)](https://man7.org/linux/man-pages/man2/TIOCSCTTY.2const.html)
    pub fn controlling_terminal(&mut self, terminal: impl Into<Arc<OwnedFd>>) -> &mut Command {
        self.attributes.terminal = Some(terminal.into());
        self
    }

    /// Sets the child's effective user and group ids to the real ones:
    /// `POSIX_SPAWN_RESETIDS`. Supplementary groups stay.
    ///
    /// Linux takes a process's memory for less trustworthy when its ids
    /// change, and ours is the child's until it executes its program. So while
    /// such a spawn goes on, this process is not dumpable.
    ///
    /// # References
    /// - [PR_SET_DUMPABLE(2const)](https://man7.org/linux/man-pages/man2/PR_SET_DUMPABLE.2const.html)
    pub fn reset_ids(&mut self, yes: bool) -> &mut Command {
        self.attributes.reset_ids = yes;
        self
    }

    /// Sets which permissions the child's new files do not get. It holds for
    /// the file actions too.
    pub fn umask(&mut self, mask: u32) -> &mut Command {
        self.attributes.umask = Some(mask & 0o777);
        self
    }

    /// Sets a resource limit of the child; a later one of the same resource
    /// replaces it. It holds for the file actions too.
    ///
    /// A spawn fails with `EINVAL` for a soft limit above the hard one, and
    /// with `EPERM` for a hard limit that is raised without the right to.
    pub fn limit(&mut self, resource: Resource, limit: Rlimit) -> &mut Command {
        let limits = &mut self.attributes.limits;
        limits.retain(|(other, _)| *other != resource);
        limits.push((resource, limit));
        self
    }

    /// Sends the child this signal when its parent dies.
    ///
    /// To Linux the parent is the *thread* that calls [`Command::spawn`]: use
    /// this only from a thread that lives as long as the child may.
    ///
    /// # References
    /// - [PR_SET_PDEATHSIG(2const)](https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html)
    pub fn parent_death_signal(&mut self, signal: Option<Signal>) -> &mut Command {
        self.attributes.parent_death_signal = signal;
        self
    }

    /// Keeps the child and its descendants from gaining rights by executing
    /// set-user-id programs.
    ///
    /// # References
    /// - [PR_SET_NO_NEW_PRIVS(2const)](https://man7.org/linux/man-pages/man2/PR_SET_NO_NEW_PRIVS.2const.html)
    pub fn no_new_privileges(&mut self, yes: bool) -> &mut Command {
        self.attributes.no_new_privileges = yes;
        self
    }

    /// Sets the signals that have their default action in the child although
    /// this process ignores them: `POSIX_SPAWN_SETSIGDEF`. Unless this is
    /// called, that is SIGPIPE, which every Rust program ignores.
    pub fn default_signals(&mut self, signals: SignalSet) -> &mut Command {
        self.attributes.default_signals = signals;
        self
    }

    /// Sets the signals that the child blocks: `POSIX_SPAWN_SETSIGMASK`.
    /// Unless this is called, none; [`SignalSet::blocked`] are those that the
    /// calling thread does.
    pub fn signal_mask(&mut self, signals: SignalSet) -> &mut Command {
        self.attributes.signal_mask = signals;
        self
    }

    /// Sets the signal that this process gets when the child ends before it
    /// executes its program, SIGCHLD by default. Linux makes it SIGCHLD when
    /// the program is executed.
    pub fn exit_signal(&mut self, signal: Option<Signal>) -> &mut Command {
        self.attributes.exit_signal = signal;
        self
    }
}

/// The first descriptor behind the standard streams.
const FIRST_OTHER: RawFd = 3;
