//! What a sandbox is told before it is made.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustix::fs::{FileType, fstat};
use rustix::io::Errno;

use super::call_group::CallGroup;
use super::calls;
use super::capabilities::Bounds;
use super::error::{Missing, SandboxError};
use super::interpreter::{self, interpreters};
use super::landlock::{Access, Handled, Ruleset, Scope};
use super::network::Network;
use super::part::Part;
use super::support::SandboxSupport;
use super::{Made, Measures, NewKeyring, Sandbox, processes, runtime};
use crate::program::Program;

/// Builds a [`Sandbox`]. Unless told otherwise, every part is in force, an
/// error where this kernel lacks it, and nothing is allowed.
#[derive(Debug, Clone, Default)]
pub struct SandboxBuilder {
    without: BTreeSet<Part>,
    best_effort: BTreeSet<Part>,
    network: Network,
    let_through: BTreeSet<CallGroup>,
    metadata: Option<bool>,
    files: Vec<(Arc<OwnedFd>, Access)>,
    programs: Vec<Program>,
    run_time: bool,
}

impl SandboxBuilder {
    /// Leaves a part out.
    pub fn without(mut self, part: Part) -> SandboxBuilder {
        self.without.insert(part);
        self
    }

    /// Does without a part where the kernel lacks it. [`Sandbox::missing`]
    /// tells.
    pub fn best_effort(mut self, part: Part) -> SandboxBuilder {
        self.best_effort.insert(part);
        self
    }

    /// Sets which sockets there may be. Default: [`Network::Deny`].
    pub fn network(mut self, network: Network) -> SandboxBuilder {
        self.network = network;
        self
    }

    /// Lets a group of system calls through. Default: none, but
    /// [`CallGroup::Metadata`] where something may be written.
    pub fn let_through(mut self, group: CallGroup) -> SandboxBuilder {
        match group {
            CallGroup::Metadata => self.metadata = Some(true),
            group => drop(self.let_through.insert(group)),
        }
        self
    }

    /// Refuses changes to the owners, permissions, times and attributes of
    /// files also where something may be written.
    pub fn refuse_metadata(mut self) -> SandboxBuilder {
        self.metadata = Some(false);
        self
    }

    /// Allows something for a file, or for all beneath a directory, by
    /// descriptor; `O_PATH` is enough. Of two for the same file both hold.
    pub fn file(mut self, fd: impl Into<Arc<OwnedFd>>, access: Access) -> SandboxBuilder {
        self.files.push((fd.into(), access));
        self
    }

    /// The same by path. Symbolic links are followed now and never again.
    ///
    /// # Errors
    /// [`SandboxError::Open`].
    pub fn path(self, path: &Path, access: Access) -> Result<SandboxBuilder, SandboxError> {
        let open = |errno| SandboxError::Open { path: path.to_owned(), errno };
        let fd = Arc::new(runtime::open_path(path).map_err(open)?);
        let kind = FileType::from_raw_mode(fstat(&fd).map_err(open)?.st_mode);
        let with = match (access, kind) {
            (Access::Execute, FileType::RegularFile) => {
                interpreter::same(&fd, path).map(interpreters).unwrap_or_default()
            }
            (Access::Execute | Access::Read | Access::Write, _) => Vec::new(),
        };
        Ok(self.file(fd, access).executed_with(with))
    }

    /// Lets a program be executed and read, and what the kernel executes with
    /// it: a script's interpreter, a dynamic program's loader.
    pub fn program(mut self, program: &Program) -> SandboxBuilder {
        // Those of a script that are pinned, and everybody's loader.
        let files = program.files().filter_map(|file| file.read().ok());
        let with = files.flat_map(interpreters).collect();
        self.programs.push(program.clone());
        self.executed_with(with)
    }

    /// Allows what a program needs of the system to run: see
    /// [`Sandbox::run_time_files`]. Default: no.
    pub fn run_time(mut self, yes: bool) -> SandboxBuilder {
        self.run_time = yes;
        self
    }

    /// Makes the sandbox.
    ///
    /// # Errors
    /// What no kernel could do, a part that is missing here and not best effort, or
    /// what the kernel says of the rules.
    pub fn build(self) -> Result<Sandbox, SandboxError> {
        self.build_with(SandboxSupport::find())
    }

