//! `offspring run`.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use offspring::policy::Grant;
use offspring::{ProcessCtx, ProcessCtxView, ProcessView, fork};
use tokio::runtime::Runtime;
use wasmtime::Store;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::p2::bindings::Command;
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::args::{Directory, RunArgs, Variable};
use crate::audit::Log;
use crate::component::Threads;
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
    let log = Log::open(args.audit.as_deref())?;
    let process = grants::context(args, &log)?;
    let forks = process.may_fork();
    let wasi = wasi(args, forks)?;
    // A process that forks must have one thread.
    let engine = component::engine(if forks { Threads::One } else { Threads::Many })?;
    let component = component::load(&engine, &args.component)?;

    let mut linker = Linker::<State>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    offspring::add_to_linker(&mut linker)?;

    let children = process.children();
    if !forks {
        // Else the signal ends us as it is, and our children die with us.
        stop::on_signals(children.clone())?;
    }
    let grace = process.policy().grants().iter().filter_map(Grant::get_grace).max();
    let mut store = Store::new(&engine, State { table: ResourceTable::new(), process, wasi });
    let mut failed = None;
    let guest = async {
        match Command::instantiate_async(&mut store, &component, &linker).await {
            Ok(command) => {
                if forks {
                    // Without them a fork of a large guest takes longer, and no more.
                    let _ = fork::prefer_huge_pages();
                }
                exit_code(command.wasi_cli_run().call_run(&mut store).await)
            }
            Err(error) => {
                failed = Some(error);
                0
            }
        }
    };
    let code = match forks {
        true => fork::Runtime::new().map(|runtime| runtime.run(guest)),
        false => runtime().map(|runtime| runtime.block_on(guest)),
    };
    let code = code.context("cannot start the runtime")?;
    // Ends its children before we end.
    drop(store);
    if let Some(grace) = grace {
        children.wait_until_gone(grace + LAST_MOMENT);
    }
    stop::give_way();
    log.close();
    match failed {
        Some(error) => {
            Err(anyhow::Error::from(error)
                .context(format!("cannot run {}", args.component.display())))
        }
        None => Ok(ExitCode::from(code)),
    }
}

fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()
}

fn exit_code(ended: wasmtime::Result<Result<(), ()>>) -> u8 {
    match ended {
        Ok(Ok(())) => 0,
        Ok(Err(())) => 1,
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(code)) => code.to_le_bytes()[0],
            None => {
                eprintln!("offspring: the component trapped: {}", error.root_cause());
                eprintln!("{error:?}");
                TRAPPED
            }
        },
    }
}

fn wasi(args: &RunArgs, forks: bool) -> anyhow::Result<WasiCtx> {
    let name = args.component.file_name().unwrap_or(args.component.as_os_str());
    let mut wasi = WasiCtxBuilder::new();
    wasi.inherit_stdio()
        .allow_blocking_current_thread(true)
        .arg(name.to_string_lossy())
        .args(&args.args);
    if forks {
        fork::configure(&mut wasi).context("cannot use the standard input")?;
    }
    for Variable { name, value } in &args.env {
        if let Some(value) = value {
            wasi.env(name, value);
        }
    }
    for Directory { host, guest, perms } in &args.dir {
        wasi.preopened_dir(host, guest, *perms)
            .map_err(anyhow::Error::from)
            .with_context(|| format!("cannot open the directory {}", host.display()))?;
    }
    Ok(wasi.build())
}
