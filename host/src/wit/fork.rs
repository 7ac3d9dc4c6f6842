//! The interface `fork`.

use std::sync::Arc;
use std::time::Duration;

use offspring_spawn::Errno;

use super::convert::{error_code, signal};
use super::convert_cgroup::cgroup_error_of;
use super::errno::errno_name;
use crate::audit::Refusal;
use crate::bindings::cgroup::CgroupError;
use crate::bindings::fork::{self, ForkError, Forked, Options};
use crate::bindings::types::ErrorCode;
use crate::error::ForkFailure;
use crate::fork::{NotForked, Wanted, end_fork};
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
        let group = match options.group {
            Some(group) => Some(Arc::clone(self.table.get(&group)?.node())),
            None => None,
        };
        self.limit_handles();
        // So that there is no child that its parent cannot hold.
        let room = self.table.push(()).map_err(|_| ForkError::LimitReached)?;
        self.table.delete(room)?;
        match self.ctx.fork(&Wanted { exit_signal, deadline, group }) {
            Ok(crate::fork::Forked::Parent(child)) => Ok(Forked::Parent(self.table.push(child)?)),
            Ok(crate::fork::Forked::Child) => Ok(Forked::Child),
            Err(error) => {
                let message = error.to_string();
                self.ctx.recorder.limited("fork", Refusal::denied("fork", &message));
                Err(fork_error(&error).into())
            }
        }
    }

    fn exit(&mut self, code: u8) -> wasmtime::Result<()> {
        end_fork(code);
        Ok(())
    }

    fn convert_fork_error(&mut self, failure: ForkFailure) -> wasmtime::Result<ForkError> {
        failure.split()
    }
}

fn fork_error(error: &NotForked) -> ForkError {
    use CgroupError as Group;
    use offspring_spawn::ForkError as Engine;
    match error {
        NotForked::NotPermitted | NotForked::ShutDown => ForkError::NotPermitted,
        NotForked::Busy => ForkError::Busy,
        NotForked::LimitReached(_) | NotForked::Engine(Engine::LimitReached) => {
            ForkError::LimitReached
        }
        NotForked::Frozen => ForkError::Cgroup(Group::Busy),
        NotForked::Group(error) => ForkError::Cgroup(cgroup_error_of(error)),
        NotForked::Engine(Engine::Cgroup(errno)) => ForkError::Cgroup(match *errno {
            Errno::NOENT | Errno::NODEV => Group::Gone,
            Errno::BUSY => Group::Busy,
            Errno::ACCESS | Errno::PERM => Group::NotDelegated,
            Errno::OPNOTSUPP => Group::InvalidDomain,
            errno => Group::Other(errno_name(errno).map(str::to_owned)),
        }),
        NotForked::ExitSignal(_) => ForkError::Other(ErrorCode::InvalidArgument),
        NotForked::Engine(Engine::NotSingleThreaded) => ForkError::NotSingleThreaded,
        NotForked::Engine(Engine::OutOfMemory) => ForkError::OutOfMemory,
        NotForked::NoRuntime | NotForked::Engine(Engine::Unsupported(_)) => {
            ForkError::Unsupported(error.to_string())
        }
        NotForked::Channel(errno) => ForkError::Other(error_code(*errno)),
        NotForked::Engine(engine) => ForkError::Other(error_code(engine.errno())),
    }
}
