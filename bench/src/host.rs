//! The host of the benchmark's guest, as people embed it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use offspring::policy::{Arguments, Grant, Limits, Policy};
use offspring::request::StdioKind;
use offspring::{ProcessCtx, ProcessCtxView, ProcessView};
use tokio::runtime::{Builder, Runtime};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "measure",
        exports: { default: async },
    });
}

pub use bindings::Work as GuestWork;

struct State {
    table: ResourceTable,
    process: ProcessCtx,
    wasi: WasiCtx,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl ProcessView for State {
    fn process(&mut self) -> ProcessCtxView<'_> {
        ProcessCtxView { ctx: &mut self.process, table: &mut self.table }
    }
}

/// The compiled guest, in the directory of the run.
const COMPILED: &str = "guest.cwasm";

/// Compiles the guest once for all samples.
pub fn compile(component: &Path, directory: &Path) -> Result<()> {
    let bytes = fs::read(component)?;
    let compiled = Engine::default().precompile_component(&bytes)?;
    fs::write(directory.join(COMPILED), compiled).context("cannot write the compiled guest")
}

/// A guest that is ready to measure, in an asynchronous host of one thread, as
/// `offspring run` is.
pub struct Guest {
    runtime: Runtime,
    store: Store<State>,
    instance: bindings::Measure,
}

impl Guest {
    /// Starts the guest with a policy that lets it start this program.
    #[expect(unsafe_code, reason = "wasmtime has no other way to use what was compiled")]
    pub fn start(directory: &Path, program: &Path) -> Result<Guest> {
        let engine = Engine::default();
        // SAFETY: it was made by this program a moment ago.
        let component = unsafe { Component::deserialize_file(&engine, directory.join(COMPILED)) }?;
        let mut linker = Linker::<State>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        offspring::add_to_linker(&mut linker)?;
        let process = context(program)?;
        let wasi = WasiCtxBuilder::new().inherit_stderr().build();
        let mut store = Store::new(&engine, State { table: ResourceTable::new(), process, wasi });
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let instance = bindings::Measure::instantiate_async(&mut store, &component, &linker);
        let instance = runtime.block_on(instance)?;
        Ok(Guest { runtime, store, instance })
    }

    /// Lets the guest do the work this often: nanoseconds by its own clock.
    pub fn measure(&mut self, work: GuestWork, args: &[String], count: u32) -> Result<Vec<u64>> {
        let answer = self.instance.call_measure(&mut self.store, work, args, count);
        let answer = self.runtime.block_on(answer)?;
        answer.map_err(anyhow::Error::msg)
    }
}

/// What a guest has that may start this program.
pub fn context(program: &Path) -> Result<ProcessCtx> {
    Ok(ProcessCtx::builder().policy(policy(program)?).build()?)
}

/// The grant of the program that is measured.
pub const PROGRAM: &str = "program";

/// What the guest may start. `policed` uses every kind of rule that there is.
fn policy(program: &Path) -> Result<Policy> {
    let piped = [StdioKind::Null, StdioKind::Piped, StdioKind::Pipe];
    let any = |name, path: &Path| Grant::new(name, path).arguments(Arguments::Any).stdio(piped);
    let policed = any("policed", program)
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", "/nonexistent")
        .env_inherit("TERM")
        .env_allow("LANG".parse()?)
        .env_allow("CHOSEN*".parse()?)
        .max_children(1000)
        .deadline(Duration::from_secs(60));
    // What a guest can do, not what it may.
    let limits = Limits { max_children: 20_000, spawns_per_second: u32::MAX, ..Limits::default() };
    Ok(Policy::new()
        .limits(limits)
        .grant(any(PROGRAM, program))?
        .grant(policed)?
        .grant(any("writer", Path::new("/usr/bin/head")))?
        .grant(any("filter", Path::new("/bin/cat")))?)
}
