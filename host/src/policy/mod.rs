//! What a guest may start: nothing, until a grant says otherwise.
//!
//! A [`Policy`] is a list of [`Grant`]s and the [`Limits`] of a guest. It is
//! read from a file in TOML or built in code, with the same words:
//!
//! ```toml
//! [program.git]
//! path = "/usr/bin/git"            # or a bare name, searched once by the host
//! sha256 = "3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8553"
//! arg0 = "git"                     # default: the path as written
//! args = ["log", "--", { rest = "paths" }]   # or "any"; default: "none"
//! env = { LANG = "C.UTF-8" }       # fixed by the host
//! env-inherit = ["PATH", "HOME"]   # fixed to the host's own values
//! env-allow = ["CI", "GIT_AUTHOR_*"]   # settable by the guest
//! cwd = "preopens"                 # or an absolute path
//! stdio = ["null", "inherit", "piped", "file", "terminal"]   # "null" always is allowed
//! attributes = ["session", "nice"] # what the guest may choose
//! file-actions = ["pass", "open"]  # what the guest may let a child do
//! rlimits = { nofile = 256, core = 0 }   # which it may only lower
//! signals = ["TERM", "INT"]        # "KILL" always is allowed
//! max-children = 4
//! spawns-per-second = 10
//! deadline = "1m30s"               # in h, m, s, ms
//! grace = "2s"                     # between SIGTERM and SIGKILL
//! detach = false                   # whether children may live on
//! group = "build"                  # or "required", "preferred": each its own
//! user = "nobody"                  # or its number; default: "inherit"
//! user-group = "nogroup"           # default: the user's own
//! user-groups = ["audio", 29]      # default: none
//! namespaces = ["pid", "net", "ipc"]     # what is nobody else's
//! view = "guest"                   # or "host": whose files are seen
//! sandbox = { read = ["/srv/data"], network = "allow" }   # or "none"
//!
//! [group.build]                    # a cgroup, which its children share
//! mode = "preferred"               # default: "required"
//! memory-max = "512M"              # so also memory-high, memory-low, swap-max
//! oom-group = true
//! pids-max = 64
//! cpu-max = "150%"                 # of one processor
//! cpu-weight = 50                  # 100 is everybody's; so also io-weight
//! cpuset-cpus = "0-3"              # so also cpuset-mems
//! io-max."/dev/sda" = { read-bytes = "10M", writes = 100 }   # per second
//!
//! [limits]                         # the defaults:
//! max-children = 64
//! max-pipes = 256
//! max-handles = 65536
//! max-buffered-bytes = 16777216
//! max-argument-bytes = 1048576
//! max-groups = 64
//! spawns-per-second = 1000         # and `spawn-burst` at once: as many
//! ```
//!
//! A guest may be let fork: `fork = { max = 8 }` is how many
//! processes there may be at once besides the first.
//!
//! What is absent is denied. What is unknown is an error.
//!
//! Nothing here makes a system call, but [`Policy::load`], which reads a file.

mod apart;
mod apart_file;
pub(crate) mod args;
mod bounds;
mod check;
mod duration;
mod env;
mod error;
mod explain;
mod file;
mod grant;
mod group;
mod group_file;
mod invalid;
mod limits;
mod narrow;
mod never;
mod quantity;
mod sandbox;
mod sandbox_file;
mod sha256;
mod stdio;
mod summary;
mod table;
pub(crate) mod text;
mod user;
pub(crate) mod words;

#[cfg(test)]
pub(crate) mod tests;

use std::path::Path;

pub use apart::{Apart, View};
pub use args::{Access, Arguments, InvalidSlots, PathRule, Slot, Slots, Word};
pub use bounds::Bounds;
pub use check::{Denied, Rule};
pub use env::{EnvPattern, InvalidEnvPattern};
pub use error::{Location, PolicyError};
pub use explain::Step;
pub use grant::{Cwd, Grant};
pub use group::{GrantGroup, Group, GroupSetting};
pub(crate) use invalid::is_group_name;
pub use limits::Limits;
pub use narrow::Narrowing;
pub use offspring_spawn::{Access as SandboxAccess, CallGroup, Network, Part};
pub use sandbox::{Sandbox, SandboxFiles, SandboxPath};
pub use sha256::{InvalidSha256, Sha256};
pub use stdio::StdioKinds;
pub use summary::Fact;
pub use user::{Account, User};
pub use words::{Attribute, FileAction};

pub(crate) use stdio::word as stdio_word;
pub(crate) use text::{near_miss, quoted};

/// What one guest may start.
///
/// Every grant in it is well formed, and no two have the same name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    grants: Vec<Grant>,
    groups: Vec<Group>,
    // None where nobody has set any, so that merging need not guess.
    limits: Option<Limits>,
    max_forks: Option<u16>,
}

