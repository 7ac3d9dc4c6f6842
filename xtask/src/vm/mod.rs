//! `cargo vm`: runs tests in small machines of their own, whose kernel is older
//! than most, and whose cgroups are those of every kind of machine.
//!
//! The machines are emulated, so they need no rights and no hardware, and boot in
//! seconds: Debian's kernel for the cloud, which has all that they need built in,
//! with the freshly built tests and what they link as the only file system.
//! `tests/vm` has what runs in them.

mod archive;
mod compiled;
mod image;
mod machine;
mod packages;
mod report;
mod selection;
mod suites;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use machine::Machine;
use report::Report;
use selection::Selection;
use xtask::workspace;

/// How long all machines may take together. They are slow, and so may be the one
/// that emulates them.
const PATIENCE: Duration = Duration::from_secs(9 * 60);

/// How many seconds one suite may take in a machine.
const LIMIT: u32 = 150;

/// Builds the tests, boots the machines and reports what they said. The arguments
/// say what of it, see [`Selection`].
///
/// # Errors
/// What could not be done, in a sentence for people.
pub fn vm(args: &[&str]) -> Result<ExitCode, String> {
    let selection = Selection::of(args);
    let directory = workspace().join("target/vm");
    fs::create_dir_all(&directory).map_err(|error| format!("cannot make target/vm: {error}"))?;
    let kernel = match prepare(&directory) {
        Ok(kernel) => kernel,
        Err(reason) => {
            eprintln!("SKIPPED cargo vm: {reason}");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let built = suites::build(&selection.of_cargo())?;
    let (list, mut expected) = selection.list(&built.suites)?;
    let machines = machines(&mut expected);
    let names: BTreeSet<String> =
        expected.values().flatten().map(|test| last_name(test).to_owned()).collect();
    let image = image::write(&directory, &built, &list, &names)?;
    let start = Instant::now();
    let mut report = Report::new(&expected, selection.is_whole());
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

/// The name of a test without its modules.
fn last_name(test: &str) -> &str {
    test.rsplit("::").next().unwrap_or(test)
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
