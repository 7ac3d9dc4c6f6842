//! What a guest may start: nothing, until a grant says otherwise.
//!
//! A [`Policy`] is a list of [`Grant`]s and the [`Limits`] of a guest. It is
//! read from a file in TOML or built in code, with the same words:
//!
//! ```toml
//! [program.git]
//! path = "/usr/bin/git"            # or a bare name, searched once by the host
//! arg0 = "git"                     # default: the path as written
//! args = "any"                     # default: "none"
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
//!
//! [fork]                           # default: the guest may not fork
//! max = 8                          # processes at once besides the first
//!
//! [limits]                         # the defaults:
//! max-children = 64
//! max-pipes = 256
//! max-handles = 65536
//! max-buffered-bytes = 16777216
//! max-argument-bytes = 1048576
//! spawns-per-second = 1000         # and `spawn-burst` at once: as many
//! ```
//!
//! What is absent is denied. What is unknown is an error.
//!
//! Nothing here makes a system call, but [`Policy::load`], which reads a file.

mod bounds;
mod check;
mod duration;
mod env;
mod error;
mod file;
mod grant;
mod invalid;
mod limits;
mod never;
mod stdio;
mod table;
pub(crate) mod text;
pub(crate) mod words;

#[cfg(test)]
mod tests;

use std::path::Path;

pub use bounds::Bounds;
pub use check::{Denied, Rule};
pub use env::{EnvPattern, InvalidEnvPattern};
pub use error::{Location, PolicyError};
pub use grant::{Arguments, Cwd, Grant};
pub use limits::Limits;
pub use stdio::StdioKinds;
pub use words::{Attribute, FileAction};

pub(crate) use stdio::word as stdio_word;

use text::quoted;

/// What one guest may start.
///
/// Every grant in it is well formed, and no two have the same name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    grants: Vec<Grant>,
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
    /// Fails when both have a grant of the same name.
    pub fn merge(mut self, other: Policy) -> Result<Policy, PolicyError> {
        for grant in other.grants {
            self = self.grant(grant)?;
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
