//! What `wit-bindgen` makes of `wit/`: the only generated code of this crate.
//!
//! The interfaces of WASI are those of the `wasip2` crate, so that streams,
//! pollables and descriptors can be exchanged with everything else that uses it.

mod generated {
    #![expect(missing_docs, reason = "generated code")]

    wit_bindgen::generate!({
        path: "wit",
        world: "imports",
        with: {
            "wasi:clocks/monotonic-clock@0.2.12": wasip2::clocks::monotonic_clock,
            "wasi:clocks/wall-clock@0.2.12": wasip2::clocks::wall_clock,
            "wasi:filesystem/types@0.2.12": wasip2::filesystem::types,
            "wasi:io/error@0.2.12": wasip2::io::error,
            "wasi:io/poll@0.2.12": wasip2::io::poll,
            "wasi:io/streams@0.2.12": wasip2::io::streams,
        },
        generate_all,
    });
}

pub use generated::offspring::process::*;
