//! What the host granted, for components that adapt to it.

use crate::bindings::grants as host;
use crate::{Resource, Signal};
use std::time::Duration;

/// One program that this component may start.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grant {
    /// The name to give to [`Command::new`](crate::Command::new).
    pub name: String,
    /// The arguments that it takes.
    pub arguments: Arguments,
    /// The variables that may be set; a `*` at the end of a name stands for
    /// any rest.
    pub env: Vec<String>,
    /// Whether the directory to run in may be chosen.
    pub cwd: bool,
    /// The standard streams that it may use.
    pub stdio: StdioKinds,
    /// The attributes that may be chosen.
    pub attributes: Vec<Attribute>,
    /// The file actions that may be used.
    pub file_actions: Vec<FileAction>,
    /// The limits that each child has, which may only be lowered.
    pub rlimits: Vec<(Resource, u64)>,
    /// The signals that may be sent, besides killing.
    pub signals: Vec<Signal>,
    /// How many children of this grant may live at once.
    pub max_children: Option<u32>,
    /// How many children of this grant may be started in a second, and at once
    /// after a pause.
    pub spawns_per_second: Option<u32>,
    /// How long each child may run.
    pub deadline: Option<Duration>,
    /// The group that each child is started in, or in one beneath it that was
    /// made with [`create_child`](crate::cgroup::Cgroup::create_child).
    pub group: Option<String>,
    /// What each child is kept from, though the host's user is not.
    pub sandbox: Vec<SandboxPart>,
}

/// A cgroup that the host grants.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Group {
    /// The name to give to [`Cgroup::open`](crate::cgroup::Cgroup::open).
    pub name: String,
    /// Whether the host could make it. Otherwise children run without it.
    pub available: bool,
    /// The controllers that the groups beneath it have, such as `memory`.
    pub controllers: Vec<String>,
}

/// The arguments that a grant allows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Arguments {
    /// None.
    None,
    /// Any.
    Any,
    /// Those of this synopsis, as manual pages write it:
    /// `log [-n <1..100>] [--] [<path>]...`.
    Slots(String),
}

macro_rules! flags {
    (
        $(#[$about:meta])*
        $name:ident of $host:ident: $($(#[$doc:meta])* $variant:ident $flag:ident,)*
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            fn from_host(flags: host::$host) -> Vec<Self> {
                let all = [$((host::$host::$flag, Self::$variant),)*];
                all.into_iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, it)| it).collect()
            }
        }
    };
}

flags! {
    /// An attribute that a grant lets the component choose.
    Attribute of Attributes:
    /// [`Command::new_session`](crate::Command::new_session).
    Session SESSION,
    /// [`Command::join_process_group`](crate::Command::join_process_group) and
    /// [`Command::new_process_group`](crate::Command::new_process_group).
    ProcessGroup PROCESS_GROUP,
    /// [`Command::signal_mask`](crate::Command::signal_mask).
    SignalMask SIGNAL_MASK,
    /// [`Command::default_signals`](crate::Command::default_signals).
    DefaultSignals DEFAULT_SIGNALS,
    /// [`Command::reset_ids`](crate::Command::reset_ids).
    ResetIds RESET_IDS,
    /// [`Command::scheduler`](crate::Command::scheduler), within what the host
    /// has.
    Scheduler SCHEDULER,
    /// [`Command::nice`](crate::Command::nice), from the host's own value up.
    Nice NICE,
    /// [`Command::cpu_affinity`](crate::Command::cpu_affinity).
    CpuAffinity CPU_AFFINITY,
    /// [`Command::umask`](crate::Command::umask).
    Umask UMASK,
    /// [`Command::rlimit`](crate::Command::rlimit).
    Rlimits RLIMITS,
    /// [`Command::exit_signal`](crate::Command::exit_signal).
    ExitSignal EXIT_SIGNAL,
    /// A scheduler or a nice value that takes more than the host has.
    RaisePriority RAISE_PRIORITY,
}

flags! {
    /// A file action that a grant lets the component use.
    FileAction of FileActions:
    /// [`Command::pass`](crate::Command::pass).
    Pass PASS,
    /// [`FileActions::open`](crate::FileActions::open).
    Open OPEN,
    /// [`FileActions::close`](crate::FileActions::close).
    Close CLOSE,
    /// [`FileActions::dup2`](crate::FileActions::dup2).
    Dup2 DUP2,
    /// [`FileActions::chdir`](crate::FileActions::chdir).
    Chdir CHDIR,
    /// [`FileActions::fchdir`](crate::FileActions::fchdir).
    Fchdir FCHDIR,
    /// [`FileActions::close_from`](crate::FileActions::close_from).
    CloseFrom CLOSEFROM,
    /// [`FileActions::set_foreground`](crate::FileActions::set_foreground).
    SetForeground TCSETPGRP,
}

