//! The WIT edge: each host function finds its resource, asks the core, and
//! puts the answer into the words of the interface.

mod attributes;
mod cgroup;
mod convert;
mod convert_cgroup;
mod errno;
mod file_actions;
mod fork;
mod grant;
mod grants;
mod pidfd;
mod pipe;
mod pty;
mod spawn;
mod spawn_async;

use std::time::Duration;

use wasmtime::component::Linker;

pub(crate) use convert::{launch_error as spawn_error, refusal};

use crate::bindings::spawn::{Ran, SpawnError, Streams};
use crate::bindings::types;
use crate::error::{ErrorCodeFailure, SpawnFailure};
use crate::view::{ProcessCtxView, ProcessView};

/// How long, or twice as long, a thread may sleep for the sake of a child that ends soon: one
/// that has nothing but its guest to attend to, or that makes children. Longer than a tick of
/// any kernel: a timer for a moment before the next tick has to be set in hardware, which
/// takes a virtual machine 20 us.
const MOMENT: Duration = Duration::from_millis(11);

impl crate::bindings::attributes::Host for ProcessCtxView<'_> {}

impl types::Host for ProcessCtxView<'_> {
    fn convert_error_code(
        &mut self,
        failure: ErrorCodeFailure,
    ) -> wasmtime::Result<types::ErrorCode> {
        failure.split()
    }
}

impl crate::bindings::spawn::Host for ProcessCtxView<'_> {
    fn convert_spawn_error(&mut self, failure: SpawnFailure) -> wasmtime::Result<SpawnError> {
        failure.split()
    }

    fn run_program(
        &mut self,
        program: String,
        args: Vec<String>,
        streams: Streams,
        patience: u64,
    ) -> Result<Ran, SpawnFailure> {
        let plain = self.plain(program, args, streams);
        let launched = self.ctx.plain_to_run(&plain, patience)?.start();
        let launched = launched.map_err(|error| self.ctx.not_spawned(&plain.request(), error))?;
        self.tell(launched)
    }
}

/// The span of a call, as the generated code has it for those that it links.
fn call(module: &'static str, function: &'static str) -> tracing::Span {
    tracing::trace_span!("wit-bindgen import", module, function)
}

/// Links what is another function for hosts whose threads must not sleep.
pub(crate) fn link_async<T: ProcessView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    pidfd::link_async(linker)?;
    spawn_async::link_async(linker)
}
