//! Spawns that another thread makes, for hosts whose own must not sleep.

use std::time::Duration;

use tracing::Instrument;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};

use super::{MOMENT, call};
use crate::bindings::spawn::SpawnError;
use crate::command::Command;
use crate::error::SpawnFailure;
use crate::launch::{LaunchError, Launched};
use crate::view::ProcessView;

/// Links `command.spawn` and `command.run` in place of those that are linked already.
pub(crate) fn link_async<T: ProcessView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    let mut interface = linker.instance("offspring:process/spawn@0.2.0")?;
    interface.func_wrap_async("[method]command.spawn", |mut store, (this,)| {
        let span = call("spawn", "[method]command.spawn");
        let spawn = async move {
            tracing::trace!(self_ = ?this, "call");
            let spawned = match elsewhere(&mut store, &this, Duration::ZERO).await {
                Ok(launched) => store.data_mut().process().hand_out(&this, launched),
                Err(failure) => Err(failure),
            };
            tracing::trace!(result = ?spawned, "return");
            answer(spawned)
        };
        Box::new(spawn.instrument(span))
    })?;
    interface.func_wrap_async("[method]command.run", |mut store, (this, patience)| {
        let span = call("spawn", "[method]command.run");
        let run = async move {
            tracing::trace!(self_ = ?this, patience, "call");
            let patience = Duration::from_nanos(patience).min(MOMENT);
            let ran = match elsewhere(&mut store, &this, patience).await {
                Ok(launched) => store.data_mut().process().tell(&this, launched),
                Err(failure) => Err(failure),
            };
            tracing::trace!(result = ?ran, "return");
            answer(ran)
        };
        Box::new(run.instrument(span))
    })
}

/// Starts a command on another thread. The guest is not there while it waits, but its
/// store is.
async fn elsewhere<T: ProcessView>(
    store: &mut StoreContextMut<'_, T>,
    this: &Resource<Command>,
    patience: Duration,
) -> Result<Result<Launched, LaunchError>, SpawnFailure> {
    let mut prepared = store.data_mut().process().prepare(this)?;
    prepared.be_patient(patience);
    Ok(prepared.start_elsewhere().await)
}

/// What the guest is told, or why it is to trap.
fn answer<T>(answer: Result<T, SpawnFailure>) -> wasmtime::Result<(Result<T, SpawnError>,)> {
    match answer {
        Ok(answer) => Ok((Ok(answer),)),
        Err(failure) => Ok((Err(failure.split()?),)),
    }
}
