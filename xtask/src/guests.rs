//! Building guests.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::target::ensure_target;

/// What guests are built for.
pub const TARGET: &str = "wasm32-wasip2";

/// What to build.
#[derive(Debug)]
pub struct Guests<'a> {
    /// The packages.
    pub packages: &'a [&'a str],
    /// The profile of the workspace.
    pub profile: &'a str,
    /// Cargo's directory for what it builds. Not the one of a cargo that is
    /// running this: it holds a lock, and both would wait for ever.
    pub target_dir: &'a Path,
}

/// Builds guests and returns the directory that the components are in.
///
/// # Errors
/// A sentence for people.
pub fn build(guests: &Guests<'_>) -> Result<PathBuf, String> {
    ensure_target(TARGET)?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    command
        .current_dir(workspace())
        .args(["build", "--target", TARGET, "--profile", guests.profile, "--target-dir"])
        .arg(guests.target_dir)
        .args(guests.packages.iter().flat_map(|package| ["--package", package]))
        .stdin(Stdio::null())
        // Cargo reads the standard output of a build script.
        .stdout(std::io::stderr());
    // What the cargo that runs us was told about its own target, or to run
    // instead of the compiler, is not for this one.
    let theirs = [
        "CARGO_BUILD_TARGET",
        "CARGO_ENCODED_RUSTFLAGS",
        "CLIPPY_ARGS",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTFLAGS",
    ];
    for variable in theirs {
        command.env_remove(variable);
    }
    let status = command.status().map_err(|error| format!("cannot run cargo: {error}"))?;
    match status.success() {
        true => Ok(guests.target_dir.join(TARGET).join(guests.profile)),
        false => Err(format!("cannot build {}", guests.packages.join(", "))),
    }
}

/// The root of this repository.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
