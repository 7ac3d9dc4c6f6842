//! The target that guests are built for.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::guests::TARGET;

/// Makes sure that the standard library for guests is installed, and installs
/// it if it can, with a line that says so.
///
/// # Errors
/// A sentence for people: what is missing and how to get it.
pub fn ensure_target() -> Result<(), String> {
    if is_installed()? {
        return Ok(());
    }
    eprintln!("installing the Rust target {TARGET}: rustup target add {TARGET}");
    let by_hand = format!(
        "guests need the Rust target {TARGET}: install it with `rustup target add {TARGET}`, or \
         with your system's packages"
    );
    let status = Command::new("rustup")
        .args(["target", "add", TARGET])
        .stdin(Stdio::null())
        // Cargo reads the standard output of a build script.
        .stdout(std::io::stderr())
        .status()
        .map_err(|error| format!("{by_hand} (rustup cannot be run: {error})"))?;
    match status.success() && is_installed()? {
        true => Ok(()),
        false => Err(format!("{by_hand} (rustup could not: {status})")),
    }
}

/// Asks the compiler where the target's library would be, and looks.
fn is_installed() -> Result<bool, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(&rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .map_err(|error| format!("cannot run {}: {error}", rustc.display()))?;
    let directory = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    Ok(output.status.success() && directory.is_dir())
}
