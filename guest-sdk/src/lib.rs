//! `std::process` for WebAssembly components.
//!
//! A component has no processes of its own. Where its host offers
//! `offspring:process`, this crate starts real Linux processes through it: the
//! programs that the host granted, under the names that it gave them, and no
//! others. Names, order and defaults are those of [`std::process`]; where the
//! host makes a difference, the item says so.
//!
//! ```no_run
#![doc = include_str!("../examples/hello.rs")]
//! ```
//!
//! # What differs from `std::process`
//!
//! - A program is the *name of a grant*, not a path. Nothing is searched.
//! - A child's environment is what its grant fixes and what [`Command::env`]
//!   adds: that of the component is not inherited.
//! - Dropping a [`Child`] or its [`PidFd`] kills the process and its process
//!   group. A child never outlives the component.
//! - [`Command::spawn`] gives away the pipe ends that the command holds, so
//!   that a command kept alive does not keep a pipe open.
//! - What the host refuses is [`PermissionDenied`], with a [`SpawnError`]
//!   inside that names the rule.
//!
//! # What is absent on purpose
//!
//! - `pre_exec`: no code of the component can run in a native child.
//! - `exec`: a component cannot become another program.
//! - `uid`, `gid`, `groups`, `arg0`: the host's to choose, not the component's.
//! - Raw descriptors and process ids as handles: a [`PidFd`] or a pipe end is
//!   owned, and never means another process or file.
//!
//! [`PermissionDenied`]: std::io::ErrorKind::PermissionDenied

#![deny(missing_docs, unsafe_code)]

mod attributes;
mod bindings;
pub mod cgroup;
mod child;
mod command;
mod error;
mod exit;
mod file_actions;
pub mod fork;
pub mod fs;
mod grant;
mod grants;
mod passed;
mod pidfd;
mod pipe;
mod pty;
mod signal;
mod status;
mod stdio;

pub use attributes::{ExitSignal, Resource, Rlimit, SchedulerPolicy};
pub use child::{Child, ChildStderr, ChildStdin, ChildStdout};
pub use command::Command;
pub use error::{ErrorCode, SpawnError, Stage};
pub use exit::exit;
pub use file_actions::{FileActions, OpenOptions};
pub use grant::{GrantHandle, NarrowError};
pub use grants::{
    Arguments, Attribute, Features, FileAction, Grant, Group, Limits, SandboxPart, StdioKinds,
    features, grants, groups, limits,
};
pub use passed::Passed;
pub use pidfd::{PidFd, wait_any};
pub use pipe::{PipeReader, PipeWriter, pipe};
pub use pty::{Pty, WindowSize};
pub use signal::Signal;
pub use status::{Cause, Change, ExitStatus, Output, PeakMemory, ResourceUsage};
pub use stdio::Stdio;
pub use wasip2::io::poll::{Pollable, poll};

/// The generated bindings: no part of this crate's interface, and free to
/// change.
#[doc(hidden)]
pub mod __internal {
    pub use crate::bindings::{
        attributes, cgroup, file_actions, fork, grant, grants, pidfd, pipe, pty, spawn, types,
    };
    pub use wasip2;
}
