//! Bindings generated from `wit/`.

#[expect(missing_docs, reason = "generated code")]
mod generated {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "offspring:process/imports",
        imports: { default: trappable | tracing },
        require_store_data_send: true,
        trappable_error_type: {
            "offspring:process/types.error-code" => crate::error::ErrorCodeFailure,
            "offspring:process/cgroup.cgroup-error" => crate::error::CgroupFailure,
            "offspring:process/spawn.spawn-error" => crate::error::SpawnFailure,
            "offspring:process/fork.fork-error" => crate::error::ForkFailure,
            "offspring:process/grant.narrow-error" => crate::error::NarrowFailure,
        },
        with: {
            // Not ours: the same resources that wasmtime-wasi serves.
            "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
            "wasi:filesystem": wasmtime_wasi::p2::bindings::filesystem,
            "wasi:io": wasmtime_wasi_io::bindings::wasi::io,

            // What our resources are in the table.
            "offspring:process/file-actions.file-actions": crate::file_actions::FileActions,
            "offspring:process/cgroup.cgroup": crate::cgroup::Cgroup,
            "offspring:process/grant.grant": crate::held::HeldGrant,
            "offspring:process/pidfd.pidfd": crate::child::Child,
            "offspring:process/pipe.pipe-reader": crate::pipe::PipeReader,
            "offspring:process/pipe.pipe-writer": crate::pipe::PipeWriter,
            "offspring:process/pty.pty": crate::pty::Pty,
            "offspring:process/spawn.command": crate::command::Command,
        },
    });
}

pub use generated::offspring::process::{
    attributes, cgroup, file_actions, fork, grant, grants, pidfd, pipe, pty, spawn, types,
};
