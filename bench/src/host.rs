//! The host of the benchmark's guest, as people embed it.

use std::fs;
use std::future::poll_fn;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use offspring::ProcessCtx;
use offspring::cgroup::Place;
use offspring::policy::{Arguments, Grant, GrantGroup, Group, Limits, Policy, Sandbox};
use offspring::request::StdioKind;
use offspring_spawn::Resource;
use tokio::runtime::{Builder, Runtime};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::WasiCtxBuilder;

use crate::compiled;
use crate::state::State;

mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "measure",
        exports: { default: async },
    });
}

pub use bindings::Work as GuestWork;

/// The compiled guest, in the directory of the run.
pub const COMPILED: &str = "guest.cwasm";

/// Compiles a guest once for all samples.
pub fn compile(component: &Path, directory: &Path, name: &str) -> Result<()> {
    let bytes = fs::read(component)?;
    let compiled = Engine::default().precompile_component(&bytes)?;
    fs::write(directory.join(name), compiled).context("cannot write the compiled guest")
}

/// How a host has its guest's children.
#[derive(Debug, Clone, Default)]
pub struct How {
    /// Started by another thread, so that its own does not sleep.
    pub lane: bool,
    /// Each in a cgroup of its own.
    pub place: Option<Arc<Place>>,
}

/// Guests of one program, ready to be started.
pub struct Guests {
    engine: Engine,
    component: Component,
    linker: Linker<State>,
    place: Option<Arc<Place>>,
}

/// A guest that is ready to measure.
pub struct Guest {
    store: Store<State>,
    instance: bindings::Measure,
}

/// The same in an asynchronous host of one thread, as `offspring run` is.
pub struct Host {
    runtime: Runtime,
    guest: Guest,
}

impl Guests {
    /// The guest that was compiled into the directory of the run.
    pub fn load(directory: &Path, how: How) -> Result<Guests> {
        let engine = Engine::default();
        let component = compiled::load(&engine, &directory.join(COMPILED))?;
        let mut linker = Linker::<State>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        match how.lane {
            true => offspring::add_to_linker_async(&mut linker)?,
            false => offspring::add_to_linker(&mut linker)?,
        }
        Ok(Guests { engine, component, linker, place: how.place })
    }

    /// Starts one with a policy that lets it start this program.
    pub async fn start(&self, program: &Path) -> Result<Guest> {
        let process = context(program, self.place.as_ref())?;
        let wasi = WasiCtxBuilder::new().inherit_stderr().build();
        let state = State { table: ResourceTable::new(), process, wasi };
        let mut store = Store::new(&self.engine, state);
        let instance =
            bindings::Measure::instantiate_async(&mut store, &self.component, &self.linker);
        let instance = instance.await?;
        Ok(Guest { store, instance })
    }
}

impl Guest {
    /// Lets the guest do the work this often: nanoseconds by its own clock.
    pub async fn measure(
        &mut self,
        work: GuestWork,
        args: &[String],
        count: u32,
    ) -> Result<Vec<u64>> {
        let answer = self.instance.call_measure(&mut self.store, work, args, count);
        answer.await?.map_err(anyhow::Error::msg)
    }
}

impl Host {
    /// Starts a guest that may start this program.
    pub fn start(directory: &Path, program: &Path, how: How) -> Result<Host> {
        let guests = Guests::load(directory, how)?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let guest = runtime.block_on(guests.start(program))?;
        Ok(Host { runtime, guest })
    }

    /// Lets the guest do the work this often: nanoseconds by its own clock.
    pub fn measure(&mut self, work: GuestWork, args: &[String], count: u32) -> Result<Vec<u64>> {
        self.runtime.block_on(self.guest.measure(work, args, count))
    }

    /// The same: nanoseconds that the host's thread cannot serve another guest
    /// in, of one of so many.
    pub fn held(&mut self, work: GuestWork, args: &[String], count: u32) -> Result<u64> {
        let mut held = Duration::ZERO;
        self.runtime.block_on(async {
            let mut work = pin!(self.guest.measure(work, args, count));
            poll_fn(|context| {
                let start = Instant::now();
                let polled = work.as_mut().poll(context);
                held += start.elapsed();
                polled
            })
            .await
        })?;
        Ok(u64::try_from(held.as_nanos())? / u64::from(count))
    }
}

/// What a guest has that may start this program, with a cgroup for each child if
/// there is a place for it.
pub fn context(program: &Path, place: Option<&Arc<Place>>) -> Result<ProcessCtx> {
    let mut process = ProcessCtx::builder().policy(policy(program)?);
    if let Some(place) = place {
        process = process.own_groups(Arc::clone(place));
    }
    Ok(process.build()?)
}

/// The grant of the program that is measured.
pub const PROGRAM: &str = "program";

/// What the guest may start. `policed` uses every kind of rule that there is, has the
/// sandbox that a grant has by itself, and a group where this machine has cgroups.
fn policy(program: &Path) -> Result<Policy> {
    let piped = [StdioKind::Null, StdioKind::Piped, StdioKind::Pipe];
    let any = |name, path: &Path| Grant::new(name, path).arguments(Arguments::Any).stdio(piped);
    // What it is measured against has no sandbox either.
    let bare = |name, path: &Path| any(name, path).sandbox(Sandbox::none());
    let mut policed = any("policed", program)
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", "/nonexistent")
        .env_inherit("TERM")
        .env_allow("LANG".parse()?)
        .env_allow("CHOSEN*".parse()?)
        .max_children(1000)
        .rlimit(Resource::Nofile, 1024)
        .rlimit(Resource::Nproc, 4096)
        .deadline(Duration::from_secs(60));
    let mut groups = Vec::new();
    if Place::find().is_ok() {
        policed = policed.group(GrantGroup::Named("policed".to_owned()));
        groups.push(Group::new("policed"));
    }
    // What a guest can do, not what it may.
    let limits = Limits { max_children: 20_000, spawns_per_second: u32::MAX, ..Limits::default() };
    let words = |grant: Grant| {
        Ok::<_, anyhow::Error>(grant.env_allow("LANG".parse()?).env_allow("CHOSEN".parse()?))
    };
    let policy = groups.into_iter().try_fold(Policy::new(), Policy::group)?;
    Ok(policy
        .limits(limits)
        .grant(words(bare(PROGRAM, program))?)?
        .grant(policed)?
        .grant(bare("writer", Path::new("/usr/bin/head")))?
        .grant(bare("filter", Path::new("/bin/cat")))?)
}
