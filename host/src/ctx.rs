//! What a host grants to one guest, ready to be used.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use offspring_spawn::{Budget, Kernel, Missing, Part, Program, Sandbox, Signal};
use wasmtime_wasi::FsPerms;

use crate::apart::{Apart, Separation};
use crate::audit::Audit;
use crate::cgroup::{Groups, Place, Spares};
use crate::checked::CheckedPolicy;
use crate::children::Children;
use crate::error::BuildError;
use crate::pipe::Room;
use crate::policy::{Cwd, Grant, Policy};
use crate::preopen::{Preopen, open_directory};
use crate::program::{self, ProgramError};
use crate::quota::Quota;
use crate::rate::Rate;
use crate::ready::Shelf;
use crate::recorder::Recorder;
use crate::sandbox::Sandboxes;
use crate::watch;
use crate::written::Written;

/// What one guest may start, and what it has started: the state of this crate
/// in a store.
#[derive(Debug)]
pub struct ProcessCtx {
    pub(crate) policy: Policy,
    /// One for each grant of the policy, in its order.
    pub(crate) granted: Vec<Granted>,
    /// In the order in which the host gave them.
    #[allow(dead_code, reason = "what children may reach is decided by these")]
    pub(crate) preopens: Vec<Preopen>,
    pub(crate) initial_cwd: Arc<OwnedFd>,
    pub(crate) children: Children,
    pub(crate) groups: Groups,
    pub(crate) held: Quota,
    pub(crate) pipes: Room,
    pub(crate) watched: Quota,
    pub(crate) place: Option<Arc<Place>>,
    /// Cgroups in that place for children to come.
    pub(crate) spares: Arc<Spares>,
    pub(crate) command_bytes: Quota,
    pub(crate) spawns: Rate,
    pub(crate) recorder: Arc<Recorder>,
    /// How many forks the whole tree may have, if there may be any.
    pub(crate) forks: Option<Budget>,
    pub(crate) parent_death_signal: Option<Signal>,
    /// Whether threads that are in a sandbox may make its children.
    pub(crate) carriers: bool,
}

/// A grant whose program and directory are open.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) program: Program,
    pub(crate) apart: Apart,
    pub(crate) sandbox: Option<Sandboxes>,
    pub(crate) cwd: Option<Arc<OwnedFd>>,
    pub(crate) live: Quota,
    pub(crate) spawns: Rate,
    /// What the last spawn has left for the next one.
    pub(crate) shelf: Shelf,
}

impl ProcessCtx {
    /// Starts a context that allows nothing.
    pub fn builder() -> ProcessCtxBuilder {
        ProcessCtxBuilder::default()
    }

    /// The guest's live children, to count or to end them from outside.
    pub fn children(&self) -> Children {
        self.children.clone()
    }

    /// What is not in force of the sandboxes of the grants, by their names, where
    /// the policy says `best-effort` and this kernel lacks it.
    pub fn missing(&self) -> impl Iterator<Item = (&str, Missing)> {
        self.policy.grants().iter().zip(&self.granted).flat_map(|(grant, granted)| {
            let missing = granted.sandbox.iter().flat_map(|made| made.of(false).missing());
            missing.map(|missing| (grant.name(), *missing))
        })
    }

    /// Empties the capability bounding set of the calling thread for good, and so
    /// of the threads that it starts from now on, if the children of every grant
    /// give up their capabilities anyway. Returns whether it is empty.
    ///
    /// A host that runs as root and is linked by
    /// [`add_to_linker`](crate::add_to_linker) does this on the threads of its
    /// guests, if it starts no other processes that are to have capabilities. Each
    /// child takes about as long to do it as to start a small program, until threads
    /// that are in the sandbox make the children.
    pub fn empty_bounding_set(&self) -> bool {
        let empties = |granted: &Granted| {
            let sandbox = granted.sandbox.as_ref().map(|made| made.of(false));
            sandbox.is_some_and(|made| made.parts().any(|part| part == Part::Capabilities))
        };
        self.granted.iter().all(empties) && Sandbox::empty_bounding_set().is_ok()
    }

    /// The policy, with its variables resolved.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }
}

/// Builds a [`ProcessCtx`]. The defaults:
///
/// - no program may be started;
/// - the guest holds no directory of the host;
/// - children that have no other directory run in the one that is `/` or `.` for
///   the guest, else in the host's `/`;
/// - children outlive the thread that spawns them, though never their handles;
/// - a child has no cgroup of its own;
/// - the guest's name is `guest`, and nothing is kept of what it does.
#[derive(Debug, Clone, Default)]
pub struct ProcessCtxBuilder {
    policy: Policy,
    grants: Vec<Grant>,
    preopens: Vec<(PathBuf, String, FsPerms)>,
    initial_cwd: Option<PathBuf>,
    die_with_thread: bool,
    without_carriers: bool,
    place: Option<Arc<Place>>,
    name: Option<String>,
    audit: Option<Arc<dyn Audit>>,
}

