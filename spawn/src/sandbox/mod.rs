//! What a child can reach: files, sockets, processes, the kernel.
//!
//! A sandbox is made once and used for any number of children. All that can
//! fail or takes memory is done then: files are opened, Landlock's rules are
//! with the kernel, the seccomp filter is compiled to the kernel's language. A
//! child makes some system calls, with the numbers and addresses that it finds.
//!
//! `docs/sandbox.md` says what each part does and why, and what none of them
//! stops.

mod bpf;
mod builder;
mod call_group;
mod calls;
mod capabilities;
mod code;
mod core;
mod error;
mod interpreter;
mod landlock;
mod network;
mod part;
pub(crate) mod runtime;
mod support;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

pub(crate) use bpf::Instruction;
pub use builder::SandboxBuilder;
pub use call_group::CallGroup;
use capabilities::Bounds;
pub use error::{Missing, SandboxError};
pub use landlock::Access;
pub use network::Network;
pub use part::{Lack, Part};
pub use support::SandboxSupport;

use crate::command::Command;

/// What children can reach.
///
/// A sandbox without further words lets a child do nothing but compute and use
/// the descriptors that it was given; it cannot even be started, because its
/// program may not be executed. What a [builder](Sandbox::builder) is told
/// widens that.
///
/// Cheap to clone.
///
/// ```
/// use offspring_spawn::{Command, Program, Sandbox};
///
/// let cat = Program::open("/bin/cat")?;
/// let sandbox = Sandbox::builder().run_time(true).program(&cat).build()?;
/// let mut command = Command::new(&cat);
/// command.arg("/etc/shadow").sandbox(&sandbox);
/// assert!(!command.spawn()?.wait()?.status.success());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # References
/// - [landlock(7)](https://man7.org/linux/man-pages/man7/landlock.7.html)
/// - [seccomp(2)](https://man7.org/linux/man-pages/man2/seccomp.2.html)
/// - [capabilities(7)](https://man7.org/linux/man-pages/man7/capabilities.7.html)
#[derive(Debug, Clone)]
pub struct Sandbox(Arc<Made>);

/// What was made of it.
#[derive(Debug)]
struct Made {
    ruleset: Option<OwnedFd>,
    measures: Measures,
    force: BTreeSet<Part>,
    missing: Vec<Missing>,
    /// Files of which the rules would say nothing any more if nobody had them open.
    _kept: Vec<Arc<OwnedFd>>,
}

/// What a child does to itself, besides entering the rules for files.
#[derive(Debug, Default)]
pub(crate) struct Measures {
    /// To give up all capabilities, and what keeps it from getting more.
    pub(crate) capabilities: Option<Bounds>,
    pub(crate) keyring: Option<NewKeyring>,
    /// The limit, soft and hard, that lets no core be written.
    pub(crate) core_limit: Option<u64>,
    /// The filter for system calls; none if it is empty.
    pub(crate) filter: Vec<Instruction>,
}

/// How a child leaves the keyring of its parent's session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NewKeyring {
    /// It must.
    Required,
    /// It should: nothing that the filter lets through would find a key.
    Spare,
}

impl Sandbox {
    /// Starts a sandbox that has every part in force and allows nothing.
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder::default()
    }

    /// The parts that are in force.
    pub fn parts(&self) -> impl Iterator<Item = Part> {
        self.0.force.iter().copied()
    }

    /// The parts that were asked for as best effort and are not in force.
    pub fn missing(&self) -> &[Missing] {
        &self.0.missing
    }

    pub(crate) fn ruleset(&self) -> Option<BorrowedFd<'_>> {
        self.0.ruleset.as_ref().map(AsFd::as_fd)
    }

    pub(crate) fn measures(&self) -> &Measures {
        &self.0.measures
    }
}

impl Command {
    /// Runs the child in this sandbox, which it enters after all other
    /// attributes and the file actions: what these open is open. Sets
    /// `no_new_privs`, too.
    ///
    /// While [`Part::CoreDumps`] is in force, the child's limit of core files
    /// is the sandbox's.
    pub fn sandbox(&mut self, sandbox: &Sandbox) -> &mut Command {
        self.sandbox = Some(sandbox.clone());
        self
    }
}
