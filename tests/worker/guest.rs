//! What runs in a worker.

use std::os::fd::{AsRawFd, OwnedFd};

use offspring::fork::{self, Channel, Setup, Work};
use offspring::{ProcessCtx, ProcessCtxView, ProcessView};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Store};
use wasmtime_wasi::p2::bindings::{Command, CommandPre};
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxView, WasiView};

struct State {
    table: ResourceTable,
    process: ProcessCtx,
    wasi: WasiCtx,
    channel: Channel,
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

/// What the setup may say instead of naming a guest.
pub const FAILS: &str = "fails";
pub const PANICS: &str = "panics";
pub const HAS_A_THREAD: &str = "has a thread";

/// Compiles the guest that the setup has, once for all workers of a zygote.
pub fn prepare(setup: Setup) -> wasmtime::Result<impl Fn(Work) -> u8> {
    match std::str::from_utf8(&setup.bytes)? {
        FAILS => return Err(wasmtime::Error::msg("there is nothing to prepare")),
        PANICS => panic!("on purpose"),
        HAS_A_THREAD => drop(std::thread::spawn(|| {
            loop {
                std::thread::park();
            }
        })),
        _ => {}
    }
    let engine = Engine::new(Config::new().parallel_compilation(false))?;
    let path = |file: &OwnedFd| format!("/proc/self/fd/{}", file.as_raw_fd());
    let file = setup.files.first().ok_or(wasmtime::Error::msg("no component"))?;
    let component = Component::new(&engine, std::fs::read(path(file))?)?;
    let mut linker = Linker::<State>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    offspring::add_to_linker(&mut linker)?;
    linker.root().func_wrap("ask", |store, (question,): (String,)| {
        let answer = store.data().channel.call(question.as_bytes())?;
        let (number, text) = answer.split_first_chunk().ok_or(wasmtime::Error::msg("short"))?;
        Ok(((u64::from_le_bytes(*number), String::from_utf8(text.to_vec())?),))
    })?;
    let command = CommandPre::new(linker.instantiate_pre(&component)?)?;
    Ok(move |work| run(&engine, &command, work).unwrap_or(99))
}

/// Runs the guest as the job says.
fn run(engine: &Engine, command: &CommandPre<State>, work: Work) -> wasmtime::Result<u8> {
    let (process, mut wasi) = work.settings.builders()?;
    let (process, wasi) = (process.build()?, wasi.build());
    let state = State { table: ResourceTable::new(), process, wasi, channel: work.channel };
    let mut store = Store::new(engine, state);
    let code = fork::Runtime::new()?.run(async {
        let command: Command = match command.instantiate_async(&mut store).await {
            Ok(command) => command,
            Err(_) => return 98,
        };
        match command.wasi_cli_run().call_run(&mut store).await {
            Ok(Ok(())) => 0,
            Ok(Err(())) => 1,
            Err(error) => match error.downcast_ref::<I32Exit>() {
                Some(exit) => exit.0.to_le_bytes()[0],
                None => {
                    eprintln!("{error:?}");
                    134
                }
            },
        }
    });
    Ok(code)
}
