//! The interface `pty`.

use std::sync::Arc;

use wasmtime::component::Resource;
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

use super::convert::{error_code, table_is_full};
use super::pipe::not_made;
use crate::bindings::pty::{self, WindowSize};
use crate::error::ErrorCodeFailure;
use crate::pipe::Pipe;
use crate::pty::Pty;
use crate::stream::{read_from, write_to};
use crate::view::ProcessCtxView;

impl pty::Host for ProcessCtxView<'_> {
    fn open(&mut self) -> Result<Resource<Pty>, ErrorCodeFailure> {
        self.limit_handles();
        let opened = Pty::open(&self.ctx.pipes);
        let pty = opened.map_err(|error| not_made(&self.ctx.recorder, "pty.open", error))?;
        self.table.push(pty).map_err(table_is_full)
    }
}

impl pty::HostPty for ProcessCtxView<'_> {
    fn resize(&mut self, this: Resource<Pty>, size: WindowSize) -> Result<(), ErrorCodeFailure> {
        let WindowSize { rows, columns } = size;
        let size = offspring_spawn::WindowSize { rows, columns };
        Ok(self.table.get(&this)?.resize(size).map_err(error_code)?)
    }

    fn size(&mut self, this: Resource<Pty>) -> Result<WindowSize, ErrorCodeFailure> {
        let size = self.table.get(&this)?.size().map_err(error_code)?;
        Ok(WindowSize { rows: size.rows, columns: size.columns })
    }

    fn read_via_stream(
        &mut self,
        this: Resource<Pty>,
    ) -> Result<Resource<DynInputStream>, ErrorCodeFailure> {
        let end = self.end(&this, "pty.read-via-stream")?;
        self.table.push(read_from(end)).map_err(table_is_full)
    }

    fn write_via_stream(
        &mut self,
        this: Resource<Pty>,
    ) -> Result<Resource<DynOutputStream>, ErrorCodeFailure> {
        let end = self.end(&this, "pty.write-via-stream")?;
        self.table.push(write_to(end)).map_err(table_is_full)
    }

    fn drop(&mut self, this: Resource<Pty>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl ProcessCtxView<'_> {
    /// What a stream of the terminal reads from or writes to.
    fn end(
        &self,
        this: &Resource<Pty>,
        function: &'static str,
    ) -> Result<Arc<Pipe>, ErrorCodeFailure> {
        let end = self.table.get(this)?.end();
        Ok(end.map_err(|error| not_made(&self.ctx.recorder, function, error))?)
    }
}
