//! Runs a component that may start `git` and nothing else.

use offspring::{ProcessCtx, ProcessCtxView, ProcessView, policy::Grant};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Result, Store};
use wasmtime_wasi::p2::{add_to_linker_sync, bindings::sync::Command};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

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

fn main() -> Result<()> {
    let engine = Engine::default();
    let component = Component::from_file(&engine, std::env::args().nth(1).unwrap_or_default())?;
    let mut linker = Linker::<State>::new(&engine);
    add_to_linker_sync(&mut linker)?;
    offspring::add_to_linker(&mut linker)?;

    let process = ProcessCtx::builder().grant(Grant::permissive("git", "git")).build()?;
    let wasi = WasiCtx::builder().inherit_stdio().build();
    let state = State { table: ResourceTable::new(), process, wasi };
    let mut store = Store::new(&engine, state);
    let command = Command::instantiate(&mut store, &component, &linker)?;
    let ended = command.wasi_cli_run().call_run(&mut store)?;
    ended.map_err(|()| wasmtime::format_err!("the component failed"))
}
