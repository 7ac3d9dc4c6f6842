//! The interface `pidfd`.

use std::sync::Arc;
use std::time::Duration;

use offspring_spawn::{Change, Errno};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_io::poll::{DynPollable, subscribe};

use super::convert::{
    error_code, exit_status, io_error_code, resource_usage, signal, signal_name, table_is_full,
};
use super::errno::errno_name;
use super::{MOMENT, call};
use crate::audit::Refusal;
use crate::bindings::pidfd;
use crate::bindings::types::{ErrorCode, ExitStatus, ResourceUsage, Signal};
use crate::child::{Cause, Child, Origin};
use crate::error::{ErrorCodeFailure, Failure};
use crate::process::Ending;
use crate::view::{ProcessCtxView, ProcessView};
use crate::watch::{Changes, Watch};

/// `pidfd.try-wait-within` for hosts whose threads must not sleep, in place of the
/// one that is linked already.
pub(crate) fn link_async<T: ProcessView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    let mut interface = linker.instance("offspring:process/pidfd@0.2.0")?;
    interface.func_wrap(
        "[method]pidfd.try-wait-within",
        |mut store: StoreContextMut<'_, T>, (this, patience): (Resource<Child>, u64)| {
            let _within = call("pidfd", "[method]pidfd.try-wait-within").entered();
            tracing::trace!(self_ = ?this, patience, "call");
            let mut view = store.data_mut().process();
            let exit = pidfd::HostPidfd::try_wait(&mut view, this);
            tracing::trace!(result = ?exit, "return");
            match exit {
                Ok(exit) => Ok((Ok(exit),)),
                Err(failure) => Ok((Err(failure.split()?),)),
            }
        },
    )
}

impl pidfd::Host for ProcessCtxView<'_> {}

impl pidfd::HostPidfd for ProcessCtxView<'_> {
    fn try_wait(&mut self, this: Resource<Child>) -> Result<Option<ExitStatus>, ErrorCodeFailure> {
        let child = self.table.get(&this)?;
        let exit = child.process().try_wait().map_err(|error| io_error_code(&error))?;
        Ok(exit.map(exit_status))
    }

    fn try_wait_within(
        &mut self,
        this: Resource<Child>,
        patience: u64,
    ) -> Result<Option<ExitStatus>, ErrorCodeFailure> {
        let child = self.table.get(&this)?;
        let patience = Duration::from_nanos(patience).min(MOMENT);
        let exit = child.process().try_wait_within(patience);
        Ok(exit.map_err(|error| io_error_code(&error))?.map(exit_status))
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
        let group = matches!(scope, pidfd::SignalScope::Group);
        if let Origin::Grant(index) = child.origin()
            && let grant = &self.ctx.policy.grants()[index]
            && let Err(denied) = grant
                .check_signal(signal)
                .and_then(|()| child.narrowed().check_signal(grant.name(), signal))
        {
            let refusal = Refusal::denied(denied.rule.as_str(), &denied.message);
            signaled(child, signal, group, Some(refusal));
            return Err(ErrorCode::AccessDenied.into());
        }
        let sent = match scope {
            pidfd::SignalScope::Process => child.process().send_signal(signal),
            pidfd::SignalScope::Thread => child.process().send_thread_signal(signal),
            pidfd::SignalScope::Group => child.process().signal_group(signal),
        };
        let message = sent.err().map(|errno| errno.to_string());
        let refusal = sent.err().zip(message.as_deref());
        let refusal = refusal.map(|(errno, message)| Refusal {
            stage: "signal",
            detail: None,
            errno: errno_name(errno),
            message,
        });
        signaled(child, signal, group, refusal);
        Ok(sent.map_err(error_code)?)
    }

    fn kill(&mut self, this: Resource<Child>) -> Result<(), ErrorCodeFailure> {
        let child = self.table.get(&this)?;
        let ended = child.process().end(Cause::Killed, Ending::Kill);
        ended.map_err(|error| io_error_code(&error))?;
        signaled(child, offspring_spawn::Signal::KILL, true, None);
        Ok(())
    }

    fn terminate(&mut self, this: Resource<Child>, grace: u64) -> Result<(), ErrorCodeFailure> {
        let child = self.table.get(&this)?;
        let ending = Ending::Ask(Duration::from_nanos(grace));
        let ended = child.process().end(Cause::Killed, ending);
        ended.map_err(|error| io_error_code(&error))?;
        signaled(child, offspring_spawn::Signal::TERM, true, None);
        Ok(())
    }

    fn last_change(
        &mut self,
        this: Resource<Child>,
    ) -> Result<Option<pidfd::Change>, ErrorCodeFailure> {
        let last = self.watch(&this)?.take();
        Ok(last.map(|change| match change {
            Change::Stopped(by) => pidfd::Change::Stopped(signal_name(by)),
            Change::Continued => pidfd::Change::Continued,
        }))
    }

    fn subscribe_changes(
        &mut self,
        this: Resource<Child>,
    ) -> Result<Resource<DynPollable>, ErrorCodeFailure> {
        let changes = Changes(self.watch(&this)?);
        let changes = self.table.push_child(changes, &this).map_err(table_is_full)?;
        subscribe(self.table, changes).map_err(Failure::Trap)
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

/// Tells the host of a signal.
fn signaled(
    child: &Child,
    signal: offspring_spawn::Signal,
    group: bool,
    refusal: Option<Refusal<'_>>,
) {
    if let Some(account) = child.process().account() {
        account.signaled(signal, group, refusal);
    }
}

impl ProcessCtxView<'_> {
    /// What the guest sees of a child that goes on living, from now on.
    fn watch(&self, this: &Resource<Child>) -> Result<Arc<Watch>, ErrorCodeFailure> {
        let process = self.table.get(this)?.process();
        if let Some(watch) = process.watch.get() {
            return Ok(Arc::clone(watch));
        }
        let share = self.ctx.watched.take().ok_or(ErrorCode::LimitReached)?;
        let watch = process.pidfd().and_then(|pidfd| Watch::start(pidfd, share));
        let watch = watch.map_err(|error| io_error_code(&error))?;
        Ok(Arc::clone(process.watch.get_or_init(|| watch)))
    }
}
