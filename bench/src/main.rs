//! What a spawn costs: a guest's through the sandbox, against what people use
//! instead and against the kernel's own floor.
//!
//! All methods run in one go, interleaved in random order, each sample in a
//! process of its own. Ratios of medians are what counts: the machine is noisy.

mod floor;
mod host;
mod method;
mod report;
mod sample;
mod tiny;
mod worker;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;

use method::{Method, Work};
use sample::{Condition, Sample, Samples};

/// Measures what a spawn costs, against what people use instead.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Fewer rounds: less than a minute.
    #[arg(long)]
    quick: bool,

    /// Also write the figures to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Used by the benchmark itself: measures one sample.
    #[arg(long, hide = true, num_args = 5)]
    worker: Option<Vec<String>>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    match &args.worker {
        Some(words) => worker::run(words),
        None => bench(&args),
    }
}

fn bench(args: &Args) -> Result<()> {
    let files = Files::make()?;
    let rounds = if args.quick { 3 } else { 15 };
    let mut samples = Samples::default();
    let mut plan = Sample::all();
    for round in 0..rounds {
        eprint!("\rround {} of {rounds}", round + 1);
        shuffle(&mut plan, round);
        for sample in &plan {
            samples.add(*sample, measure(sample, &files)?);
        }
    }
    eprintln!("\r                    ");
    let report = report::Report::new(&samples);
    print!("{report}");
    if let Some(path) = &args.json {
        fs::write(path, report.to_json(&samples))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// What the samples start and run.
#[derive(Debug)]
struct Files {
    directory: PathBuf,
}

impl Files {
    fn make() -> Result<Files> {
        let directory =
            std::env::temp_dir().join(format!("offspring-bench-{}", std::process::id()));
        fs::create_dir(&directory)?;
        let files = Files { directory };
        let tiny = files.directory.join("tiny");
        fs::write(&tiny, tiny::image())?;
        fs::set_permissions(&tiny, fs::Permissions::from_mode(0o755))?;
        eprintln!("building the guest");
        let target_dir = xtask::workspace().join("target/bench-guest");
        let packages = &["bench-guest"];
        let guests = xtask::Guests { packages, profile: "release", target_dir: &target_dir };
        let built = xtask::build(&guests).map_err(anyhow::Error::msg)?;
        host::compile(&built.join("bench-guest.wasm"), &files.directory.join("guest.cwasm"))?;
        Ok(files)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Takes one sample in a process of its own.
fn measure(sample: &Sample, files: &Files) -> Result<Vec<u64>> {
    let Sample { method, work, condition } = sample;
    let count = match (method, work, condition) {
        // Some tens of milliseconds each.
        (Method::Fork, _, Condition::Memory) => 5,
        (_, Work::Stdout, _) => 3,
        (_, Work::True, _) => 40,
        _ => 200,
    };
    let output = Command::new(std::env::current_exe()?)
        .args(["--worker", method.name(), work.name(), condition.name(), &count.to_string()])
        .arg(&files.directory)
        .output()?;
    ensure!(
        output.status.success(),
        "{} {} {}: {}",
        method.name(),
        work.name(),
        condition.name(),
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout)?;
    let values = text.lines().map(|line| line.parse::<u64>().context("a figure"));
    let values: Vec<u64> = values.collect::<Result<_>>()?;
    if values.is_empty() {
        bail!("no figures");
    }
    Ok(values)
}

/// Another order each round, the same in each run.
fn shuffle(plan: &mut [Sample], seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for last in (1..plan.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let other = usize::try_from(state % (last as u64 + 1)).unwrap_or(0);
        plan.swap(last, other);
    }
}
