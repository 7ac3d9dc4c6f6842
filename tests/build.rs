//! Builds the guests that the tests run: those of `programs/`, one behaviour
//! each, and those of `../examples/`, which people copy.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, process};

use xtask::{Guests, build};

/// What a change of needs a new build. Directories stand for all their files.
const SOURCES: &[&str] = &[
    "programs",
    "../Cargo.lock",
    "../examples/ci",
    "../examples/delegate",
    "../examples/fork-server",
    "../examples/hello",
    "../examples/pty",
    "../guest-sdk",
    "../wit",
];

/// The examples that are guests.
const EXAMPLES: [&str; 6] = ["hello", "ci", "fork-server", "pty", "delegate", "worker"];

/// The suites that the programs belong to, by the beginning of their names.
const SUITES: &[&str] = &[
    "actions",
    "apart",
    "attack",
    "attributes",
    "cgroup",
    "embed",
    "fork",
    "grant",
    "grants",
    "hostile",
    "pidfd",
    "pipe",
    "policy",
    "posix",
    "pty",
    "sandbox",
    "seen",
    "slow",
    "spawn",
    "stdio",
    "worker",
];

fn main() {
    if let Err(error) = generate() {
        println!("cargo::error={error}");
        process::exit(1);
    }
}

fn generate() -> Result<(), String> {
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let target_dir = out.join("guests");
    let guests = |packages, profile| build(&Guests { packages, profile, target_dir: &target_dir });
    let examples = guests(&EXAMPLES, "release")?;
    let programs = guests(&["test-programs"], "guest")?;

    let mut code = String::new();
    for name in EXAMPLES {
        constant(&mut code, name, &examples.join(name));
    }
    for suite in SUITES {
        let names = programs_of(suite)?;
        for name in &names {
            constant(&mut code, name, &programs.join(name));
        }
        let all: String = names.iter().map(|name| format!("$each!({name}); ")).collect();
        let _ = writeln!(
            code,
            "/// Calls a macro with the name of each program of the suite `{suite}`.\n\
             #[macro_export]\n\
             macro_rules! for_each_{suite}_program {{ ($each:ident) => {{ {all} }}; }}"
        );
    }
    let file = out.join("guests.rs");
    fs::write(&file, code).map_err(|error| format!("cannot write {}: {error}", file.display()))
}

/// The names of a suite's programs, sorted.
fn programs_of(suite: &str) -> Result<Vec<String>, String> {
    let directory = Path::new("programs/src/bin");
    let entries =
        fs::read_dir(directory).map_err(|error| format!("cannot list programs: {error}"))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let prefix = name.split('_').next().unwrap_or_default();
        if !SUITES.contains(&prefix) {
            return Err(format!("the program {name} belongs to no suite: {}", SUITES.join(", ")));
        }
        if prefix == suite {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn constant(code: &mut String, name: &str, path: &Path) {
    let path = path.with_extension("wasm");
    let _ = writeln!(
        code,
        "/// The component `{name}`.\npub const {}: &str = {:?};",
        name.to_uppercase().replace('-', "_"),
        path.display().to_string()
    );
}