impl ProcessCtxBuilder {
    /// Sets what the guest may start.
    pub fn policy(mut self, policy: Policy) -> ProcessCtxBuilder {
        self.policy = policy;
        self
    }

    /// Adds one program that the guest may start.
    pub fn grant(mut self, grant: Grant) -> ProcessCtxBuilder {
        self.grants.push(grant);
        self
    }

    /// Tells that the guest holds this directory of the host under this path: all
    /// that was given to [`WasiCtxBuilder::preopened_dir`] belongs here too, with
    /// the same words. What is not told here, children of the guest do not get.
    ///
    /// [`WasiCtxBuilder::preopened_dir`]: wasmtime_wasi::WasiCtxBuilder::preopened_dir
    pub fn preopened_dir(
        mut self,
        host_path: impl Into<PathBuf>,
        guest_path: impl Into<String>,
        perms: FsPerms,
    ) -> ProcessCtxBuilder {
        self.preopens.push((host_path.into(), guest_path.into(), perms));
        self
    }

    /// Sets the directory that children run in where neither the guest chooses
    /// one nor the grant fixes one.
    pub fn initial_cwd(mut self, path: impl Into<PathBuf>) -> ProcessCtxBuilder {
        self.initial_cwd = Some(path.into());
        self
    }

    /// Gives each child a cgroup of its own in this place. Then what ends the
    /// child ends all that it ever started, also what left its process group or
    /// its session. Not for the children of a guest that may fork. Default: none, and
    /// what ends a child ends its process group.
    ///
    /// ```no_run
    /// use offspring::{ProcessCtx, cgroup::Place};
    ///
    /// let mut process = ProcessCtx::builder();
    /// if let Ok(place) = Place::find() {
    ///     process = process.own_groups(place);
    /// }
    /// ```
    pub fn own_groups(mut self, place: Arc<Place>) -> ProcessCtxBuilder {
        self.place = Some(place);
        self
    }

    /// Lets the kernel kill each child when the thread that spawned it ends,
    /// which it also does when this process is killed.
    ///
    /// Only for hosts whose guests run on a thread that lives as long as the
    /// process, such as the main one, and for those that are linked by
    /// [`add_to_linker_async`](crate::add_to_linker_async), where children are
    /// started by such threads. Elsewhere they would die at random.
    pub fn die_with_thread(mut self, yes: bool) -> ProcessCtxBuilder {
        self.die_with_thread = yes;
        self
    }

    /// Does without threads that enter the sandbox of a grant to make its children, from
    /// the fourth on in less than half of the time. Each guest has as many of them for each
    /// of its grants as children are started at the same time, and they end with it.
    ///
    /// For hosts that put restrictions on themselves when their guests run already:
    /// these threads are not told of them (network namespaces, Landlock, priority), or
    /// stand in the way of them (a seccomp filter for all threads). See
    /// [`Sandbox::carry`](offspring_spawn::Sandbox::carry).
    pub fn without_carriers(mut self) -> ProcessCtxBuilder {
        self.without_carriers = true;
        self
    }

    /// Sets what the guest is called in the log and in what is kept of it.
    pub fn name(mut self, name: impl Into<String>) -> ProcessCtxBuilder {
        self.name = Some(name.into());
        self
    }

    /// Sets who keeps what the guest does and what becomes of its children:
    /// every spawn, every refusal, signals, and every end, also of children that
    /// are killed with the store.
    pub fn audit(mut self, sink: Arc<dyn Audit>) -> ProcessCtxBuilder {
        self.audit = Some(sink);
        self
    }

    /// Checks everything that can be checked without making a context: that the
    /// programs and directories can be had, and that the guest cannot change what
    /// it may start.
    ///
    /// # Errors
    /// As [`build`](ProcessCtxBuilder::build).
    pub fn check(self) -> Result<CheckedPolicy, BuildError> {
        let (policy, preopens) = open(self.policy, self.grants, self.preopens)?;
        let granted = Granted::open_all(&policy, &preopens, self.initial_cwd.as_deref())?;
        let programs = granted.into_iter().map(|granted| granted.program).collect();
        Ok(CheckedPolicy { policy, preopens, programs })
    }

