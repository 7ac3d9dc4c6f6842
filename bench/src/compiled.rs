//! Guests that were compiled ahead of time, once for all samples.

use std::path::Path;

use anyhow::Result;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Loads what this program has compiled.
#[expect(unsafe_code, reason = "wasmtime has no other way to use what was compiled")]
pub fn load(engine: &Engine, path: &Path) -> Result<Component> {
    // SAFETY: it was made by this program a moment ago.
    Ok(unsafe { Component::deserialize_file(engine, path) }?)
}
