//! Spawns that another thread makes, for hosts whose own must not sleep.

use tracing::Instrument;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};

use super::call;
use crate::bindings::spawn::{Ran, SpawnError, Spawned};
use crate::command::Command;
use crate::error::SpawnFailure;
use crate::plain::Plain;
use crate::view::ProcessView;

/// Links what starts a process in place of what is linked already.
pub(crate) fn link_async<T: ProcessView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    let mut interface = linker.instance("offspring:process/spawn@0.2.0")?;
    interface.func_wrap_async("[method]command.spawn", |mut store, (this,)| {
        let span = call("spawn", "[method]command.spawn");
        let spawn = async move {
            tracing::trace!(self_ = ?this, "call");
            let spawned = spawn(&mut store, &this).await;
            tracing::trace!(result = ?spawned, "return");
            answer(spawned)
        };
        Box::new(spawn.instrument(span))
    })?;
    interface.func_wrap_async("[static]command.run", |mut store, (command, patience)| {
        let span = call("spawn", "[static]command.run");
        let run = async move {
            tracing::trace!(?command, patience, "call");
            let ran = run(&mut store, command, patience).await;
            tracing::trace!(result = ?ran, "return");
            answer(ran)
        };
        Box::new(run.instrument(span))
    })?;
    interface.func_wrap_async("run-program", |mut store, (program, args, streams, patience)| {
        let span = call("spawn", "run-program");
        let run = async move {
            tracing::trace!(program, ?args, ?streams, patience, "call");
            let plain = store.data_mut().process().plain(program, args, streams);
            let ran = run_plain(&mut store, &plain, patience).await;
            tracing::trace!(result = ?ran, "return");
            answer(ran)
        };
        Box::new(run.instrument(span))
    })
}

/// Starts a command on another thread. The guest is not there while it waits, but its
/// store is.
async fn spawn<T: ProcessView>(
    store: &mut StoreContextMut<'_, T>,
    this: &Resource<Command>,
) -> Result<Spawned, SpawnFailure> {
    let view = store.data_mut().process();
    let prepared = view.ctx.ready(view.table.get(this)?)?;
    let launched = prepared.start_elsewhere().await;
    let mut view = store.data_mut().process();
    match launched {
        Ok(launched) => view.hand_out(launched),
        Err(error) => Err(view.ctx.not_spawned(&view.table.get(this)?.request, error)),
    }
}

/// The same, to be waited for.
async fn run<T: ProcessView>(
    store: &mut StoreContextMut<'_, T>,
    command: Resource<Command>,
    patience: u64,
) -> Result<Ran, SpawnFailure> {
    let view = store.data_mut().process();
    let command = view.table.delete(command)?;
    let launched = view.ctx.ready_to_run(&command, patience)?.start_elsewhere().await;
    let mut view = store.data_mut().process();
    let launched = launched.map_err(|error| view.ctx.not_spawned(&command.request, error))?;
    view.tell(launched)
}

/// The same of what the guest says in one call.
async fn run_plain<T: ProcessView>(
    store: &mut StoreContextMut<'_, T>,
    plain: &Plain,
    patience: u64,
) -> Result<Ran, SpawnFailure> {
    let prepared = store.data_mut().process().ctx.plain_to_run(plain, patience)?;
    let launched = prepared.start_elsewhere().await;
    let mut view = store.data_mut().process();
    let launched = launched.map_err(|error| view.ctx.not_spawned(&plain.request(), error))?;
    view.tell(launched)
}

/// What the guest is told, or why it is to trap.
fn answer<T>(answer: Result<T, SpawnFailure>) -> wasmtime::Result<(Result<T, SpawnError>,)> {
    match answer {
        Ok(answer) => Ok((Ok(answer),)),
        Err(failure) => Ok((Err(failure.split()?),)),
    }
}
