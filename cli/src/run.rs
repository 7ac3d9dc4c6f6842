//! `offspring run`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use offspring::policy::Grant;
use offspring::{ProcessCtx, ProcessCtxView, ProcessView};
use wasmtime::Store;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::p2::bindings::Command;
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::args::{RunArgs, Variable};
use crate::audit::Log;
use crate::{component, grants, stop};

/// What a shell reports for a program that aborts, and wasmtime for a trap.
const TRAPPED: u8 = 134;

/// How long it may take to kill what has used up its grace period.
const LAST_MOMENT: Duration = Duration::from_secs(1);

struct State {
    // Dropped first: children hold descriptors of the table's files.
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

/// Runs a component on this thread and returns its exit code.
pub fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    // First, while there is one thread.
    if let Err(error) = offspring::supervise() {
        eprintln!("offspring: what leaves its process group may outlive this run: {error}");
    }
    let wasi = wasi(args)?;
    let log = Log::open(args.audit.as_deref())?;
    let process = grants::context(args, &log)?;
    let engine = component::engine()?;
    let component = component::load(&engine, &args.component)?;

    let mut linker = Linker::<State>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    offspring::add_to_linker(&mut linker)?;

    let children = process.children();
    stop::on_signals(children.clone())?;
    let grace = process.policy().grants().iter().filter_map(Grant::get_grace).max();
    let mut store = Store::new(&engine, State { table: ResourceTable::new(), process, wasi });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .context("cannot start the runtime")?;
    let ended = runtime.block_on(async {
        let command = Command::instantiate_async(&mut store, &component, &linker)
            .await
            .map_err(anyhow::Error::from)
            .with_context(|| format!("cannot run {}", args.component.display()))?;
        anyhow::Ok(command.wasi_cli_run().call_run(&mut store).await)
    });
    // Ends its children before we end.
    drop(store);
    if let Some(grace) = grace {
        children.wait_until_gone(grace + LAST_MOMENT);
    }
    log.close();
    exit_code(ended?)
}

fn exit_code(ended: wasmtime::Result<Result<(), ()>>) -> anyhow::Result<ExitCode> {
    match ended {
        Ok(Ok(())) => Ok(ExitCode::SUCCESS),
        Ok(Err(())) => Ok(ExitCode::FAILURE),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(code)) => Ok(ExitCode::from(code.to_le_bytes()[0])),
            None => {
                eprintln!("offspring: the component trapped: {}", error.root_cause());
                eprintln!("{error:?}");
                Ok(ExitCode::from(TRAPPED))
            }
        },
    }
}

fn wasi(args: &RunArgs) -> anyhow::Result<WasiCtx> {
    let name = args.component.file_name().unwrap_or(args.component.as_os_str());
    let mut wasi = WasiCtxBuilder::new();
    wasi.inherit_stdio()
        .allow_blocking_current_thread(true)
        .arg(name.to_string_lossy())
        .args(&args.args);
    for Variable { name, value } in &args.env {
        if let Some(value) = value {
            wasi.env(name, value);
        }
    }
    for (host, guest) in &args.dir {
        wasi.preopened_dir(host, guest, FsPerms::ReadWrite)
            .map_err(anyhow::Error::from)
            .with_context(|| format!("cannot open the directory {}", host.display()))?;
    }
    Ok(wasi.build())
}
