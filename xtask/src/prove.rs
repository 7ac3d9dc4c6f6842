//! The engine's tests under Miri, under Valgrind, and on emulated processors.

use std::env;
use std::process::{Command, ExitCode, Stdio};

use xtask::{ensure_target, workspace};

/// Other processors that the engine is for: the target, and what the programs
/// for it are called by.
const EMULATED: [(&str, &str); 2] =
    [("aarch64-unknown-linux-gnu", "aarch64"), ("riscv64gc-unknown-linux-gnu", "riscv64")];

/// The engine's own tests, and those of what it does where it cannot work.
const TESTS: [&str; 6] = ["test", "--package", "offspring-spawn", "--lib", "--test", "emulators"];

/// Runs all proofs that this machine has the tools for, and names the others.
pub fn prove() -> Result<ExitCode, String> {
    let mut failed = Vec::new();
    let mut run = |what: &str, proof: Result<Command, String>| match proof {
        Ok(mut command) => {
            eprintln!("== {what}");
            let passed = command.status().is_ok_and(|status| status.success());
            if !passed {
                failed.push(what.to_owned());
            }
        }
        Err(missing) => eprintln!("SKIPPED {what}: {missing}"),
    };
    run("Miri", miri());
    run("Valgrind", valgrind());
    for (target, arch) in EMULATED {
        run(&format!("qemu-{arch}"), emulated(target, arch));
    }
    match failed.is_empty() {
        true => Ok(ExitCode::SUCCESS),
        false => Err(format!("failed: {}", failed.join(", "))),
    }
}

/// Everything that makes no system call of its own.
fn miri() -> Result<Command, String> {
    const TOOLCHAIN: &str = "+nightly";
    if !runs("cargo", &[TOOLCHAIN, "miri", "--version"]) {
        return Err("get it with `rustup +nightly component add miri rust-src`".to_owned());
    }
    let mut command = cargo("cargo");
    command.args([TOOLCHAIN, "miri"]).args(&TESTS[..4]);
    Ok(command)
}

/// The child's half in a copy of its parent's memory: that every address which
/// it gives to the kernel is one, and that what it reads was written.
fn valgrind() -> Result<Command, String> {
    if !runs("valgrind", &["--version"]) {
        return Err("valgrind is not installed".to_owned());
    }
    let target = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    let mut command = tests();
    runner(&mut command, &target, "valgrind --quiet --error-exitcode=9");
    command.args(["--", "--test-threads=1"]);
    Ok(command)
}

fn emulated(target: &str, arch: &str) -> Result<Command, String> {
    let emulators = [format!("qemu-{arch}"), format!("qemu-{arch}-static")];
    let emulator = emulators.iter().find(|emulator| runs(emulator, &["--version"]));
    let emulator = emulator.ok_or(format!("{} is not installed", emulators[0]))?;
    let linker = format!("{arch}-linux-gnu-gcc");
    if !runs(&linker, &["--version"]) {
        return Err(format!("{linker} is not installed"));
    }
    ensure_target(target)?;
    let mut command = tests();
    command.args(["--target", target]).env(variable(target, "LINKER"), linker);
    runner(&mut command, target, &format!("{emulator} -L /usr/{arch}-linux-gnu"));
    Ok(command)
}

fn tests() -> Command {
    let mut command = cargo(&env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    command.args(TESTS);
    command
}

/// Cargo, without what the one that runs us has told us of itself.
fn cargo(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace()).stdin(Stdio::null());
    for name in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(name);
    }
    command
}

/// Lets this run the programs that are built for a target.
fn runner(command: &mut Command, target: &str, runner: &str) {
    command.env(variable(target, "RUNNER"), runner);
}

/// Cargo's variable for a target.
fn variable(target: &str, name: &str) -> String {
    format!("CARGO_TARGET_{}_{name}", target.to_uppercase().replace('-', "_"))
}

fn runs(program: &str, args: &[&str]) -> bool {
    let mut command = cargo(program);
    let status = command.args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
