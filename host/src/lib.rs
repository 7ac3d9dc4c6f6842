//! Lets WebAssembly components start real Linux processes, as owned,
//! capability-scoped handles: the interfaces `offspring:process` for
//! [wasmtime].
//!
//! A component that is linked with this crate may start what its host grants,
//! and nothing else:
//!
//! ```no_run
#![doc = include_str!("../../examples/embed/src/main.rs")]
//! ```
//!
//! # What is where
//!
//! - A [`policy::Policy`] says which programs a guest may start, and how. It
//!   is built in code, as above, or read from a file.
//! - A [`ProcessCtx`] holds it, ready to be used, in a store's data; the data's
//!   type implements [`ProcessView`] to say where.
//! - [`add_to_linker`] and [`add_to_linker_async`] link the interfaces.
//! - [`fork`] runs guests that fork, in a process of one thread: this one, or a
//!   [`Worker`](fork::Worker) of a host that has more.
//! - [`Children`] lets the host see and end what the guest started.
//!
//! # What a host must know
//!
//! - A child belongs to its handle in the guest. It is killed, with the process
//!   group that it was started in, or, after [`ProcessCtxBuilder::own_groups`] and in
//!   hosts that call [`supervise`], with all that it ever started, when the guest drops
//!   the handle or the host drops the store.
//! - With [`add_to_linker`], `spawn` holds the calling thread until the program is
//!   executed, as `std::process` does. Everything else that waits is a `wasi:io`
//!   pollable.
//! - A child runs with the rights of the host's user in a
//!   [sandbox](policy::Sandbox), which has the directories that the guest has:
//!   tell them to [`ProcessCtxBuilder::preopened_dir`] too. A grant can widen the
//!   sandbox, in words.
//! - The host must ignore SIGPIPE, as every Rust program does unless it says
//!   otherwise, and must not wait for processes that it does not know
//!   (`waitpid(-1)`); see [`offspring_spawn`].
//! - The runtime of an asynchronous host needs its drivers for input and output
//!   and for time (`enable_all`).
//! - What a guest does is reported through [`tracing`]: each call as a span and
//!   two events at the level `trace`, children that start and end and signals
//!   at `info`, what is refused at `warn`. The same goes to an
//!   [`audit`] sink. Refusals and signals, which cost a guest nothing, are
//!   reported a thousand times and then ten times a second; how many were not
//!   is reported too.
//! - A child that inherits the host's standard input, where that is a terminal,
//!   stays in the host's process group, because it could not read otherwise. Of
//!   such a child only the process itself is killed.
//! - A host that is killed cannot end its children. One that calls
//!   [`supervise`] early in its `main` leaves nothing behind even then.
//! - Where a grant has a grace period, a child whose handle is dropped has that
//!   time. A host that ends waits for it with [`Children::wait_until_gone`].
//! - Dropping a handle waits for the process to be gone, for 50 milliseconds at
//!   most.

#![deny(unsafe_code, missing_docs)]

mod accounts;
mod apart;
mod attributes;
pub mod audit;
mod beneath;
pub mod bindings;
mod bounds;
pub mod cgroup;
mod checked;
mod child;
mod children;
mod command;
mod ctx;
mod deadline;
mod ends;
mod error;
mod file_actions;
pub mod fork;
mod guest_view;
mod held;
mod launch;
mod path;
mod pipe;
mod plain;
pub mod plan;
pub mod policy;
mod preopen;
mod process;
mod program;
mod pty;
mod quota;
mod rate;
mod readiness;
mod ready;
mod recorder;
pub mod request;
mod sandbox;
mod slots;
mod spawned;
mod stream;
mod view;
mod watch;
mod wit;
mod written;

use wasmtime::component::Linker;

pub use apart::may_change_ids;
pub use checked::CheckedPolicy;
pub use children::Children;
pub use ctx::{ProcessCtx, ProcessCtxBuilder};
pub use error::BuildError;
pub use offspring_spawn::{
    Controller, Kernel, Lack, Missing, Namespace, Namespaces, Program, SandboxError,
    SandboxSupport, SuperviseError, supervise,
};
pub use program::ProgramError;
pub use spawned::{SpawnRefused, Spawned, SpawnedPipe};
pub use view::{Process, ProcessCtxView, ProcessView};
pub use written::WrittenError;

/// Links every interface of `offspring:process`, for synchronous hosts and those
/// that have one guest.
///
/// `spawn` holds the calling thread until the program is executed, which is what
/// `std::process` does too.
///
/// WASI itself must be linked too, for streams, polling and files.
///
/// # Errors
/// When one of the interfaces is linked already.
pub fn add_to_linker<T: ProcessView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    bindings::types::add_to_linker::<T, Process>(linker, T::process)?;
    bindings::pipe::add_to_linker::<T, Process>(linker, T::process)?;
    bindings::cgroup::add_to_linker::<T, Process>(linker, T::process)?;
    bindings::pidfd::add_to_linker::<T, Process>(linker, T::process)?;
    bindings::attributes::add_to_linker::<T, Process>(linker, T::process)?;
    bindings::file_actions::add_to_linker::<T, Process>(linker, T::process)?;
    bindings::pty::add_to_linker::<T, Process>(linker, T::process)?;
    bindings::spawn::add_to_linker::<T, Process>(linker, T::process)?;
    bindings::grant::add_to_linker::<T, Process>(linker, T::process)?;
    bindings::grants::add_to_linker::<T, Process>(linker, T::process)?;
    bindings::fork::add_to_linker::<T, Process>(linker, T::process)?;
    Ok(())
}

/// The same for asynchronous hosts, whose threads must not sleep: `spawn` is an
/// await, and a program that takes long to execute, as on a file system that does
/// not answer or in a frozen cgroup, holds up nobody else. A spawn that is
/// cancelled leaves nothing.
///
/// Processes are started by threads of this crate that live as long as the host,
/// so [`die_with_thread`](ProcessCtxBuilder::die_with_thread) means the host.
/// Handing over costs some tens of microseconds.
///
/// Names that are linked twice are an error again afterwards, whatever
/// [`Linker::allow_shadowing`] said before.
///
/// # Errors
/// When one of the interfaces is linked already.
pub fn add_to_linker_async<T: ProcessView + 'static>(
    linker: &mut Linker<T>,
) -> wasmtime::Result<()> {
    add_to_linker(linker)?;
    linker.allow_shadowing(true);
    let linked = wit::link_async(linker);
    linker.allow_shadowing(false);
    linked
}
