//! The interface `fork`.

use std::time::Duration;

use super::convert::{error_code, signal};
use crate::audit::Refusal;
use crate::bindings::fork::{self, ForkError, Forked, Options};
use crate::bindings::types::ErrorCode;
use crate::error::ForkFailure;
use crate::fork::{NotForked, Wanted};
use crate::view::ProcessCtxView;

impl fork::Host for ProcessCtxView<'_> {
    fn fork(&mut self, options: Options) -> Result<Forked, ForkFailure> {
        let exit_signal = match options.exit_signal {
            Some(name) => {
                let invalid = ForkError::Other(ErrorCode::InvalidArgument);
                Some(signal(name).ok_or(invalid)?)
            }
            None => None,
        };
        let deadline = options.deadline.map(Duration::from_nanos);
        self.limit_handles();
        // So that there is no child that its parent cannot hold.
        let room = self.table.push(()).map_err(|_| ForkError::LimitReached)?;
        self.table.delete(room)?;
        match self.ctx.fork(&Wanted { exit_signal, deadline }) {
            Ok(crate::fork::Forked::Parent(child)) => Ok(Forked::Parent(self.table.push(child)?)),
            Ok(crate::fork::Forked::Child) => Ok(Forked::Child),
            Err(error) => {
                let message = error.to_string();
                self.ctx.recorder.limited("fork", Refusal::denied("fork", &message));
                Err(fork_error(&error).into())
            }
        }
    }

    fn convert_fork_error(&mut self, failure: ForkFailure) -> wasmtime::Result<ForkError> {
        failure.split()
    }
}

fn fork_error(error: &NotForked) -> ForkError {
    use offspring_spawn::ForkError as Engine;
    match error {
        NotForked::NotPermitted | NotForked::ShutDown => ForkError::NotPermitted,
        NotForked::Busy => ForkError::Busy,
        NotForked::LimitReached(_) | NotForked::Engine(Engine::LimitReached) => {
            ForkError::LimitReached
        }
        NotForked::ExitSignal(_) => ForkError::Other(ErrorCode::InvalidArgument),
        NotForked::Engine(Engine::NotSingleThreaded) => ForkError::NotSingleThreaded,
        NotForked::Engine(Engine::OutOfMemory) => ForkError::OutOfMemory,
        NotForked::NoRuntime | NotForked::Engine(Engine::Unsupported(_)) => {
            ForkError::Unsupported(error.to_string())
        }
        NotForked::Engine(engine) => ForkError::Other(error_code(engine.errno())),
    }
}
