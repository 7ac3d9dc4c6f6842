//! Targets that are built for.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Makes sure that the standard library for a target is installed, and installs
/// it if it can, with a line that says so.
///
/// # Errors
/// A sentence for people: what is missing and how to get it.
pub fn ensure_target(target: &str) -> Result<(), String> {
    if is_installed(target)? {
        return Ok(());
    }
    eprintln!("installing the Rust target {target}: rustup target add {target}");
    let by_hand = format!(
        "the Rust target {target} is needed: install it with `rustup target add {target}`, or \
         with your system's packages"
    );
    let status = Command::new("rustup")
        .args(["target", "add", target])
        .stdin(Stdio::null())
        // Cargo reads the standard output of a build script.
        .stdout(std::io::stderr())
        .status()
        .map_err(|error| format!("{by_hand} (rustup cannot be run: {error})"))?;
    match status.success() && is_installed(target)? {
        true => Ok(()),
        false => Err(format!("{by_hand} (rustup could not: {status})")),
    }
}

/// Asks the compiler where the target's library would be, and looks.
fn is_installed(target: &str) -> Result<bool, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(&rustc)
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .map_err(|error| format!("cannot run {}: {error}", rustc.display()))?;
    let directory = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    Ok(output.status.success() && directory.is_dir())
}
