//! The components of the tests, and the engine that runs them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use wasmtime::component::Component;
use wasmtime::{Config, Engine};

/// The engine of all tests. It counts epochs but where components were compiled
/// before, for one that does not.
pub fn engine() -> &'static Engine {
    static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
        let is_compiled = compiled_before(offspring_tests::CI).exists();
        Engine::new(Config::new().epoch_interruption(!is_compiled)).unwrap()
    });
    &ENGINE
}

/// Where `cargo vm` puts a component that the tool has compiled, in its machine,
/// where compiling takes long; elsewhere there is nothing.
fn compiled_before(component: &str) -> PathBuf {
    Path::new(component).with_extension("cwasm")
}

/// Reads a component, and compiles it if that has not been done.
pub fn load(engine: &Engine, path: &str) -> Component {
    let before = compiled_before(path);
    if before.exists() {
        #[expect(unsafe_code, reason = "there is no other way to use what was compiled before")]
        // SAFETY: the tool has compiled it from this very component, and nobody
        // else writes in the machine that it was put into.
        let component = unsafe { Component::deserialize_file(engine, before) };
        // Not one of this engine's; then it is compiled here.
        if let Ok(component) = component {
            return component;
        }
    }
    Component::from_file(engine, path).unwrap()
}

/// Compiles each component once.
pub fn component(path: &'static str) -> Component {
    static COMPILED: LazyLock<Mutex<HashMap<&str, Component>>> = LazyLock::new(Mutex::default);
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let compile = || load(engine(), path);
    compiled.entry(path).or_insert_with(compile).clone()
}
