//! `cargo demo`: the main job on real input, from nothing. `cargo prove`: the
//! engine under what looks closer than a test can. `cargo vm`: tests in a
//! machine of their own.

#![deny(unsafe_code)]

mod prove;
mod vm;

use std::env;
use std::path::Path;
use std::process::{Command, ExitCode};

use xtask::{Guests, TARGET, build, workspace};

const USAGE: &str = "usage: cargo demo | cargo prove | cargo vm [PLACE] [root | user] [SUITE...] \
                     [ARGUMENTS OF CARGO TEST] [-- PARTS OF NAMES]";

/// What is exited with when nothing could be run.
const FAILURE: u8 = 125;

fn main() -> ExitCode {
    let args: Vec<_> = env::args().skip(1).collect();
    let done = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["demo"] => demo(),
        ["prove"] => prove::prove(),
        ["vm", ref args @ ..] => vm::vm(args),
        _ => Err(USAGE.to_owned()),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(FAILURE)
    })
}

/// Builds the CI runner as a component and the command line tool, and lets
/// them run a pipeline on this repository. Prints each command, so that people
/// can go on by hand.
fn demo() -> Result<ExitCode, String> {
    let root = workspace();
    let target_dir = Path::new("target");
    say(&format!("cargo build --release --target {TARGET} --package ci"));
    build(&Guests { packages: &["ci"], profile: "release", target_dir })?;

    let runner = format!("target/{TARGET}/release/ci.wasm");
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).args(["run", "--package", "offspring-cli", "--", "run"]);
    let args = [
        "--policy",
        "examples/ci/policy.toml",
        "--dir",
        ".::/repo",
        // The component has an environment of its own.
        "--env",
        "NO_COLOR",
        &runner,
        "--",
        "/repo/examples/ci/pipeline.yml",
    ];
    say(&format!("cargo run --package offspring-cli -- run {}", args.join(" ")));
    let status =
        command.args(args).status().map_err(|error| format!("cannot run cargo: {error}"))?;
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(code) => Ok(ExitCode::from(code)),
        None => Err(format!("the pipeline did not end by itself: {status}")),
    }
}

fn say(command: &str) {
    eprintln!("$ {command}");
}
