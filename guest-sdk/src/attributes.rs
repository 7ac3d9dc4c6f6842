//! What a child is: session, group, signals, priorities, limits.

use crate::bindings::{attributes as host, spawn, types};
use crate::{Command, ErrorCode, PidFd, Signal, SpawnError, Stage};
use std::sync::Weak;

/// The attributes of a command, as far as they were chosen.
#[derive(Debug, Default)]
pub(crate) struct Attributes {
    new_session: bool,
    group: Option<Group>,
    signal_mask: Option<Vec<types::Signal>>,
    default_signals: Option<Vec<types::Signal>>,
    reset_ids: bool,
    scheduler: Option<(Option<SchedulerPolicy>, i32)>,
    nice: Option<i32>,
    cpu_affinity: Option<Vec<u16>>,
    umask: Option<u32>,
    rlimits: Vec<(Resource, Rlimit)>,
    exit_signal: Option<ExitSignal>,
}

#[derive(Debug)]
enum Group {
    New,
    /// The one that this process leads, as long as somebody holds it.
    Joined(Weak<crate::bindings::pidfd::Pidfd>),
}

/// How the kernel shares out processors.
///
/// # References
/// - <https://man7.org/linux/man-pages/man7/sched.7.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SchedulerPolicy {
    /// By turns, weighted by the nice value. Its priority is 0.
    Other,
    /// Real time, first in first out. Its priority is 1 to 99.
    Fifo,
    /// Real time, by turns. Its priority is 1 to 99.
    RoundRobin,
    /// Like [`Other`](Self::Other), for what nobody waits for.
    Batch,
    /// Only when nothing else runs.
    Idle,
}

/// The signal that the host gets of a spawn that fails in the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExitSignal {
    /// SIGCHLD. This is the default.
    Chld,
    /// No signal.
    None,
}

/// A limit of a resource; `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rlimit {
    /// The limit that the kernel enforces.
    pub soft: Option<u64>,
    /// How far the process may raise the soft one.
    pub hard: Option<u64>,
}

impl Rlimit {
    /// Both limits at once.
    pub const fn both(limit: u64) -> Self {
        Self { soft: Some(limit), hard: Some(limit) }
    }
}

