//! Guests that fork.
//!
//! A fork is sound only in a process of one thread, and right only where all that
//! belongs to the process is put right in its copy. So a guest can fork where its
//! host
//!
//! - lets it, by [`Policy::forks`](crate::policy::Policy::forks);
//! - runs it by [`Runtime::run`], with asynchronous WASI, in a process that has
//!   no other thread;
//! - built its WASI context with [`configure`], and links this crate by
//!   [`add_to_linker`](crate::add_to_linker), because the other one spawns on
//!   threads that stay;
//! - compiles without threads: an engine of which
//!   [`parallel_compilation`](wasmtime::Config::parallel_compilation) is off, or
//!   components that were compiled ahead of time.
//!
//! Everywhere else the guest is told that it cannot. A host with threads runs such guests
//! in [`Worker`]s.
//!
//! ```no_run
//! use offspring::fork;
//! # use offspring::{ProcessCtx, ProcessCtxView, ProcessView};
//! # use wasmtime::component::{Component, Linker, ResourceTable};
//! # use wasmtime::{Config, Engine, Store};
//! # use wasmtime_wasi::p2::{add_to_linker_async, bindings::Command};
//! # use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
//! # struct State { table: ResourceTable, process: ProcessCtx, wasi: WasiCtx }
//! # impl WasiView for State {
//! #     fn ctx(&mut self) -> WasiCtxView<'_> {
//! #         WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
//! #     }
//! # }
//! # impl ProcessView for State {
//! #     fn process(&mut self) -> ProcessCtxView<'_> {
//! #         ProcessCtxView { ctx: &mut self.process, table: &mut self.table }
//! #     }
//! # }
//! # fn main() -> wasmtime::Result<()> {
//! let runtime = fork::Runtime::new()?;
//! let engine = Engine::new(Config::new().parallel_compilation(false))?;
//! let component = Component::from_file(&engine, "guest.wasm")?;
//! let mut linker = Linker::<State>::new(&engine);
//! add_to_linker_async(&mut linker)?;
//! offspring::add_to_linker(&mut linker)?;
//!
//! let policy = offspring::policy::Policy::new().forks(8);
//! let mut wasi = WasiCtx::builder();
//! fork::configure(wasi.inherit_stdio())?;
//! let process = ProcessCtx::builder().policy(policy).build()?;
//! let state = State { table: ResourceTable::new(), process, wasi: wasi.build() };
//! let mut store = Store::new(&engine, state);
//! let code = runtime.run(async {
//!     let Ok(command) = Command::instantiate_async(&mut store, &component, &linker).await else {
//!         return 1;
//!     };
//!     // Where the guest returns in a fork, `run` ends the process with this.
//!     match command.wasi_cli_run().call_run(&mut store).await {
//!         Ok(Ok(())) => 0,
//!         Ok(Err(())) => 1,
//!         Err(_trap) => 134,
//!     }
//! });
//! // So only the first process comes here.
//! println!("the guest ended with {code}");
//! # Ok(())
//! # }
//! ```

mod runtime;
mod stdin;
mod ticker;
mod worker;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use offspring_spawn::{CgroupError, Errno, Fork, ForkError, Signal};
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use wasmtime_wasi::WasiCtxBuilder;

use crate::cgroup::{Leaf, Node};
use crate::child::{Child, Origin};
use crate::ctx::ProcessCtx;
use crate::held::Narrowed;
use crate::launch::LaunchError;
use crate::plan::PlanGroup;
use crate::process::{Alive, ChildProcess, Counted};

pub use offspring_spawn::{Exit, ExitStatus, PidFd, prefer_huge_pages};
pub use runtime::Runtime;
pub(crate) use runtime::end_fork;
pub use worker::{
    Answer, Call, Channel, Job, Launcher, Settings, SettingsError, Setup, StartError, Work, Worker,
    Zygote, worker_main,
};

use worker::Fresh;

/// What a guest asks for.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) exit_signal: Option<Signal>,
    pub(crate) deadline: Option<Duration>,
    /// The cgroup that the child is to begin in.
    pub(crate) group: Option<Arc<Node>>,
}

/// Which process this is.
#[derive(Debug)]
pub(crate) enum Forked {
    Parent(Child),
    Child,
}

