//! `cargo vm`: runs tests in a small machine of their own, whose kernel is
//! older than most and whose cgroups are of version 2 alone, with every
//! controller.
//!
//! The machine is emulated, so it needs no rights and no hardware, and boots in
//! seconds: Debian's kernel for the cloud, which has all that it needs built
//! in, with the freshly built tests and what they link as its only file system.

mod archive;
mod image;
mod packages;
mod report;
mod suites;

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use report::Report;
use xtask::workspace;

/// How long the machine may take. It is slow, and so is the one that emulates
/// it; nothing that runs in it waits for so long.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Builds the tests, boots the machine and reports what they said. The arguments
/// are for `cargo test`, which builds fewer with some, such as
/// `--package offspring-spawn`.
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
    let built = suites::build(of_test)?;
    let image = directory.join("initramfs");
    image::write(&image, &built)?;
    let report = run(&kernel, &image)?;
    print!("{}", report.summary());
    Ok(if report.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Gets what the machine is made of; if that cannot be had, nothing runs.
fn prepare(directory: &Path) -> Result<std::path::PathBuf, String> {
    if env::consts::ARCH != "x86_64" {
        return Err("the machine is an x86_64 one, and runs this one's programs".to_owned());
    }
    packages::ensure_emulator()?;
    packages::ensure_kernel(directory)
}

fn run(kernel: &Path, image: &Path) -> Result<Report, String> {
    let mut machine = Command::new(packages::EMULATOR)
        .args(["-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "2048"])
        .args(["-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio"])
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(image)
        .args(["-append", "console=ttyS0 quiet loglevel=1 panic=-1"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run {}: {error}", packages::EMULATOR))?;
    let lines = lines_of(&mut machine);
    let start = Instant::now();
    let mut report = Report::default();
    loop {
        match lines.recv_timeout(PATIENCE.saturating_sub(start.elapsed())) {
            Ok(line) => {
                if let Some(said) = report.read(&line) {
                    println!("{said}");
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                println!("the machine took longer than {} minutes", PATIENCE.as_secs() / 60);
                break;
            }
        }
    }
    // It has ended, or never will.
    let _ = machine.kill();
    machine.wait().map_err(|error| format!("cannot wait for the machine: {error}"))?;
    Ok(report)
}

/// What the machine writes to its console, line by line.
fn lines_of(machine: &mut Child) -> Receiver<String> {
    let (sender, receiver) = channel();
    if let Some(console) = machine.stdout.take() {
        thread::spawn(move || {
            let mut console = BufReader::new(console);
            let mut bytes = Vec::new();
            while console.read_until(b'\n', &mut bytes).is_ok_and(|length| length > 0) {
                let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
                bytes.clear();
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
    }
    receiver
}