    /// The same for a machine that offers this.
    pub(super) fn build_with(self, support: SandboxSupport) -> Result<Sandbox, SandboxError> {
        let refuses_sockets = self.wants(Part::Network);
        if refuses_sockets && self.let_through.contains(&CallGroup::IoUring) {
            return Err(SandboxError::IoUringNeedsNetwork);
        }
        let mut missing = Vec::new();
        let mut force = BTreeSet::new();
        for part in Part::ALL.iter().copied().filter(|part| self.wants(*part)) {
            match support.lack(part) {
                None => drop(force.insert(part)),
                Some(lack) if self.best_effort.contains(&part) => {
                    missing.push(Missing { part, lack });
                }
                Some(lack) => return Err(SandboxError::Missing(Missing { part, lack })),
            }
        }
        let has = |part| force.contains(&part);

        let network = if has(Part::Network) { self.network } else { Network::Allow };
        let refused = if has(Part::SystemCalls) { self.refused() } else { BTreeSet::new() };
        let keys = refused.contains(&CallGroup::Keys);
        let keyring = if keys { NewKeyring::Spare } else { NewKeyring::Required };
        let core_dumps = !has(Part::SystemCalls) || !has(Part::CoreDumps);
        let calls = calls::calls(network, &refused, core_dumps);
        let measures = Measures {
            capabilities: has(Part::Capabilities).then(Bounds::find),
            keyring: has(Part::Keyring).then_some(keyring),
            // What is missing of it stops files at least.
            core_limit: self.wants(Part::CoreDumps).then(|| support.core_limit()),
            filter: calls::filter(&calls),
        };
        let handled = Handled {
            files: has(Part::Files),
            truncate: has(Part::Truncate),
            device_ioctl: has(Part::DeviceIoctl),
            tcp: network != Network::Allow && support.landlock_version() >= Some(4),
            signals: has(Part::Signals),
            abstract_sockets: network != Network::Allow && support.landlock_version() >= Some(6)
                || has(Part::AbstractSockets),
        };
        let version = support.landlock_version().unwrap_or(0);
        let ruleset = self.ruleset(handled, version).map_err(SandboxError::Ruleset)?;
        let kept = self.files.iter().map(|(fd, _)| fd).filter(|fd| runtime::is_fleeting(fd));
        let kept = kept.cloned().collect();
        let looks = !has(Part::Files)
            || !refused.contains(&CallGroup::Ptrace)
            || self.files.iter().any(|(fd, _)| processes::are_beneath(fd));
        let apart = (ruleset.is_some() && looks).then(|| Scope::of(handled, version));
        let carriers = OnceLock::new();
        let made = Made { ruleset, measures, calls, apart, carriers, force, missing, _kept: kept };
        Ok(Sandbox(Arc::new(made)))
    }

    /// Whether a part is of use.
    fn wants(&self, part: Part) -> bool {
        let wanted = |part| !self.without.contains(&part);
        wanted(part)
            && match part {
                Part::Truncate | Part::DeviceIoctl => wanted(Part::Files),
                // Without sockets there is nothing to connect to them with.
                Part::AbstractSockets => self.network != Network::Deny || !wanted(Part::Network),
                Part::Network => self.network != Network::Allow,
                Part::Files
                | Part::Signals
                | Part::SystemCalls
                | Part::Capabilities
                | Part::Keyring
                | Part::CoreDumps => true,
            }
    }

    /// The groups of system calls that are refused.
    fn refused(&self) -> BTreeSet<CallGroup> {
        let metadata = self.metadata.unwrap_or_else(|| self.writes());
        let all = CallGroup::ALL.iter().copied();
        all.filter(|group| match group {
            CallGroup::Metadata => !metadata,
            group => !self.let_through.contains(group),
        })
        .collect()
    }

    /// Whether anything may be written but devices.
    fn writes(&self) -> bool {
        let is_device = |fd: &Arc<OwnedFd>| {
            let kind = fstat(fd).map(|stat| FileType::from_raw_mode(stat.st_mode));
            matches!(kind, Ok(FileType::CharacterDevice))
        };
        let mut written = self.files.iter().filter(|(_, access)| *access == Access::Write);
        self.without.contains(&Part::Files) || written.any(|(fd, _)| !is_device(fd))
    }

    fn executed_with(mut self, with: Vec<OwnedFd>) -> SandboxBuilder {
        self.files.extend(with.into_iter().map(|fd| (Arc::new(fd), Access::Execute)));
        self
    }

    fn ruleset(&self, handled: Handled, version: u32) -> Result<Option<OwnedFd>, Errno> {
        let Some(ruleset) = Ruleset::new(handled, version)? else { return Ok(None) };
        if handled.files {
            for (fd, access) in &self.files {
                ruleset.allow(fd.as_fd(), *access)?;
            }
            for file in self.programs.iter().flat_map(Program::files) {
                // A copy that is sealed is in no file system, and needs no rule. What
                // it was made of may have become anything.
                let access = if file.is_sealed() { Access::Read } else { Access::Execute };
                ruleset.allow(file.source(), access)?;
            }
            if self.run_time {
                // Every system has some of it.
                for (path, access) in Sandbox::run_time_files() {
                    if let Some(fd) = runtime::open(path) {
                        ruleset.allow(fd.as_fd(), access)?;
                    }
                }
            }
        }
        Ok(Some(ruleset.into()))
    }
}

impl Sandbox {
    /// What [`SandboxBuilder::run_time`] allows, where it is there: what comes
    /// with the system and is the same for everybody who has an account, to
    /// read; `/dev/null` and its like, to write; the loaders of dynamic
    /// programs, to execute.
    pub fn run_time_files() -> impl Iterator<Item = (&'static Path, Access)> {
        let all = |paths: &'static [&str], access| {
            paths.iter().map(move |path| (Path::new(*path), access))
        };
        all(runtime::READ, Access::Read)
            .chain(all(runtime::WRITE, Access::Write))
            .chain(all(runtime::EXECUTE, Access::Execute))
    }

    /// Where dynamic programs have their libraries from, unless they or their
    /// environment say otherwise: directories, and the files by which loaders find
    /// what is in them. Not every system has all of it. Whoever can write there can
    /// change what these programs do.
    pub fn run_time_libraries() -> impl Iterator<Item = &'static Path> {
        runtime::LIBRARIES.iter().map(Path::new)
    }
}