/// Why there is no second process.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotForked {
    #[error("the policy has no `fork`")]
    NotPermitted,
    #[error("{0}")]
    LimitReached(String),
    #[error("{0} as exit signal could end the host")]
    ExitSignal(Signal),
    #[error("the host does not run this guest by `offspring::fork::Runtime`")]
    NoRuntime,
    #[error("a thread of the host still works for this guest")]
    Busy,
    #[error("the host is ending")]
    ShutDown,
    #[error("the group is frozen, and a child in it would not begin before it is thawed")]
    Frozen,
    #[error(transparent)]
    Group(#[from] CgroupError),
    #[error("no connection to the embedder: {0}")]
    Channel(Errno),
    #[error(transparent)]
    Engine(#[from] ForkError),
}

/// Signals that do nothing to a process which does not ask for them.
const HARMLESS: [Signal; 4] = [Signal::CHLD, Signal::CONT, Signal::URG, Signal::WINCH];

impl ProcessCtx {
    /// Whether the policy lets the guest fork: then it should be run by a
    /// [`Runtime`].
    pub fn may_fork(&self) -> bool {
        self.forks.is_some()
    }

    /// Makes a copy of this process, with the guest in it.
    pub(crate) fn fork(&self, wanted: &Wanted) -> Result<Forked, NotForked> {
        let budget = self.forks.as_ref().ok_or(NotForked::NotPermitted)?;
        if let Some(signal) = wanted.exit_signal.filter(|signal| !HARMLESS.contains(signal)) {
            return Err(NotForked::ExitSignal(signal));
        }
        // Goes on in both processes when this returns.
        let _paused = runtime::pause_epochs();
        runtime::wait_until_alone()?;
        let full = |what: &str, max| NotForked::LimitReached(format!("{max} {what} already"));
        let held = self.held.take();
        let held = held.ok_or_else(|| full("children are held", self.held.max()))?;
        let slot = budget.take().or_else(|| {
            self.children.notice_ends();
            budget.take()
        });
        let slot = slot.ok_or_else(|| full("forks live", budget.max()))?;
        let membership = self.children.join().ok_or(NotForked::ShutDown)?;
        let often = |often| NotForked::LimitReached(format!("too many forks: {often}"));
        self.spawns.take(Instant::now()).map_err(often)?;

        let leaf = self.groups.leaf(&PlanGroup::Guest, wanted.group.as_ref());
        let leaf = leaf.map_err(|error| match error {
            LaunchError::Group(error) => NotForked::Group(error),
            _ => NotForked::Frozen,
        })?;
        let mut fork = Fork::new();
        if let Some(cgroup) = leaf.as_ref().and_then(Leaf::cgroup) {
            fork.cgroup(cgroup);
        }
        fork.exit_signal(wanted.exit_signal).parent_death_signal(Some(Signal::KILL));
        if let Some(after) = wanted.deadline {
            fork.deadline(after);
        }
        let channel = Fresh::prepare().map_err(|error| {
            NotForked::Channel(Errno::from_io_error(&error).unwrap_or(Errno::IO))
        })?;
        // What is in a buffer now would be written twice.
        flush();
        expect_more();
        let number = self.recorder.next_child();
        let until = wanted.deadline.and_then(|after| Instant::now().checked_add(after));
        match fork.fork()? {
            offspring_spawn::Forked::Child => {
                // A copy is no place, and to drop it would copy a page.
                std::mem::forget(slot);
                channel.begin();
                self.recorder.enter_fork(number);
                runtime::enter_fork(&self.children);
                Ok(Forked::Child)
            }
            offspring_spawn::Forked::Parent(child) => {
                // Without a number it is not found out when we are killed, and
                // keeps its place until then.
                let pid = child.pidfd().getpid().ok();
                if let Some(pid) = pid {
                    slot.give(pid);
                }
                let account = self.recorder.forked(number, pid);
                let place = membership.id();
                let alive = Alive { membership, _counted: Counted::Fork(slot) };
                let children = self.children.clone();
                let process = ChildProcess::new(alive, held, leaf, Duration::ZERO, false, children);
                let process = Arc::new(process.until(until));
                let is_wanted = self.children.starting(place, &process);
                process.started(child, Some(account));
                if !is_wanted {
                    return Err(NotForked::ShutDown);
                }
                self.children.started(place, &process);
                Ok(Forked::Parent(Child::new(process, Origin::Fork, Narrowed::default())))
            }
        }
    }
}

/// Prepares a guest's WASI for forks: its standard input is read without a
/// thread, and its random bytes come from the kernel each time, so that they are
/// others in each process.
///
/// # Errors
/// When the standard input of this process cannot be duplicated.
pub fn configure(wasi: &mut WasiCtxBuilder) -> std::io::Result<&mut WasiCtxBuilder> {
    wasi.stdin(stdin::Stdin::new()?)
        .secure_random(UnwrapErr(SysRng))
        .insecure_random(UnwrapErr(SysRng))
        .allow_blocking_current_thread(true);
    Ok(wasi)
}

/// Makes forks cheaper, at some expense, when this is called for so many times in a line
/// of forks that it would have paid: where there were so many there will be more.
fn expect_more() {
    const MANY: u32 = 32;
    static FORKS: AtomicU32 = AtomicU32::new(0);
    if FORKS.fetch_add(1, Ordering::Relaxed) + 1 == MANY {
        // Without it they take longer, and that is all.
        let _ = offspring_spawn::prefer_huge_code();
        let _ = offspring_spawn::prefer_huge_ends();
    }
}

/// Writes out what this process has buffered.
fn flush() {
    // Who waits for it learns of a failure by its own next write.
    let _ = std::io::stdout().flush();
}
