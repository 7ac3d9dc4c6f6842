//! The guests that the tests run, built by the build script: a constant for
//! the path of each, and a macro for each suite of them.

#![deny(unsafe_code)]

include!(concat!(env!("OUT_DIR"), "/guests.rs"));
