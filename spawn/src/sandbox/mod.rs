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
mod key;
mod landlock;
mod network;
mod part;
mod processes;
pub(crate) mod runtime;
mod support;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, OnceLock};

pub(crate) use bpf::Instruction;
pub use builder::SandboxBuilder;
pub use call_group::CallGroup;
use calls::Calls;
use capabilities::Bounds;
pub use error::{Missing, SandboxError};
pub(crate) use key::Key;
pub use landlock::Access;
use landlock::Scope;
pub use network::Network;
pub use part::{Lack, Part};
pub use support::SandboxSupport;

use crate::carrier::Carriers;
use crate::command::Command;
use crate::error::{SpawnError, Stage};

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
    /// What the filter is made of.
    calls: Calls,
    /// What a child must enter for itself to be closed to others of the same domain.
    apart: Option<Scope>,
    /// The threads that are in it, if there are any.
    carriers: OnceLock<Carriers>,
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

    /// Makes children of this sandbox from now on by threads that are in it already, up
    /// to `most` at a time: what a sandbox costs each child, more than the spawn itself,
    /// these threads have paid once. Does nothing when it was called before.
    ///
    /// Such a thread is made when it is needed, never runs anything but this, and ends
    /// when the sandbox is dropped and its last child was waited for. A process that
    /// has one cannot be [forked](crate::Fork), nor can it put a seccomp filter on all
    /// of its threads at once.
    ///
    /// These children share one domain of Landlock, unless they see processes in `/proc`
    /// or may trace: so signals and abstract UNIX sockets reach from one to another, and
    /// to what these have started.
    ///
    /// What a child has of the thread that makes it, it has of the one that called
    /// this, then or when more are needed: processors, priority, network namespace,
    /// further restrictions. A child is made by the calling thread as before when
    ///
    /// - all such threads are busy,
    /// - its command asks for file actions, namespaces, a view, another identity or a
    ///   path to run in, or for a parent death signal of a thread that is not the
    ///   process's first,
    /// - something of it needs a right that a child of the sandbox has not,
    /// - this process has become another user or was copied by `fork`,
    /// - the kernel's clone3 is refused.
    ///
    /// # Errors
    /// When the first of these threads cannot be started, or cannot enter the sandbox.
    pub fn carry(&self, most: usize) -> Result<(), SpawnError> {
        if self.0.carriers.get().is_some() {
            return Ok(());
        }
        let at = SpawnError::at;
        let key = Key::new().map_err(at(Stage::Seccomp))?;
        let domain = self.0.apart.map(Scope::ruleset).transpose().map_err(at(Stage::Landlock))?;
        let unlocked = calls::filter(&calls::unlocked(&self.0.calls, key));
        let carriers = Carriers::new(self, key, unlocked, domain, most)?;
        // Of two that come at once one is dropped.
        drop(self.0.carriers.set(carriers));
        Ok(())
    }

    /// The threads that are in it, if there are any.
    pub(crate) fn carriers(&self) -> Option<&Carriers> {
        self.0.carriers.get()
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
