//! What is in the machine: programs of this one, and what they link.

use std::env;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::archive::Archive;
use super::packages::run;
use super::suites::Built;
use xtask::workspace;

/// Programs that the tests start, or that start the tests.
const PROGRAMS: &[&str] = &[
    "sh", "bash", "dash", "awk", "cat", "chmod", "chown", "chrt", "cp", "cut", "date", "dd",
    "echo", "env", "expr", "false", "flock", "grep", "head", "id", "kill", "ln", "ls", "mkdir",
    "mkfifo", "mount", "mv", "nice", "nproc", "od", "printf", "printenv", "prlimit", "ps", "pwd",
    "readlink", "rm", "rmdir", "sed", "seq", "setpriv", "setsid", "sleep", "sort", "stat", "stty",
    "tail", "taskset", "tee", "test", "timeout", "touch", "tr", "true", "tty", "uname", "wc",
    "xargs", "yes",
];

/// Directories that must be there before anything is mounted on them.
const DIRECTORIES: &[&str] = &["/bin", "/dev", "/etc", "/proc", "/sys", "/tmp", "/usr", "/root"];

/// Writes the machine's file system.
pub fn write(image: &Path, built: &Built) -> Result<(), String> {
    let said = |error: std::io::Error| format!("cannot write {}: {error}", image.display());
    let file = File::create(image).map_err(said)?;
    let mut archive = Archive::new(BufWriter::new(file));
    for directory in DIRECTORIES {
        archive.directory(directory).map_err(said)?;
    }
    archive.link("/usr/bin", "../bin").map_err(said)?;
    let init = workspace().join("tests/vm/init");
    archive.file(&init, "/init").map_err(said)?;
    for program in PROGRAMS {
        if let Some(path) = find(program) {
            add(&mut archive, &path, &format!("/bin/{program}"))?;
        }
    }
    let mut list = String::new();
    for suite in &built.suites {
        let place = format!("/suites/{}", suite.name);
        add(&mut archive, &suite.executable, &place)?;
        list.push_str(&format!("{} {}\n", suite.name, suite.filters.join(" ")));
    }
    archive.program("/suites/list", list.as_bytes()).map_err(said)?;
    for guest in built.guests.iter().flat_map(|guests| components(guests)) {
        archive.file(&guest, &guest.to_string_lossy()).map_err(said)?;
    }
    archive.finish().map_err(said)
}

/// A program with everything that it links.
fn add<W: std::io::Write>(
    archive: &mut Archive<W>,
    program: &Path,
    place: &str,
) -> Result<(), String> {
    let said = |error: std::io::Error| format!("cannot add {}: {error}", program.display());
    archive.file(program, place).map_err(said)?;
    // A script, or a program that links nothing, has none.
    let linked = run(Command::new("ldd").arg(program)).unwrap_or_default();
    for path in linked.split_whitespace().filter(|word| word.starts_with('/')) {
        archive.file(Path::new(path), path).map_err(said)?;
    }
    Ok(())
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    let places: Vec<PathBuf> = env::split_paths(&path).collect();
    places.iter().map(|place| place.join(program)).find(|path| path.is_file())
}

/// The components that the tests run, each where it was built.
fn components(guests: &Path) -> Vec<PathBuf> {
    let profiles = entries(guests);
    let mut found: Vec<PathBuf> = profiles.iter().flat_map(|profile| entries(profile)).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    found
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}
