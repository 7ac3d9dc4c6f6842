//! One program that a guest may start, and the rules for starting it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use offspring_spawn::{Resource, Signal};

use super::apart::Apart;
use super::args::Arguments;
use super::env::EnvPattern;
use super::error::Location;
use super::group::GrantGroup;
use super::sandbox::Sandbox;
use super::sha256::Sha256;
use super::stdio::StdioKinds;
use super::words::{Attribute, FileAction, resource_word};
use crate::request::StdioKind;

/// A named program and what a guest may say when it starts it.
///
/// A new grant lets the program be started without arguments, with an empty
/// environment and with null streams. The methods that widen it have the names
/// of a policy file's keys; those that read it start with `get_`, as in
/// [`std::process::Command`].
///
/// A program is not confined by its arguments: whoever may start a shell may do
/// everything in its [sandbox](Grant::sandbox).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    name: String,
    path: PathBuf,
    location: Option<Location>,
    cwd_location: Option<Location>,
    sha256: Option<Sha256>,
    sha256_location: Option<Location>,
    arguments: Arguments,
    arg0: Option<String>,
    env: BTreeMap<String, String>,
    // With the host's value, once it was looked up and if there is one.
    env_inherit: BTreeMap<String, Option<String>>,
    env_allow: Vec<EnvPattern>,
    cwd: Cwd,
    stdio: StdioKinds,
    attributes: BTreeSet<Attribute>,
    file_actions: BTreeSet<FileAction>,
    // Each resource once, in the order of their words.
    rlimits: Vec<(Resource, u64)>,
    signals: BTreeSet<Signal>,
    max_children: Option<u32>,
    spawns_per_second: Option<u32>,
    deadline: Option<Duration>,
    grace: Option<Duration>,
    detach: bool,
    group: GrantGroup,
    group_location: Option<Location>,
    apart: Apart,
    sandbox: Sandbox,
    sandbox_location: Option<Location>,
}

/// Where a grant lets its program run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Cwd {
    /// Where the host lets children run; the guest has no choice.
    #[default]
    Unset,
    /// In any directory beneath those that the guest holds, if it chooses one.
    Preopens,
    /// In this directory; the guest has no choice.
    Fixed(PathBuf),
}

impl Grant {
    /// Lets a guest start the program at `path` under this name.
    ///
    /// The path is absolute, or a bare name that the host searches on its PATH
    /// when it loads the policy.
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Grant {
        Grant {
            name: name.into(),
            path: path.into(),
            location: None,
            cwd_location: None,
            sha256: None,
            sha256_location: None,
            arguments: Arguments::default(),
            arg0: None,
            env: BTreeMap::new(),
            env_inherit: BTreeMap::new(),
            env_allow: Vec::new(),
            cwd: Cwd::default(),
            stdio: StdioKinds::default(),
            attributes: BTreeSet::new(),
            file_actions: BTreeSet::new(),
            rlimits: Vec::new(),
            signals: BTreeSet::new(),
            max_children: None,
            spawns_per_second: None,
            deadline: None,
            grace: None,
            detach: false,
            group: GrantGroup::default(),
            group_location: None,
            apart: Apart::default(),
            sandbox: Sandbox::default(),
            sandbox_location: None,
        }
    }

    /// As [`new`](Grant::new), with any arguments, every kind of stream, the
    /// choice of the directory, every file action, and the attributes that a
    /// program could give itself, which are all but `reset-ids` and
    /// `raise-priority`. Still with an empty environment.
    pub fn permissive(name: impl Into<String>, path: impl Into<PathBuf>) -> Grant {
        Grant {
            arguments: Arguments::Any,
            cwd: Cwd::Preopens,
            stdio: StdioKinds::ALL,
            attributes: harmless().collect(),
            file_actions: FileAction::ALL.iter().copied().collect(),
            ..Grant::new(name, path)
        }
    }

    /// Sets which arguments are allowed. Default: none.
    pub fn arguments(mut self, arguments: Arguments) -> Grant {
        self.arguments = arguments;
        self
    }

    /// Pins the program to this content. What runs is a copy of it in memory, made
    /// and compared when the policy is loaded, that nothing can change any more;
    /// a script's interpreters are copied as well. Default: what is at the path
    /// when the policy is loaded, as it is when it is started.
    pub fn sha256(mut self, sum: Sha256) -> Grant {
        self.sha256 = Some(sum);
        self
    }

    /// Sets the program's own name, `argv[0]`. Default: the path as given.
    pub fn arg0(mut self, arg0: impl Into<String>) -> Grant {
        self.arg0 = Some(arg0.into());
        self
    }

    /// Fixes a variable. A later value replaces an earlier one. Default: none.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Grant {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Fixes a variable to the value that the host has; a child goes without
    /// it where the host has none. Default: none.
    ///
    /// The values are filled in by
    /// [`Policy::resolve_environment`](super::Policy::resolve_environment).
    pub fn env_inherit(mut self, name: impl Into<String>) -> Grant {
        self.env_inherit.insert(name.into(), None);
        self
    }

