//! Forks of a guest, in a host of one thread.

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};
use offspring::policy::{Limits, Policy};
use offspring::{ProcessCtx, fork};
use wasmtime::component::{Linker, ResourceTable};
use wasmtime::{Config, Engine, Store};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::{I32Exit, WasiCtx};

use super::native;
use super::resident::Resident;
use crate::compiled;
use crate::state::State;

/// The compiled guest, in the directory of the run.
pub const COMPILED: &str = "forks.cwasm";

/// By what pages the guest's memory is backed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pages {
    /// As the kernel likes.
    Small,
    /// The kernel is asked for huge ones.
    Huge,
}

/// The guest, ready to be instantiated.
pub struct Program {
    engine: Engine,
    command: CommandPre<State>,
}

impl Program {
    pub fn load(compiled: &Path) -> Result<Program> {
        let engine = Engine::new(Config::new().parallel_compilation(false))?;
        let component = compiled::load(&engine, compiled)?;
        let mut linker = Linker::<State>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        offspring::add_to_linker(&mut linker)?;
        let command = CommandPre::new(linker.instantiate_pre(&component)?)?;
        Ok(Program { engine, command })
    }

    /// Runs it with these arguments, and returns its exit code.
    pub fn run(&self, args: &[String], pages: Pages) -> Result<u8> {
        self.run_then(args, pages, || {})
    }

    /// Runs it, and does this when it has ended, with all that it has still there.
    fn run_then(&self, args: &[String], pages: Pages, then: impl FnOnce()) -> Result<u8> {
        let limits = Limits { spawns_per_second: u32::MAX, ..Limits::default() };
        let policy = Policy::new().forks(8).limits(limits);
        let process = ProcessCtx::builder().policy(policy).build()?;
        let mut wasi = WasiCtx::builder();
        fork::configure(wasi.inherit_stdio().arg("forks").args(args))?;
        let state = State { table: ResourceTable::new(), process, wasi: wasi.build() };
        let mut store = Store::new(&self.engine, state);
        Ok(fork::Runtime::new()?.run(async {
            let Ok(command) = self.command.instantiate_async(&mut store).await else {
                return 1;
            };
            if pages == Pages::Huge && fork::prefer_huge_pages().is_err() {
                return 1;
            }
            let ended = command.wasi_cli_run().call_run(&mut store).await;
            then();
            match ended {
                Ok(Ok(())) => 0,
                Ok(Err(())) => 1,
                Err(error) => match error.downcast_ref::<I32Exit>() {
                    Some(I32Exit(code)) => code.to_le_bytes()[0],
                    None => 134,
                },
            }
        }))
    }
}

/// Warms a guest up once and lets it fork so often; it prints its own figures. Then
/// prints what the process has in memory, and what its own bare forks take.
pub fn forks(directory: &Path, size: usize, count: usize, pages: Pages) -> Result<()> {
    let program = Program::load(&directory.join(COMPILED))?;
    let mut last = Ok(());
    let args = [size.to_string(), count.to_string()];
    let code = program.run_then(&args, pages, || last = measure_host(count))?;
    ensure!(code == 0, "the guest ended with {code}");
    last
}

/// What this process has, and what its bare forks take.
fn measure_host(count: usize) -> Result<()> {
    println!("resident {}", Resident::of_this()?);
    native::fork_often("bare", count)
}

/// Instantiates a guest anew and warms it up, so often, and prints what each took.
pub fn fresh(directory: &Path, size: usize, count: usize) -> Result<()> {
    let program = Program::load(&directory.join(COMPILED))?;
    for _ in 0..count {
        let start = Instant::now();
        let code = program.run(&[size.to_string(), "0".to_owned()], Pages::Small)?;
        ensure!(code == 0, "the guest ended with {code}");
        println!("fresh {}", start.elapsed().as_nanos());
    }
    Ok(())
}