macro_rules! resources {
    ($($name:ident $doc:literal)*) => {
        /// What a limit limits.
        ///
        /// # References
        /// - <https://man7.org/linux/man-pages/man2/getrlimit.2.html>
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Resource {
            $(#[doc = $doc] $name,)*
        }

        impl Resource {
            fn to_host(self) -> host::RlimitKind {
                match self {
                    $(Self::$name => host::RlimitKind::$name,)*
                }
            }

            pub(crate) fn from_host(kind: host::RlimitKind) -> Self {
                match kind {
                    $(host::RlimitKind::$name => Self::$name,)*
                }
            }
        }
    };
}

resources! {
    Cpu "Processor time, in seconds."
    Fsize "The size of a file that is written, in bytes."
    Data "Data and heap, in bytes."
    Stack "The stack of the main thread, in bytes."
    Core "The size of a core file, in bytes."
    Rss "Without effect on Linux."
    Nproc "The processes and threads of the host's user."
    Nofile "One more than the highest descriptor."
    Memlock "Memory locked into RAM, in bytes."
    AddressSpace "The address space, in bytes."
    Locks "Without effect on Linux."
    Sigpending "The queued signals of the host's user."
    Msgqueue "POSIX message queues, in bytes."
    Nice "How far the nice value may be lowered, as 20 less it."
    Rtprio "The highest real-time priority."
    Rttime "Processor time of real-time scheduling without a blocking call, in microseconds."
}

/// Attributes of the child. The grant must allow each of them; see
/// [`Grant::attributes`](crate::Grant::attributes).
impl Command {
    /// Lets the child lead a session of its own, without a terminal.
    #[doc(alias = "setsid")]
    pub fn new_session(&mut self, yes: bool) -> &mut Self {
        self.attributes().new_session = yes;
        self
    }

    /// Lets the child lead a process group of its own, which it does anyway
    /// unless its input is the host's terminal: std's `process_group(0)`.
    #[doc(alias = "process_group")]
    #[doc(alias = "setpgid")]
    pub fn new_process_group(&mut self) -> &mut Self {
        self.attributes().group = Some(Group::New);
        self
    }

    /// Puts the child into the process group that another child leads. What it
    /// starts itself then belongs to the handle of that child.
    ///
    /// A spawn fails with `ESRCH` at [`Stage::Attribute`] if that child has
    /// ended and was waited for, or its handle is gone.
    #[doc(alias = "setpgid")]
    pub fn join_process_group(&mut self, leader: &PidFd) -> &mut Self {
        self.attributes().group = Some(Group::Joined(leader.downgrade()));
        self
    }

    /// Sets the signals that the child blocks. None, unless this is called.
    #[doc(alias = "sigprocmask")]
    pub fn signal_mask(&mut self, blocked: impl IntoIterator<Item = Signal>) -> &mut Self {
        self.attributes().signal_mask = Some(blocked.into_iter().map(Signal::to_host).collect());
        self
    }

    /// Sets the signals that have their default action although the host
    /// ignores them, besides the standard ones, which have it unless the host has
    /// ignored them for less than a second.
    #[doc(alias = "sigaction")]
    pub fn default_signals(&mut self, signals: impl IntoIterator<Item = Signal>) -> &mut Self {
        self.attributes().default_signals =
            Some(signals.into_iter().map(Signal::to_host).collect());
        self
    }

    /// Sets the child's effective user and group ids to the host's real ones.
    #[doc(alias = "seteuid")]
    pub fn reset_ids(&mut self, yes: bool) -> &mut Self {
        self.attributes().reset_ids = yes;
        self
    }

    /// Sets the child's scheduling policy and its priority in it.
    #[doc(alias = "sched_setscheduler")]
    pub fn scheduler(&mut self, policy: SchedulerPolicy, priority: i32) -> &mut Self {
        self.attributes().scheduler = Some((Some(policy), priority));
        self
    }

    /// Sets the child's priority in the policy that it has from the host.
    #[doc(alias = "sched_setparam")]
    pub fn scheduler_priority(&mut self, priority: i32) -> &mut Self {
        self.attributes().scheduler = Some((None, priority));
        self
    }

    /// Sets the child's nice value: −20, the most favourable, to 19.
    #[doc(alias = "setpriority")]
    pub fn nice(&mut self, value: i32) -> &mut Self {
        self.attributes().nice = Some(value);
        self
    }

    /// Lets the child run on these processors only, as far as the host may use
    /// them. A spawn fails with `EINVAL` when none is left.
    #[doc(alias = "sched_setaffinity")]
    pub fn cpu_affinity(&mut self, processors: impl IntoIterator<Item = u16>) -> &mut Self {
        self.attributes().cpu_affinity = Some(processors.into_iter().collect());
        self
    }

    /// Sets which permissions the child's new files do not get.
    pub fn umask(&mut self, mask: u32) -> &mut Self {
        self.attributes().umask = Some(mask);
        self
    }

    /// Sets a resource limit of the child, within those of the grant and of the
    /// host. A later one of the same resource replaces it.
    #[doc(alias = "setrlimit")]
    pub fn rlimit(&mut self, resource: Resource, limit: Rlimit) -> &mut Self {
        self.attributes().rlimits.push((resource, limit));
        self
    }

    /// Sets the signal that the host gets of a spawn that fails in the child.
    /// A child whose program runs always makes it SIGCHLD.
    pub fn exit_signal(&mut self, signal: ExitSignal) -> &mut Self {
        self.attributes().exit_signal = Some(signal);
        self
    }
}

impl Attributes {
    /// Tells the host, of every attribute that was chosen.
    pub(crate) fn send(&self, command: &spawn::Command) -> Result<(), SpawnError> {
        if self.new_session {
            command.session(true);
        }
        match &self.group {
            Some(Group::New) => command.process_group(&host::ProcessGroup::New),
            Some(Group::Joined(leader)) => {
                let leader = leader.upgrade().ok_or_else(gone)?;
                command.process_group(&host::ProcessGroup::Join(&leader));
            }
            None => {}
        }
        let refused = |what: &str, code| {
            let code = ErrorCode::from(code);
            let message = format!("{what}: {code}");
            SpawnError::request(code, message)
        };
        if let Some(blocked) = &self.signal_mask {
            command.signal_mask(blocked).map_err(|code| refused("signal mask", code))?;
        }
        if let Some(signals) = &self.default_signals {
            command.default_signals(signals).map_err(|code| refused("default signals", code))?;
        }
        if self.reset_ids {
            command.reset_ids(true);
        }
        if let Some((policy, priority)) = self.scheduler {
            command.scheduler(policy.map(SchedulerPolicy::to_host), priority);
        }
        if let Some(value) = self.nice {
            command.nice(value);
        }
        if let Some(processors) = &self.cpu_affinity {
            command.cpu_affinity(processors);
        }
        if let Some(mask) = self.umask {
            command.umask(mask);
        }
        for (resource, limit) in &self.rlimits {
            command.rlimit(resource.to_host(), limit.soft, limit.hard);
        }
        match self.exit_signal {
            Some(ExitSignal::Chld) => command.exit_signal(host::ExitSignal::Chld),
            Some(ExitSignal::None) => command.exit_signal(host::ExitSignal::None),
            None => {}
        }
        Ok(())
    }
}

/// The error for a leader whose handle is gone.
fn gone() -> SpawnError {
    SpawnError {
        stage: Stage::Attribute("process-group".to_owned()),
        code: ErrorCode::NoSuchProcess,
        errno: Some("ESRCH".to_owned()),
        message: "the child whose process group to join is gone".to_owned(),
    }
}

impl SchedulerPolicy {
    fn to_host(self) -> host::SchedulerPolicy {
        match self {
            Self::Other => host::SchedulerPolicy::Other,
            Self::Fifo => host::SchedulerPolicy::Fifo,
            Self::RoundRobin => host::SchedulerPolicy::RoundRobin,
            Self::Batch => host::SchedulerPolicy::Batch,
            Self::Idle => host::SchedulerPolicy::Idle,
        }
    }
}
