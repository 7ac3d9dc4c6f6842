//! What this repository runs on itself: builds its guests, which are
//! components and so for another target than everything else.
//!
//! Used by the build script of the tests and by the demo.

#![deny(unsafe_code)]

mod guests;
mod target;

pub use guests::{Guests, TARGET, build, workspace};
pub use target::ensure_target;
