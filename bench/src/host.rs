//! The host of the benchmark's guest, as people embed it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use offspring::policy::{Arguments, Grant, Policy};
use offspring::request::StdioKind;
use offspring::{ProcessCtx, ProcessCtxView, ProcessView};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::p2::bindings::sync::Command;
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::method::Work;

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

/// Compiles the guest once for all samples.
pub fn compile(component: &Path, output: &Path) -> Result<()> {
    let bytes = fs::read(component)?;
    let compiled = Engine::default().precompile_component(&bytes)?;
    fs::write(output, compiled).context("cannot write the compiled guest")
}

/// Lets the guest measure.
#[expect(unsafe_code, reason = "wasmtime has no other way to use what was compiled")]
pub fn run(directory: &Path, program: &Path, work: Work, count: usize) -> Result<Vec<u64>> {
    let engine = Engine::default();
    // SAFETY: it was made by this program a moment ago.
    let component = unsafe { Component::deserialize_file(&engine, directory.join("guest.cwasm")) }?;
    let mut linker = Linker::<State>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
    offspring::add_to_linker(&mut linker)?;

    let writer =
        Grant::new("writer", "/usr/bin/head").arguments(Arguments::Any).stdio([StdioKind::Piped]);
    let policy = Policy::new().grant(Grant::new("program", program))?.grant(writer)?;
    let process = ProcessCtx::builder().policy(policy).build()?;
    let stdout = MemoryOutputPipe::new(1 << 20);
    let word = match work {
        Work::Tiny | Work::True => "spawn",
        Work::Call => "call",
        Work::Stdout => "stdout",
    };
    let wasi = WasiCtxBuilder::new()
        .stdout(stdout.clone())
        .inherit_stderr()
        .args(&["guest", word, &count.to_string()])
        .build();
    let mut store = Store::new(&engine, State { table: ResourceTable::new(), process, wasi });
    let command = Command::instantiate(&mut store, &component, &linker)?;
    let ended = command.wasi_cli_run().call_run(&mut store)?;
    ended.map_err(|()| anyhow::anyhow!("the guest failed"))?;
    let text = String::from_utf8(stdout.contents().to_vec())?;
    text.lines().map(|line| line.parse().context("a figure")).collect()
}
