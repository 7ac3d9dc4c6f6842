//! Errors at the two edges: what an embedder gets when a context cannot be
//! built, and what a host function returns.

use std::path::PathBuf;

use offspring_spawn::{Errno, SandboxError, Unsupported};
use wasmtime::component::ResourceTableError;

use crate::bindings::{cgroup, fork, grant, spawn, types};
use crate::policy::{Location, PolicyError};
use crate::program::ProgramError;
use crate::written::WrittenError;

/// Why a [`ProcessCtx`](crate::ProcessCtx) cannot be built.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// This kernel lacks what no child can do without.
    #[error("this kernel cannot run children: {0}")]
    Kernel(#[from] Unsupported),
    /// The policy contradicts itself.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A program that the policy grants cannot be had, or not safely.
    #[error("{}cannot grant `{grant}`: {error}", place(.location))]
    Program {
        /// The name of the grant.
        grant: String,
        /// Where the policy file says so.
        location: Option<Location>,
        /// Why.
        error: Box<ProgramError>,
    },
    /// Children of a grant would run what was written by the guest or by themselves.
    #[error("{}cannot grant `{grant}`: {error}", place(.location))]
    Written {
        /// The name of the grant.
        grant: String,
        /// Where the policy file says so.
        location: Option<Location>,
        /// What, and what would mend it.
        error: Box<WrittenError>,
    },
    /// The sandbox of a grant cannot be made.
    #[error("{}cannot confine `{grant}`: {error}{}", place(.location), remedy(.error))]
    Sandbox {
        /// The name of the grant.
        grant: String,
        /// Where the policy file says so.
        location: Option<Location>,
        /// Why.
        error: SandboxError,
    },
    /// There is no memory to count forks in.
    #[error("cannot count forks: {0}")]
    Forks(Errno),
    /// A directory that the guest holds cannot be opened.
    #[error("cannot open {}, which is `{guest}` for the guest: {errno}", .path.display())]
    Preopen {
        /// The directory.
        path: PathBuf,
        /// Its path for the guest.
        guest: String,
        /// Why.
        errno: Errno,
    },
    /// The directory that children start in cannot be opened.
    #[error("cannot open the initial directory {}: {errno}", .path.display())]
    InitialDirectory {
        /// The directory.
        path: PathBuf,
        /// Why.
        errno: Errno,
    },
    /// A cgroup that the policy requires, or one of its settings, cannot be had.
    #[error("{}cannot make {what}: {why}", place(.location))]
    Group {
        /// What cannot be had.
        what: String,
        /// Where the policy file asks for it.
        location: Option<Location>,
        /// Why, and what would mend it.
        why: String,
    },
    /// What children are to have apart from the host cannot be had.
    #[error("{}`{grant}` cannot {what}: {why}", place(.location))]
    Apart {
        /// The name of the grant.
        grant: String,
        /// What its children cannot.
        what: &'static str,
        /// Where the policy file asks for it.
        location: Option<Location>,
        /// Why, and what would mend it.
        why: String,
    },
    /// A directory that the policy lets children run in cannot be opened.
    #[error("{}cannot run `{grant}` in {}: {errno}", place(.location), .path.display())]
    Directory {
        /// The name of the grant.
        grant: String,
        /// Where the policy file says so.
        location: Option<Location>,
        /// The directory.
        path: PathBuf,
        /// Why.
        errno: Errno,
    },
}

/// What a host may say, where a kernel lacks something.
fn remedy(error: &SandboxError) -> String {
    match error {
        SandboxError::Missing(missing) => {
            format!("; or do without it: `sandbox.best-effort = [\"{}\"]`", missing.part)
        }
        _ => String::new(),
    }
}

fn place(location: &Option<Location>) -> String {
    location.as_ref().map_or_else(String::new, |location| format!("{location}: "))
}

/// Why a host function failed: an error for the guest, or one that ends it.
#[derive(Debug)]
pub enum Failure<E> {
    /// What the guest gets.
    Guest(E),
    /// The guest has broken the rules of its resources: a trap.
    Trap(wasmtime::Error),
}

/// The failure of most functions.
pub type ErrorCodeFailure = Failure<types::ErrorCode>;

/// The failure of functions on cgroups.
pub type CgroupFailure = Failure<cgroup::CgroupError>;

/// The failure of `command.spawn`.
pub type SpawnFailure = Failure<spawn::SpawnError>;

/// The failure of `grant.narrow`.
pub type NarrowFailure = Failure<grant::NarrowError>;

/// The failure of `fork`.
pub type ForkFailure = Failure<fork::ForkError>;

impl<E> Failure<E> {
    /// The guest's error as a value, a trap as an error.
    pub(crate) fn split(self) -> wasmtime::Result<E> {
        match self {
            Failure::Guest(error) => Ok(error),
            Failure::Trap(trap) => Err(trap),
        }
    }
}

impl From<types::ErrorCode> for ErrorCodeFailure {
    fn from(code: types::ErrorCode) -> ErrorCodeFailure {
        Failure::Guest(code)
    }
}

impl From<cgroup::CgroupError> for CgroupFailure {
    fn from(error: cgroup::CgroupError) -> CgroupFailure {
        Failure::Guest(error)
    }
}

impl From<spawn::SpawnError> for SpawnFailure {
    fn from(error: spawn::SpawnError) -> SpawnFailure {
        Failure::Guest(error)
    }
}

impl From<grant::NarrowError> for NarrowFailure {
    fn from(error: grant::NarrowError) -> NarrowFailure {
        Failure::Guest(error)
    }
}

impl From<fork::ForkError> for ForkFailure {
    fn from(error: fork::ForkError) -> ForkFailure {
        Failure::Guest(error)
    }
}

impl<E> From<ResourceTableError> for Failure<E> {
    fn from(error: ResourceTableError) -> Failure<E> {
        Failure::Trap(error.into())
    }
}