flags! {
    /// Something that a child is kept from.
    SandboxPart of Sandbox:
    /// Files, but those that the component has and what a program needs of the
    /// system to run, and those that the host adds.
    Files FILES,
    /// Cutting short by its name what may not be written.
    Truncate TRUNCATE,
    /// Ioctls of devices that may not be written.
    DeviceIoctl DEVICE_IOCTL,
    /// Signals to what the child has not started.
    Signals SIGNALS,
    /// Abstract UNIX sockets of others. Not there where there are no sockets.
    AbstractSockets ABSTRACT_SOCKETS,
    /// Sockets, but perhaps those of UNIX.
    Network NETWORK,
    /// System calls that lead around the rest.
    SystemCalls SYSTEM_CALLS,
    /// Capabilities.
    Capabilities CAPABILITIES,
    /// The keys of the host's session.
    Keyring KEYRING,
    /// Leaving its memory in a core.
    CoreDumps CORE_DUMPS,
}

/// The standard streams that a grant allows, besides null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct StdioKinds {
    /// The host's own streams.
    pub inherit: bool,
    /// Pipes, to the component or to another child.
    pub piped: bool,
    /// Files that the component opened.
    pub file: bool,
    /// A terminal of the component's.
    pub terminal: bool,
}

/// Limits on everything that this component does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Limits {
    /// How many children of all grants may be held at once: those that have
    /// ended count until they are dropped.
    pub max_children: u32,
    /// How many pipe ends may be held at once.
    pub max_pipes: u32,
    /// How many resources of every kind may be held at once, those of WASI
    /// included.
    pub max_handles: u32,
    /// How many bytes pipes may hold beyond what each has by itself.
    pub max_buffered_bytes: u64,
    /// How many bytes the arguments and environment of one command may have,
    /// each string with its terminating NUL.
    pub max_argument_bytes: u64,
    /// How many cgroups may be held at once that were made by this component.
    pub max_groups: u32,
    /// How many children may be started in a second, on average.
    pub spawns_per_second: u32,
    /// How many children may be started at once after a pause.
    pub spawn_burst: u32,
}

/// What the host's kernel offers beyond the least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Features {
    /// A process group can be signalled after its leader has ended.
    pub group_signals: bool,
    /// No status is ever lost.
    pub exit_info: bool,
}

/// Returns every grant, in the order of the host's policy.
pub fn grants() -> Vec<Grant> {
    host::get_grants().into_iter().map(Grant::from).collect()
}

/// Returns every group, in the order of the host's policy.
pub fn groups() -> Vec<Group> {
    let group = |group: host::Group| Group {
        name: group.name,
        available: group.available,
        controllers: group.controllers,
    };
    host::get_groups().into_iter().map(group).collect()
}

/// Returns the limits.
pub fn limits() -> Limits {
    let host::Limits {
        max_children,
        max_pipes,
        max_handles,
        max_buffered_bytes,
        max_argument_bytes,
        max_groups,
        spawns_per_second,
        spawn_burst,
    } = host::get_limits();
    Limits {
        max_children,
        max_pipes,
        max_handles,
        max_buffered_bytes,
        max_argument_bytes,
        max_groups,
        spawns_per_second,
        spawn_burst,
    }
}

/// Returns the features of this host.
pub fn features() -> Features {
    let features = host::get_features();
    Features {
        group_signals: features.contains(host::Features::GROUP_SIGNALS),
        exit_info: features.contains(host::Features::EXIT_INFO),
    }
}

impl From<host::Grant> for Grant {
    fn from(grant: host::Grant) -> Self {
        Self {
            name: grant.name,
            arguments: match grant.arguments {
                host::Arguments::None => Arguments::None,
                host::Arguments::Any => Arguments::Any,
                host::Arguments::Slots(synopsis) => Arguments::Slots(synopsis),
            },
            env: grant.env,
            cwd: grant.cwd,
            stdio: StdioKinds {
                inherit: grant.stdio.contains(host::StdioKinds::INHERIT),
                piped: grant.stdio.contains(host::StdioKinds::PIPED),
                file: grant.stdio.contains(host::StdioKinds::FILE),
                terminal: grant.stdio.contains(host::StdioKinds::TERMINAL),
            },
            attributes: Attribute::from_host(grant.attributes),
            file_actions: FileAction::from_host(grant.file_actions),
            rlimits: grant
                .rlimits
                .into_iter()
                .map(|(kind, most)| (Resource::from_host(kind), most))
                .collect(),
            signals: grant.signals.into_iter().map(Signal::from_host).collect(),
            max_children: grant.max_children,
            spawns_per_second: grant.spawns_per_second,
            deadline: grant.deadline.map(Duration::from_nanos),
            group: grant.group,
            sandbox: SandboxPart::from_host(grant.sandbox),
        }
    }
}
