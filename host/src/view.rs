//! How host functions find their state in a store.

use wasmtime::component::{HasData, ResourceTable};

use crate::ctx::ProcessCtx;

/// This crate's state in a store: every host function works on this.
#[derive(Debug)]
pub struct ProcessCtxView<'a> {
    /// What the guest may start.
    pub ctx: &'a mut ProcessCtx,
    /// Where its resources are. The one that serves WASI, because file
    /// descriptors and streams are shared with it.
    pub table: &'a mut ResourceTable,
}

impl ProcessCtxView<'_> {
    /// Limits what the guest may hold, where it makes what others are made of.
    /// The table is the host's, and where the host allows less, that counts.
    pub(crate) fn limit_handles(&mut self) {
        let max = self.ctx.policy.get_limits().max_handles;
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        if max < self.table.max_capacity() {
            self.table.set_max_capacity(max);
        }
    }
}

/// What a store's data must offer to be linked with
/// [`add_to_linker`](crate::add_to_linker).
pub trait ProcessView: Send {
    /// Where the state is.
    fn process(&mut self) -> ProcessCtxView<'_>;
}

impl<T: ?Sized + ProcessView> ProcessView for &mut T {
    fn process(&mut self) -> ProcessCtxView<'_> {
        T::process(self)
    }
}

impl<T: ?Sized + ProcessView> ProcessView for Box<T> {
    fn process(&mut self) -> ProcessCtxView<'_> {
        T::process(self)
    }
}

/// Marks [`ProcessCtxView`] as the data of this crate's host functions, to
/// link one interface alone or without [`ProcessView`]:
///
/// ```
/// use offspring::{Process, ProcessCtx, ProcessCtxView, bindings};
/// use wasmtime::component::{Linker, ResourceTable};
///
/// struct State { process: ProcessCtx, table: ResourceTable }
///
/// fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
///     bindings::grants::add_to_linker::<State, Process>(linker, |state| ProcessCtxView {
///         ctx: &mut state.process,
///         table: &mut state.table,
///     })
/// }
/// ```
#[derive(Debug)]
pub struct Process;

impl HasData for Process {
    type Data<'a> = ProcessCtxView<'a>;
}
