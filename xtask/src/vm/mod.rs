//! `cargo vm`: runs tests in small machines of their own, whose kernel is older
//! than most, and whose cgroups are those of every kind of machine.
//!
//! The machines are emulated, so they need no rights and no hardware, and boot in
//! seconds: Debian's kernel for the cloud, which has all that they need built in,
//! with the freshly built tests and what they link as the only file system.
//! `tests/vm` has what runs in them.

mod archive;
mod image;
mod machine;
mod packages;
mod report;
mod suites;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use machine::Machine;
use report::Report;
use xtask::workspace;

/// How long all machines may take together. They are slow, and so may be the one
/// that emulates them.
const PATIENCE: Duration = Duration::from_secs(9 * 60);

/// How many seconds one suite may take in a machine.
const LIMIT: u32 = 150;

/// Builds the tests, boots the machines and reports what they said. The arguments
/// are for `cargo test`, which builds fewer with some, such as
/// `--package offspring-spawn`; behind a `--` are parts of the names of the tests to
/// run.
///
/// # Errors
/// What could not be done, in a sentence for people.
pub fn vm(of_test: &[&str]) -> Result<ExitCode, String> {
    let directory = workspace().join("target/vm");
    fs::create_dir_all(&directory).map_err(|error| format!("cannot make target/vm: {error}"))?;
    let kernel = match prepare(&directory) {
        Ok(kernel) => kernel,
        Err(reason) => {
            eprintln!("SKIPPED cargo vm: {reason}");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let mut parts = of_test.split(|argument| *argument == "--");
    let built = suites::build(parts.next().unwrap_or_default())?;
    let (list, mut expected) = suites::list(&built.suites, parts.next().unwrap_or_default())?;
    let machines = machines(&mut expected);
    let image = image::write(&directory, &built, &list)?;
    let start = Instant::now();
    let mut report = Report::new(&expected);
    for machine in &machines {
        let left = PATIENCE.saturating_sub(start.elapsed());
        machine.run(&kernel, &image, left, |line| {
            if let Some(said) = report.read(line) {
                println!("{said}");
            }
        })?;
    }
    print!("{}", report.summary(machines.len()));
    println!("vm: {} s in {} machines", start.elapsed().as_secs(), machines.len());
    Ok(if report.is_ok(machines.len()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The machines that the runs need, and that can be had.
fn machines(expected: &mut BTreeMap<String, Vec<String>>) -> Vec<Machine> {
    let is_of_systemd = |run: &str| run.starts_with("systemd ");
    let mut machines = Vec::new();
    if expected.keys().any(|run| !is_of_systemd(run)) {
        machines.push(Machine::Bare);
    }
    if expected.keys().any(|run| is_of_systemd(run)) {
        match packages::ensure_systemd() {
            Ok(()) => machines.push(Machine::Systemd),
            Err(reason) => {
                eprintln!("SKIPPED cargo vm, the machine of systemd: {reason}");
                expected.retain(|run, _| !is_of_systemd(run));
            }
        }
    }
    machines
}

/// Gets what the machines are made of; if that cannot be had, nothing runs.
fn prepare(directory: &std::path::Path) -> Result<PathBuf, String> {
    if env::consts::ARCH != "x86_64" {
        return Err("the machines are x86_64 ones, and run this one's programs".to_owned());
    }
    packages::ensure_emulator()?;
    packages::ensure_kernel(directory)
}