    /// Opens every program and directory that the policy names. From then on
    /// what was opened counts, whatever becomes of the paths.
    ///
    /// # Errors
    /// The first entry that cannot be used, and why; or that this kernel
    /// cannot run children at all.
    pub fn build(self) -> Result<ProcessCtx, BuildError> {
        Kernel::get()?;
        let (policy, preopens) = open(self.policy, self.grants, self.preopens)?;
        let granted = Granted::open_all(&policy, &preopens, self.initial_cwd.as_deref())?;
        let initial_cwd = initial_directory(self.initial_cwd, &preopens)?;
        let limits = policy.get_limits();
        let names = policy.grants().iter().map(|grant| grant.name().to_owned()).collect();
        let name = self.name.unwrap_or_else(|| "guest".to_owned());
        let budget = |max: u16| Budget::new(max.into()).map_err(BuildError::Forks);
        let forks = policy.get_forks().map(budget).transpose()?;
        Ok(ProcessCtx {
            granted,
            preopens,
            initial_cwd,
            children: Children::new(),
            groups: Groups::make(&policy)?,
            held: Quota::new(limits.max_children),
            pipes: Room {
                ends: Quota::new(limits.max_pipes),
                bytes: Quota::new(u32::try_from(limits.max_buffered_bytes).unwrap_or(u32::MAX)),
            },
            watched: Quota::new(watch::MAX),
            // A fork would remove what is its parent's, or leave its own.
            place: self.place.filter(|_| policy.get_forks().is_none()),
            spares: Arc::default(),
            recorder: Arc::new(Recorder::new(name, names, self.audit)),
            forks,
            command_bytes: Quota::new(held_bytes(limits.max_argument_bytes)),
            spawns: Rate::new(limits.spawns_per_second, limits.burst()),
            parent_death_signal: self.die_with_thread.then_some(Signal::KILL),
            carriers: !self.without_carriers,
            policy,
        })
    }
}

/// How many bytes all commands of a guest may take, so that making many of them
/// does not fill the host's memory.
fn held_bytes(of_one: u64) -> u32 {
    const COMMANDS: u64 = 16;
    u32::try_from(of_one.saturating_mul(COMMANDS)).unwrap_or(u32::MAX)
}

impl Granted {
    /// Opens what each grant names, or says what of the first cannot be.
    fn open_all(
        policy: &Policy,
        preopens: &[Preopen],
        initial_cwd: Option<&Path>,
    ) -> Result<Vec<Granted>, BuildError> {
        let mut separation = Separation::new(preopens, initial_cwd);
        let mut written = Written::by_guest(preopens, policy.grants());
        let open = |grant| Granted::open(grant, preopens, &mut separation, &mut written);
        policy.grants().iter().map(open).collect()
    }

    fn open(
        grant: &Grant,
        preopens: &[Preopen],
        separation: &mut Separation<'_>,
        written: &mut Written<'_>,
    ) -> Result<Granted, BuildError> {
        let program = program::open(grant, preopens).map_err(|error| BuildError::Program {
            grant: grant.name().to_owned(),
            location: match &error {
                ProgramError::Content { .. } => grant.sha256_location().cloned(),
                _ => grant.location().cloned(),
            },
            error: Box::new(error),
        })?;
        written.check(grant, &program)?;
        let apart = separation.of(grant)?;
        let cwd = match grant.get_cwd() {
            // In a view it is one of the view's.
            Cwd::Fixed(_) if apart.view.is_some() => None,
            Cwd::Fixed(path) => {
                Some(open_directory(path).map_err(|errno| BuildError::Directory {
                    grant: grant.name().to_owned(),
                    location: grant.cwd_location().cloned(),
                    path: path.clone(),
                    errno,
                })?)
            }
            Cwd::Preopens | Cwd::Unset => None,
        };
        let often = grant.get_spawns_per_second().unwrap_or(u32::MAX);
        let sandbox = Sandboxes::make(grant, &program, preopens)?;
        Ok(Granted {
            program,
            apart,
            sandbox,
            cwd: cwd.map(Arc::new),
            live: Quota::new(grant.get_max_children().unwrap_or(u32::MAX)),
            spawns: Rate::new(often, often),
            shelf: Shelf::default(),
        })
    }
}

/// The whole policy, and the guest's directories.
fn open(
    mut policy: Policy,
    grants: Vec<Grant>,
    preopens: Vec<(PathBuf, String, FsPerms)>,
) -> Result<(Policy, Vec<Preopen>), BuildError> {
    for grant in grants {
        policy = policy.grant(grant)?;
    }
    policy.check_groups()?;
    policy.resolve_environment(|name| std::env::var(name).ok());
    let preopens = preopens.into_iter().map(|(path, guest, perms)| {
        let opened = Preopen::open(&path, &guest, perms);
        opened.map_err(|errno| BuildError::Preopen { path, guest, errno })
    });
    Ok((policy, preopens.collect::<Result<_, _>>()?))
}

/// Where children run that have no other directory.
fn initial_directory(
    chosen: Option<PathBuf>,
    preopens: &[Preopen],
) -> Result<Arc<OwnedFd>, BuildError> {
    let initial = preopens.iter().find(|preopen| preopen.is_initial());
    match (chosen, initial) {
        (None, Some(preopen)) => Ok(Arc::clone(&preopen.dir)),
        (chosen, _) => {
            let path = chosen.unwrap_or_else(|| PathBuf::from("/"));
            let opened = open_directory(&path);
            opened.map(Arc::new).map_err(|errno| BuildError::InitialDirectory { path, errno })
        }
    }
}