impl Policy {
    /// A policy that allows nothing.
    pub fn new() -> Policy {
        Policy::default()
    }

    /// Reads a policy from the text of a file. The name is for errors.
    pub fn parse(name: &str, text: &str) -> Result<Policy, PolicyError> {
        file::read(name, text)
    }

    /// Reads a policy from a file.
    pub fn load(path: &Path) -> Result<Policy, PolicyError> {
        let name = path.to_string_lossy();
        let text = std::fs::read_to_string(path)
            .map_err(|error| PolicyError::of_file(&*name, format!("cannot be read: {error}")))?;
        Policy::parse(&name, &text)
    }

    /// Adds a grant.
    ///
    /// Fails when the policy has one of this name already, or when the grant
    /// has a value that makes no sense, such as a relative path.
    pub fn grant(mut self, grant: Grant) -> Result<Policy, PolicyError> {
        let error = |message| PolicyError::new(grant.location(), message);
        let name = quoted(grant.name());
        grant
            .validate()
            .map_err(|invalid| error(format!("program {name}: {}", invalid.message)))?;
        if let Some(first) = self.get(grant.name()) {
            let first =
                first.location().map_or_else(String::new, |first| format!(", first at {first}"));
            return Err(error(format!("program {name} is granted twice{first}")));
        }
        self.grants.push(grant);
        Ok(self)
    }

    /// Adds a group.
    ///
    /// Fails when the policy has one of this name already, or when no group can
    /// have it.
    pub fn group(mut self, group: Group) -> Result<Policy, PolicyError> {
        let error = |message| PolicyError::new(group.location(), message);
        let name = quoted(group.name());
        group.validate().map_err(|invalid| error(invalid.message))?;
        if self.get_group(group.name()).is_some() {
            return Err(error(format!("group {name} is there twice")));
        }
        self.groups.push(group);
        Ok(self)
    }

    /// Sets the limits. Default: those of [`Limits::default`].
    pub fn limits(mut self, limits: Limits) -> Policy {
        self.limits = Some(limits);
        self
    }

    /// Lets the guest fork, with so many processes at once besides the first:
    /// its forks, their forks, and so on. Default: it may not.
    pub fn forks(mut self, max: u16) -> Policy {
        self.max_forks = Some(max);
        self
    }

    /// Adds the grants of another policy. Where both set limits, the smaller
    /// of each counts, and where both let the guest fork, the smaller number.
    ///
    /// Fails when both have a grant, or a group, of the same name.
    pub fn merge(mut self, other: Policy) -> Result<Policy, PolicyError> {
        for grant in other.grants {
            self = self.grant(grant)?;
        }
        for group in other.groups {
            self = self.group(group)?;
        }
        self.limits = match (self.limits, other.limits) {
            (Some(own), Some(other)) => Some(own.min(other)),
            (own, other) => own.or(other),
        };
        self.max_forks = match (self.max_forks, other.max_forks) {
            (Some(own), Some(other)) => Some(own.min(other)),
            (own, other) => own.or(other),
        };
        Ok(self)
    }

    /// Fills in the variables that grants inherit from the host. A variable
    /// for which `lookup` has nothing is left out.
    pub fn resolve_environment(&mut self, lookup: impl Fn(&str) -> Option<String>) {
        for grant in &mut self.grants {
            grant.resolve_environment(&lookup);
        }
    }

    /// Every grant, in the order that they were added or stand in the file.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// The grant of this name.
    pub fn get(&self, name: &str) -> Option<&Grant> {
        self.grants.iter().find(|grant| grant.name() == name)
    }

    /// Every group, in the order that they were added or stand in the file.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The group of this name.
    pub fn get_group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name() == name)
    }

    /// Checks that every group that a grant names is there. Reading a file and
    /// building a context do so.
    pub fn check_groups(&self) -> Result<(), PolicyError> {
        for grant in &self.grants {
            if let GrantGroup::Named(name) = grant.get_group()
                && self.get_group(name).is_none()
            {
                let names = self.groups.iter().map(Group::name).chain(["required", "preferred"]);
                let hint = near_miss(name, names)
                    .map_or_else(String::new, |near| format!(", did you mean {}?", quoted(near)));
                let name = quoted(name);
                let message = format!("there is no group {name}{hint}");
                return Err(PolicyError::new(grant.group_location(), message));
            }
        }
        Ok(())
    }

    /// The limits.
    pub fn get_limits(&self) -> Limits {
        self.limits.unwrap_or_default()
    }

    /// How many processes there may be at once besides the first, if the guest
    /// may fork.
    pub fn get_forks(&self) -> Option<u16> {
        self.max_forks
    }
}