    /// Lets the guest set the variables that the pattern covers. Default: none.
    pub fn env_allow(mut self, pattern: EnvPattern) -> Grant {
        self.env_allow.push(pattern);
        self
    }

    /// Sets where the program runs. Default: [`Cwd::Unset`].
    pub fn cwd(mut self, cwd: Cwd) -> Grant {
        self.cwd = cwd;
        self
    }

    /// Sets which standard streams are allowed. `null` always is. Default:
    /// nothing else.
    pub fn stdio(mut self, kinds: impl IntoIterator<Item = StdioKind>) -> Grant {
        self.stdio = kinds.into_iter().collect();
        self
    }

    /// Sets which attributes the guest may choose. Default: none.
    pub fn attributes(mut self, attributes: impl IntoIterator<Item = Attribute>) -> Grant {
        self.attributes = attributes.into_iter().collect();
        self
    }

    /// Sets which file actions the guest may use. Files and directories are
    /// those that it holds, in the mode that it may use; `stdio` says what a
    /// child starts with, and actions may change it. Default: none.
    pub fn file_actions(mut self, actions: impl IntoIterator<Item = FileAction>) -> Grant {
        self.file_actions = actions.into_iter().collect();
        self
    }

    /// Limits a resource of each child, in the unit of getrlimit(2). A guest
    /// that may choose [`Attribute::Rlimits`] may lower it, and no guest may
    /// raise it. A later limit of the same resource replaces an earlier one.
    /// Default: the host's own limits.
    ///
    /// A spawn fails with `EPERM` when the host's own hard limit is lower and
    /// the host may not raise it.
    pub fn rlimit(mut self, resource: Resource, most: u64) -> Grant {
        self.rlimits.retain(|(other, _)| *other != resource);
        self.rlimits.push((resource, most));
        self.rlimits.sort_by_key(|(resource, _)| resource_word(*resource));
        self
    }

    /// Sets which signals the guest may send. `KILL` always is allowed.
    /// Default: nothing else.
    pub fn signals(mut self, signals: impl IntoIterator<Item = Signal>) -> Grant {
        self.signals = signals.into_iter().collect();
        self
    }

    /// Sets how many children of this grant may live at once. Default: as many
    /// as [`Limits`](super::Limits) allow.
    pub fn max_children(mut self, max: u32) -> Grant {
        self.max_children = Some(max);
        self
    }

    /// Sets how many children of this grant may be started in a second, and at
    /// once after a pause. Default: as many as [`Limits`](super::Limits) allow.
    pub fn spawns_per_second(mut self, count: u32) -> Grant {
        self.spawns_per_second = Some(count);
        self
    }

    /// Sets how long each child may run. Default: without end.
    pub fn deadline(mut self, deadline: Duration) -> Grant {
        self.deadline = Some(deadline);
        self
    }

    /// Sets how long each child has between SIGTERM and SIGKILL, when its
    /// deadline passes or its handle is dropped. Default: it is killed at once.
    pub fn grace(mut self, grace: Duration) -> Grant {
        self.grace = Some(grace);
        self
    }

    /// Sets whether the guest may let children live on when it drops their
    /// handles, when it ends, and when the host does. Default: no.
    pub fn detach(mut self, yes: bool) -> Grant {
        self.detach = yes;
        self
    }

    /// Sets which cgroup each child is started in. Default:
    /// [`GrantGroup::Unset`].
    pub fn group(mut self, group: GrantGroup) -> Grant {
        self.group = group;
        self
    }

    /// Sets who each child is, what it shares with nobody, and what it sees.
    /// Default: the host's own user, everything, and all that the host sees.
    pub fn apart(mut self, apart: Apart) -> Grant {
        self.apart = apart;
        self
    }

    /// Sets what each child can reach. Default: [`Sandbox::new`].
    pub fn sandbox(mut self, sandbox: Sandbox) -> Grant {
        self.sandbox = sandbox;
        self
    }

    /// The name that a guest uses.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The program: an absolute path, or a bare name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the path stands, for a grant that was read from a file.
    pub fn location(&self) -> Option<&Location> {
        self.location.as_ref()
    }

    /// Where the directory stands, for a grant that was read from a file.
    pub fn cwd_location(&self) -> Option<&Location> {
        self.cwd_location.as_ref()
    }

    /// What the program's content must be.
    pub fn get_sha256(&self) -> Option<Sha256> {
        self.sha256
    }

    /// Where that stands, for a grant that was read from a file.
    pub fn sha256_location(&self) -> Option<&Location> {
        self.sha256_location.as_ref()
    }

    /// The arguments that are allowed.
    pub fn get_arguments(&self) -> &Arguments {
        &self.arguments
    }

    /// The program's own name, `argv[0]`.
    pub fn get_arg0(&self) -> String {
        match &self.arg0 {
            Some(arg0) => arg0.clone(),
            None => self.path.to_string_lossy().into_owned(),
        }
    }

