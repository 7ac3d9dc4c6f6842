//! A host with threads, whose guests fork: each runs in a worker, a process of one
//! thread.
//!
//! `fork-worker COMPONENT` serves two tenants at once. Each has an instance of the
//! component, to which this host writes jobs and whose answers it prints.
//! `examples/fork-server` is such a component.

use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};
use offspring::fork::{self, Job, Launcher, Settings, Setup, Work, Zygote};
use offspring::{ProcessCtx, ProcessCtxView, ProcessView};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Store};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxView, WasiView};

fn main() -> Result<()> {
    // Before there is a thread. In a worker it does not return.
    fork::worker_main(prepare);
    let path = std::env::args_os().nth(1).context("usage: fork-worker COMPONENT")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let launcher = Launcher::this_program()?.setup_file(File::open(path)?);
        // Compiles the component, once.
        let zygote = launcher.zygote().await?;
        let tenants = [("red", "10\n1000\n"), ("blue", "100\ncrash\n")];
        let serving = tenants.map(|(name, jobs)| tokio::spawn(serve(zygote.clone(), name, jobs)));
        for tenant in serving {
            tenant.await??;
        }
        Ok(())
    })
}

/// Has a worker of its own do a tenant's jobs.
async fn serve(zygote: Zygote, tenant: &'static str, jobs: &str) -> Result<()> {
    let (stdin, mut input): (PipeReader, PipeWriter) = pipe()?;
    let (mut output, stdout) = pipe()?;
    // What an instance may do and has: in one place, whichever process it runs in.
    let settings = Settings::new("fork = { max = 8 }").arg("fork-server").env("TENANT", tenant);
    let job = Job::new("").settings(settings).stdin(stdin).stdout(stdout);
    let worker = zygote.start(job).await?;
    input.write_all(jobs.as_bytes())?;
    drop(input);
    let exit = worker.wait().await?;
    let mut text = String::new();
    output.read_to_string(&mut text)?;
    text.lines().for_each(|line| println!("{tenant}: {line}"));
    println!("{tenant} ended with {}", exit.status);
    Ok(())
}

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

/// In the zygote: what all workers have in common.
fn prepare(setup: Setup) -> Result<impl Fn(Work) -> u8> {
    let file = setup.files.first().context("no component")?;
    let engine = Engine::new(Config::new().parallel_compilation(false))?;
    let component = Component::from_file(&engine, format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let mut linker = Linker::<State>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    offspring::add_to_linker(&mut linker)?;
    let command = CommandPre::new(linker.instantiate_pre(&component)?)?;
    Ok(move |work| {
        run(&engine, &command, work).unwrap_or_else(|error| {
            eprintln!("{error:?}");
            1
        })
    })
}

/// In a worker: runs the guest, and returns its exit code.
fn run(engine: &Engine, command: &CommandPre<State>, work: Work) -> Result<u8> {
    let (process, mut wasi) = work.settings.builders()?;
    let (process, wasi) = (process.build()?, wasi.build());
    let state = State { table: ResourceTable::new(), process, wasi };
    let mut store = Store::new(engine, state);
    // In a fork it does not return, but ends the process with this code.
    Ok(fork::Runtime::new()?.run(async {
        let Ok(command) = command.instantiate_async(&mut store).await else {
            return 1;
        };
        match command.wasi_cli_run().call_run(&mut store).await {
            Ok(Ok(())) => 0,
            Ok(Err(())) => 1,
            Err(error) => match error.downcast_ref::<I32Exit>() {
                Some(I32Exit(code)) => code.to_le_bytes()[0],
                None => 134,
            },
        }
    }))
}
