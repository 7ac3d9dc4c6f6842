//! The interface `pidfd`.

use offspring_spawn::Errno;
use wasmtime::component::Resource;
use wasmtime_wasi_io::poll::{DynPollable, subscribe};

use super::convert::{error_code, exit_status, io_error_code, resource_usage, signal};
use crate::bindings::pidfd;
use crate::bindings::types::{ErrorCode, ExitStatus, ResourceUsage, Signal};
use crate::child::{Cause, Child};
use crate::error::ErrorCodeFailure;
use crate::view::ProcessCtxView;

impl pidfd::Host for ProcessCtxView<'_> {}

impl pidfd::HostPidfd for ProcessCtxView<'_> {
    fn try_wait(&mut self, this: Resource<Child>) -> Result<Option<ExitStatus>, ErrorCodeFailure> {
        let child = self.table.get(&this)?;
        let exit = child.process().try_wait().map_err(|error| io_error_code(&error))?;
        Ok(exit.map(exit_status))
    }

    fn subscribe(&mut self, this: Resource<Child>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.table, this)
    }

    fn send_signal(
        &mut self,
        this: Resource<Child>,
        wanted: Signal,
        scope: pidfd::SignalScope,
    ) -> Result<(), ErrorCodeFailure> {
        let child = self.table.get(&this)?;
        let signal = signal(wanted).ok_or(ErrorCode::InvalidArgument)?;
        let grant = &self.ctx.policy.grants()[child.grant()];
        if let Err(denied) = grant.check_signal(signal) {
            self.ctx.refusals.log(grant.name(), &denied);
            return Err(ErrorCode::AccessDenied.into());
        }
        let sent = match scope {
            pidfd::SignalScope::Process => child.process().send_signal(signal),
            pidfd::SignalScope::Group => child.process().signal_group(signal),
        };
        Ok(sent.map_err(error_code)?)
    }

    fn kill(&mut self, this: Resource<Child>) -> Result<(), ErrorCodeFailure> {
        let child = self.table.get(&this)?;
        Ok(child.process().kill(Cause::Killed).map_err(|error| io_error_code(&error))?)
    }

    fn getpid(&mut self, this: Resource<Child>) -> Result<u32, ErrorCodeFailure> {
        let child = self.table.get(&this)?;
        Ok(child.process().getpid().map_err(|errno| match errno {
            // The handle is a pidfd, so the number is what cannot be had.
            Errno::BADF => ErrorCode::Unsupported,
            errno => error_code(errno),
        })?)
    }

    fn usage(&mut self, this: Resource<Child>) -> wasmtime::Result<Option<ResourceUsage>> {
        let exit = self.table.get(&this)?.process().try_wait();
        // An error is for `try-wait` to tell.
        Ok(exit.ok().flatten().and_then(|exit| exit.usage).map(resource_usage))
    }

    fn drop(&mut self, this: Resource<Child>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
