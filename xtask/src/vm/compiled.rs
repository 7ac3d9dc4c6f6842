//! The components that the tests run, and what the tool makes of them beforehand:
//! the emulated processor compiles slowly.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use super::packages::run;
use super::suites::Built;

/// The component that runs in every test of the tool.
const CI: &str = "ci";

/// The components, each where it was built.
pub fn components(guests: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        entries(guests).iter().flat_map(|profile| entries(profile)).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    found
}

/// Compiles, for any processor, what these tests run: components that are called as
/// they are. Returns where each is now, and where it is to be in a machine.
pub fn compile(
    built: &Built,
    tests: &BTreeSet<String>,
    directory: &Path,
) -> Result<Vec<(PathBuf, PathBuf)>, String> {
    let (Some(tool), Some(guests)) = (&built.tool, &built.guests) else {
        return Ok(Vec::new());
    };
    let directory = directory.join("compiled");
    fs::create_dir_all(&directory).map_err(|error| format!("cannot make a directory: {error}"))?;
    let mut compiled = Vec::new();
    for component in components(guests) {
        let name = component.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if name != CI && !tests.contains(&name) {
            continue;
        }
        let made = directory.join(&name).with_extension("cwasm");
        if changed(&made) <= changed(&component).max(changed(tool)) {
            let mut compile = Command::new(tool);
            compile.args(["compile", "--target", "x86_64-unknown-linux-gnu", "--output"]);
            run(compile.arg(&made).arg(&component))?;
        }
        compiled.push((made, component.with_extension("cwasm")));
    }
    Ok(compiled)
}

/// When a file was changed; `None`, which is before everything, if there is none.
fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}
