//! Reading and compiling components.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use wasmtime::component::Component;
use wasmtime::{Config, Engine, Precompiled};

use crate::args::CompileArgs;

/// Who compiles a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// As many threads as there are processors, which stay.
    Many,
    /// The calling thread alone.
    One,
}

/// The engine of every run: a compiled component fits no other. What threads
/// compile it makes no difference.
pub fn engine(threads: Threads) -> anyhow::Result<Engine> {
    Engine::new(&config(threads)).map_err(anyhow::Error::from).context("cannot start the engine")
}

fn config(threads: Threads) -> Config {
    let mut config = Config::new();
    config.parallel_compilation(threads == Threads::Many);
    config
}

/// Reads a component, and compiles it if that has not been done.
pub fn load(engine: &Engine, path: &Path) -> anyhow::Result<Component> {
    let cannot = |what: &str| format!("cannot {what} {}", path.display());
    let bytes = fs::read(path).with_context(|| cannot("read"))?;
    match Engine::detect_precompiled(&bytes) {
        Some(Precompiled::Component) => deserialize(engine, path),
        Some(Precompiled::Module) => bail!("{}: it is a compiled module", cannot("run")),
        None => {
            check(&bytes).with_context(|| cannot("run"))?;
            Component::new(engine, bytes)
                .map_err(anyhow::Error::from)
                .with_context(|| cannot("compile"))
        }
    }
}

/// Compiles a component ahead of time.
pub fn compile(args: &CompileArgs) -> anyhow::Result<()> {
    let input = &args.component;
    let output = args.output.clone().unwrap_or_else(|| input.with_extension("cwasm"));
    if output == *input {
        bail!("{} would be overwritten; say --output", input.display());
    }
    let bytes = fs::read(input).with_context(|| format!("cannot read {}", input.display()))?;
    check(&bytes).with_context(|| format!("cannot compile {}", input.display()))?;
    let mut config = config(Threads::Many);
    if let Some(target) = &args.target {
        let set = config.target(target).map(drop).map_err(anyhow::Error::from);
        set.with_context(|| format!("cannot compile for {target}"))?;
    }
    let compiled = Engine::new(&config)
        .map_err(anyhow::Error::from)
        .context("cannot start the engine")?
        .precompile_component(&bytes)
        .map_err(anyhow::Error::from)
        .with_context(|| format!("cannot compile {}", input.display()))?;
    fs::write(&output, compiled).with_context(|| format!("cannot write {}", output.display()))
}

/// Says in words what the parser would say in offsets.
fn check(bytes: &[u8]) -> anyhow::Result<()> {
    const MAGIC: &[u8] = b"\0asm";
    match bytes {
        [] => bail!("it is empty"),
        // Version 1, layer 0: a core module. A component has layer 1.
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => {
            bail!("it is a core module, not a component; build it for wasm32-wasip2")
        }
        bytes if bytes.starts_with(MAGIC) => Ok(()),
        _ => bail!("it is not a WebAssembly component"),
    }
}

#[expect(unsafe_code, reason = "there is no other way to use what was compiled ahead of time")]
fn deserialize(engine: &Engine, path: &Path) -> anyhow::Result<Component> {
    // That it was made by this version for this machine is checked. It is mapped:
    // changing it while it runs is as wrong as for a program, which the kernel
    // protects and this it does not.
    //
    // SAFETY: the file is machine code, and whoever names it on the command line
    // trusts it as they would a program that they run; the help says so.
    let component = unsafe { Component::deserialize_file(engine, path) };
    component.map_err(anyhow::Error::from).with_context(|| {
        format!("cannot use {}; compile it anew with `offspring compile`", path.display())
    })
}
