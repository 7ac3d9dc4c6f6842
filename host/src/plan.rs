//! What a policy allows to be done: plain data, from which one child is made.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use offspring_spawn::{Resource, Rlimit};

use crate::policy::{Access, FileAction};
use crate::request::{Attributes, StdioKind};

/// How to start one child. Made by [`Policy::check`](crate::policy::Policy::check).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The grant that allows it, by its index among the policy's grants.
    pub grant: usize,
    /// The arguments. The first, `argv[0]`, was chosen by the host.
    pub argv: Vec<String>,
    /// The paths of the guest's among them, in their order. They become paths of
    /// the host's when they are resolved.
    pub paths: Vec<PathArgument>,
    /// The whole environment, sorted by name, each name once.
    pub env: Vec<(String, String)>,
    /// Where the child runs.
    pub cwd: PlanCwd,
    /// Where the standard input comes from.
    pub stdin: StdioKind,
    /// Where the standard output goes.
    pub stdout: StdioKind,
    /// Where the standard error goes.
    pub stderr: StdioKind,
    /// Whether the child runs in a terminal of the guest's.
    pub terminal: bool,
    /// Every kind of what the child does with its descriptors.
    pub file_actions: BTreeSet<FileAction>,
    /// The attributes that the guest chose.
    pub attributes: Attributes,
    /// The limits of the resources that the grant limits and the guest did not.
    pub rlimits: Vec<(Resource, Rlimit)>,
    /// How long the child may run: the smaller of what the guest asked for and
    /// what the grant allows.
    pub deadline: Option<Duration>,
    /// How long the child has between being asked to end, when its time is over
    /// or its handle is dropped, and being killed. Zero: it is not asked.
    pub grace: Duration,
    /// Whether the child lives on when nobody holds it any more.
    pub detach: bool,
    /// The cgroup that the child starts in.
    pub group: PlanGroup,
}

/// A path of the guest's in an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathArgument {
    /// The argument, by its index in `argv`.
    pub index: usize,
    /// Where in it the path starts, in bytes.
    pub start: usize,
    /// The directory that it must lie beneath, by a path of the guest's.
    pub under: Option<String>,
    /// What the guest must be allowed to do there.
    pub access: Access,
}

impl Plan {
    /// Whether the child gets a limit of its own on this.
    pub fn limits(&self, resource: Resource) -> bool {
        let all = self.attributes.rlimits.iter().chain(&self.rlimits);
        all.into_iter().any(|(limited, _)| *limited == resource)
    }
}

/// The directory that a child starts in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanCwd {
    /// The one that the guest chose beneath a directory that it holds.
    Guest,
    /// The one that the grant fixes.
    Fixed(PathBuf),
    /// The one where the host lets children run that have no other.
    Initial,
}

/// The cgroup that a child starts in: always one of its own, in this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanGroup {
    /// None is asked for.
    None,
    /// No other.
    Own,
    /// The group of the policy that has this name.
    Granted(String),
    /// The one that the guest chose, which lies in the one that is granted.
    Guest,
}