    /// The variables that are fixed in the grant, by name.
    pub fn get_env(&self) -> impl Iterator<Item = (&str, &str)> {
        self.env.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The variables that are fixed to the host's values, by name; without a
    /// value where the host has none, or was not asked yet.
    pub fn get_env_inherit(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.env_inherit.iter().map(|(name, value)| (&**name, value.as_deref()))
    }

    /// The variables that the guest may set.
    pub fn get_env_allow(&self) -> &[EnvPattern] {
        &self.env_allow
    }

    /// Where the program runs.
    pub fn get_cwd(&self) -> &Cwd {
        &self.cwd
    }

    /// The standard streams that are allowed.
    pub fn get_stdio(&self) -> StdioKinds {
        self.stdio
    }

    /// The attributes that the guest may choose.
    pub fn get_attributes(&self) -> impl Iterator<Item = Attribute> {
        self.attributes.iter().copied()
    }

    /// The file actions that the guest may use.
    pub fn get_file_actions(&self) -> impl Iterator<Item = FileAction> {
        self.file_actions.iter().copied()
    }

    /// The limits of resources.
    pub fn get_rlimits(&self) -> &[(Resource, u64)] {
        &self.rlimits
    }

    /// The signals that are allowed besides `KILL`, by number.
    pub fn get_signals(&self) -> impl Iterator<Item = Signal> {
        self.signals.iter().copied()
    }

    /// How many children of this grant may live at once.
    pub fn get_max_children(&self) -> Option<u32> {
        self.max_children
    }

    /// How many children of this grant may be started in a second.
    pub fn get_spawns_per_second(&self) -> Option<u32> {
        self.spawns_per_second
    }

    /// How long each child may run.
    pub fn get_deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// How long each child has between SIGTERM and SIGKILL.
    pub fn get_grace(&self) -> Option<Duration> {
        self.grace
    }

    /// Whether the guest may let children live on.
    pub fn get_detach(&self) -> bool {
        self.detach
    }

    /// Which cgroup each child is started in.
    pub fn get_group(&self) -> &GrantGroup {
        &self.group
    }

    /// Who each child is, what it shares with nobody, and what it sees.
    pub fn get_apart(&self) -> &Apart {
        &self.apart
    }

    /// Where the group stands, for a grant that was read from a file.
    pub fn group_location(&self) -> Option<&Location> {
        self.group_location.as_ref()
    }

    /// What each child can reach.
    pub fn get_sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Where the sandbox stands, for a grant that was read from a file.
    pub fn sandbox_location(&self) -> Option<&Location> {
        self.sandbox_location.as_ref()
    }

    /// Sets the sandbox that stands here in a file.
    pub(super) fn sandbox_found(mut self, sandbox: Sandbox, location: Location) -> Grant {
        self.sandbox_location = Some(location);
        self.sandbox(sandbox)
    }

    /// Sets the group that stands here in a file.
    pub(super) fn group_found(mut self, group: GrantGroup, location: Location) -> Grant {
        self.group_location = Some(location);
        self.group(group)
    }

    /// Sets the path that stands here in a file.
    pub(super) fn found(mut self, path: &str, location: Location) -> Grant {
        self.path = path.into();
        self.location = Some(location);
        self
    }

    /// Sets the content that stands here in a file.
    pub(super) fn sha256_found(mut self, sum: Sha256, location: Location) -> Grant {
        self.sha256_location = Some(location);
        self.sha256(sum)
    }

    /// Sets the directory that stands here in a file.
    pub(super) fn cwd_found(mut self, cwd: Cwd, location: Location) -> Grant {
        self.cwd_location = Some(location);
        self.cwd(cwd)
    }

    /// Fills in the values to inherit.
    pub(super) fn resolve_environment(&mut self, lookup: impl Fn(&str) -> Option<String>) {
        for (name, value) in &mut self.env_inherit {
            *value = lookup(name);
        }
    }

    /// What the host fixes a variable to, if it does: a value or its absence.
    pub(super) fn fixed(&self, name: &str) -> Option<Option<&str>> {
        let own = self.env.get(name).map(|value| Some(&**value));
        own.or_else(|| self.env_inherit.get(name).map(Option::as_deref))
    }
}

/// What a program could also give itself.
fn harmless() -> impl Iterator<Item = Attribute> {
    let harmful = |attribute: &Attribute| match attribute {
        Attribute::ResetIds | Attribute::RaisePriority => true,
        Attribute::Session
        | Attribute::ProcessGroup
        | Attribute::SignalMask
        | Attribute::DefaultSignals
        | Attribute::Scheduler
        | Attribute::Nice
        | Attribute::CpuAffinity
        | Attribute::Umask
        | Attribute::Rlimits
        | Attribute::ExitSignal => false,
    };
    Attribute::ALL.iter().copied().filter(move |attribute| !harmful(attribute))
}
