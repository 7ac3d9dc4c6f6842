//! The interface `pipe`.

use wasmtime::component::Resource;
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

use super::convert::{error_code, table_is_full};
use crate::audit::Refusal;
use crate::bindings::pipe;
use crate::bindings::types::ErrorCode;
use crate::error::ErrorCodeFailure;
use crate::pipe::{PipeError, PipeReader, PipeWriter, create};
use crate::recorder::Recorder;
use crate::stream::{read_stream, write_stream};
use crate::view::ProcessCtxView;

impl pipe::Host for ProcessCtxView<'_> {
    fn create(&mut self) -> Result<(Resource<PipeReader>, Resource<PipeWriter>), ErrorCodeFailure> {
        self.limit_handles();
        let recorder = &self.ctx.recorder;
        let made = create(&self.ctx.pipes);
        let (reader, writer) = made.map_err(|error| not_made(recorder, "pipe.create", error))?;
        let reader = self.table.push(reader).map_err(table_is_full)?;
        match self.table.push(writer) {
            Ok(writer) => Ok((reader, writer)),
            Err(error) => {
                self.table.delete(reader)?;
                Err(table_is_full(error))
            }
        }
    }
}

impl pipe::HostPipeReader for ProcessCtxView<'_> {
    fn into_stream(
        &mut self,
        reader: Resource<PipeReader>,
    ) -> wasmtime::Result<Resource<DynInputStream>> {
        let reader = self.table.delete(reader)?;
        Ok(self.table.push(read_stream(reader))?)
    }

    fn drop(&mut self, reader: Resource<PipeReader>) -> wasmtime::Result<()> {
        self.table.delete(reader)?;
        Ok(())
    }
}

impl pipe::HostPipeWriter for ProcessCtxView<'_> {
    fn into_stream(
        &mut self,
        writer: Resource<PipeWriter>,
    ) -> wasmtime::Result<Resource<DynOutputStream>> {
        let writer = self.table.delete(writer)?;
        Ok(self.table.push(write_stream(writer))?)
    }

    fn drop(&mut self, writer: Resource<PipeWriter>) -> wasmtime::Result<()> {
        self.table.delete(writer)?;
        Ok(())
    }
}

/// Why there is no new pipe, or no terminal.
pub(super) fn not_made(recorder: &Recorder, function: &'static str, error: PipeError) -> ErrorCode {
    match error {
        PipeError::LimitReached => {
            let message = "the guest holds as many pipe ends as it may";
            recorder.limited(function, Refusal::denied("limits.max-pipes", message));
            ErrorCode::LimitReached
        }
        PipeError::Kernel(errno) => error_code(errno),
    }
}
