//! Imports go one way, and what is dangerous is in one place.

use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Every Rust file beneath these, without what is built.
pub fn sources(of: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut left: Vec<PathBuf> = of.iter().map(|path| Path::new(ROOT).join(path)).collect();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
            let is_ours = |path: &PathBuf| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                !name.starts_with('.') && name != "target" && !path.is_symlink()
            };
            left.extend(entries.filter(is_ours));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path.strip_prefix(ROOT).unwrap().to_owned(), text));
        }
    }
    assert!(!found.is_empty(), "no sources in {of:?}");
    found
}

/// A file's code, without comments.
pub fn code(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn policy_and_plan_are_pure() {
    let pure = ["host/src/policy", "host/src/plan.rs", "host/src/request.rs"];
    for (path, text) in sources(&pure) {
        for impure in ["wasmtime", "rustix", "bindings", "tokio", "std::os"] {
            assert!(!code(&text).contains(impure), "{} uses {impure}", path.display());
        }
    }
}

/// One place makes processes.
#[test]
fn one_place_makes_processes() {
    let call = concat!("clone", "3");
    for (path, text) in sources(&[""]) {
        // The benchmark measures it against ours, people are told of it, tests have it
        // refused or ask for it, and one of those that do is left out by name.
        let tests = ["tests/all/fork.rs", "tests/all/sandbox.rs", "xtask/src/vm/suites.rs"];
        let tells = path == Path::new("cli/src/doctor.rs");
        let tells = tells || tests.iter().any(|file| path == Path::new(file));
        let may = tells || path.starts_with("spawn") || path.starts_with("bench");
        assert!(may || !text.contains(call), "{} names it", path.display());
    }
}

#[test]
fn one_place_is_dangerous() {
    let word = concat!("un", "safe");
    let uses = [" {", " fn", " impl", " extern", " trait", "("].map(|next| format!("{word}{next}"));
    for (path, text) in sources(&[""]) {
        let code = code(&text);
        let count: usize = uses.iter().map(|used| code.matches(used.as_str()).count()).sum();
        let allowed = match path.to_str() {
            // Machine code from a file of the user's own.
            Some("cli/src/component.rs") => 1,
            // What safe code is measured against.
            Some("bench/src/floor.rs" | "bench/src/forks/native.rs") => usize::MAX,
            // Machine code of its own.
            Some("bench/src/compiled.rs" | "tests/all/component.rs") => 1,
            // Handlers of the C library's.
            Some("tests/all/fork.rs") => 2,
            // What traps.
            Some("tests/programs/src/bin/fork_traps.rs") => 4,
            _ if path.starts_with("spawn") => usize::MAX,
            _ => 0,
        };
        assert!(count <= allowed, "{} has {count} uses", path.display());
    }
}

/// Every other crate says so itself.
#[test]
fn every_other_crate_denies_it() {
    let denies = concat!("un", "safe_code");
    let mut roots = 0;
    for (path, text) in
        sources(&["host", "guest-sdk", "cli", "tests/all", "tests/programs/src/lib.rs", "xtask"])
    {
        let is_root = path.ends_with("src/lib.rs") || path.ends_with("main.rs");
        if is_root {
            roots += 1;
            assert!(text.contains("#![deny(") && text.contains(denies), "{}", path.display());
        }
    }
    assert!(roots >= 6, "{roots} crates");
}
