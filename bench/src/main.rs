//! What a spawn costs: a guest's through the sandbox, against what people use
//! instead and against the kernel's own floor.
//!
//! Each scene is measured in a process of its own, where all methods take turns
//! in random order, and the scenes take turns as well, those that are compared with each
//! other block by block. Ratios are what counts: the machine is noisy, but noisy for all.

mod bytes;
mod chart;
mod children;
mod compiled;
mod condition;
mod floor;
mod forks;
mod host;
mod method;
mod report;
mod sample;
mod start;
mod state;
mod stores;
mod tiny;
mod turn;
mod work;
mod worker;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use offspring::cgroup::Place;

use sample::{Samples, Scene};
use turn::Measuring;
use work::Work;

/// Measures what a spawn costs, against what people use instead.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Less than a minute, without the sizes in between.
    #[arg(long)]
    quick: bool,

    /// Measure only what has this in its name: "tiny", "descriptors", "stdout";
    /// or, which are not part of the others, "children", up to ten thousand that live
    /// at once, "stores", up to a hundred that spawn at once, and "forks", a guest that
    /// forks.
    #[arg(long, value_name = "WORD")]
    only: Option<String>,

    /// Also write the figures to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Also draw how they grow, as an SVG image.
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,

    /// Used by the benchmark itself: measures so many children.
    #[arg(long, hide = true, num_args = 2)]
    crowd: Option<Vec<String>>,

    /// Used by the benchmark itself: measures forks.
    #[arg(long, hide = true, num_args = 4)]
    forks: Option<Vec<String>>,

    /// Used by the benchmark itself: measures one scene.
    #[arg(long, hide = true, num_args = 5)]
    worker: Option<Vec<String>>,
}

/// How long a run measures, if that is enough for [`ROUNDS`].
const QUICK: Duration = Duration::from_secs(25);
const FULL: Duration = Duration::from_secs(300);

/// How many rounds there are at least.
const ROUNDS: u32 = 2;

fn main() -> Result<()> {
    // First of all: in a worker of the benchmark of forks it does not return.
    offspring::fork::worker_main(forks::prepare);
    let args = Args::parse();
    if let Some(words) = &args.forks {
        return forks::worker(words);
    }
    match (&args.worker, args.crowd.as_deref(), args.only.as_deref()) {
        (Some(words), _, _) => worker::run(words),
        (None, Some([count, directory]), _) => children::run(count.parse()?, directory.as_ref()),
        (None, _, Some("forks")) => {
            let figures = forks::bench(&Files::make()?.directory)?;
            args.json.as_deref().map_or(Ok(()), |path| write(path, &figures))
        }
        (None, _, Some("children")) => children::bench(&Files::make()?.directory),
        (None, _, Some("stores")) => stores::bench(&Files::make()?.directory),
        (None, _, _) => bench(&args),
    }
}

fn bench(args: &Args) -> Result<()> {
    let files = Files::make()?;
    let mut scenes = Scene::all(args.quick);
    if let Err(error) = Place::find() {
        eprintln!("SKIPPED grouped: {error}");
    }
    if start::tool().is_none() {
        eprintln!("SKIPPED run: build it with `cargo build --release -p offspring-cli`");
        scenes.retain(|scene| scene.work != Work::Run);
    }
    if let Some(word) = &args.only {
        scenes.retain(|scene| scene.to_string().contains(word.as_str()));
    }
    let mut turns = Scene::turns(scenes);
    let patience = if args.quick { QUICK } else { FULL };
    let (start, mut samples, mut round) = (Instant::now(), Samples::default(), 0);
    // The first scene in a process is no different from a later one.
    while round < ROUNDS || start.elapsed() < patience {
        eprint!("\rround {}", round + 1);
        shuffle(&mut turns, u64::from(round));
        for scenes in &turns {
            measure(scenes, round, &files, &mut samples)?;
        }
        round += 1;
    }
    if args.only.is_none() && !args.quick {
        eprint!("\rchildren");
        for round in 0..ROUNDS {
            children::measure(&files.directory, round, &mut samples)?;
        }
    }
    eprintln!();
    let report = report::Report::new(&samples);
    print!("{report}");
    if let Some(path) = &args.json {
        write(path, &report.to_json(&samples))?;
    }
    if let Some(path) = &args.chart {
        write(path, &chart::draw(&samples))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// What the samples start and run.
#[derive(Debug)]
struct Files {
    directory: PathBuf,
}

impl Files {
    fn make() -> Result<Files> {
        let name = format!("offspring-bench-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory)?;
        let files = Files { directory };
        for (name, image) in [("tiny", tiny::exits()), ("idle", tiny::idles())] {
            let path = files.directory.join(name);
            fs::write(&path, image)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
        eprintln!("building the guest");
        let target_dir = xtask::workspace().join("target/bench-guest");
        let packages = &["bench-guest"];
        let guests = xtask::Guests { packages, profile: "release", target_dir: &target_dir };
        let built = xtask::build(&guests).map_err(anyhow::Error::msg)?;
        host::compile(&built.join("bench_guest.wasm"), &files.directory, host::COMPILED)?;
        host::compile(&built.join("forks.wasm"), &files.directory, forks::COMPILED)?;
        fs::copy(built.join(start::COMPONENT), files.directory.join(start::COMPONENT))?;
        Ok(files)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Measures scenes that take turns, each in a process of its own for each team.
fn measure(scenes: &[Scene], round: u32, files: &Files, samples: &mut Samples) -> Result<()> {
    let teams = scenes.iter().flat_map(|scene| scene.teams().map(|team| (*scene, team)));
    let teams = teams.filter(|(_, team)| !team.is_empty());
    let start =
        |(scene, team): (_, Vec<_>)| Measuring::start(scene, &team, round, &files.directory);
    let mut all = teams.map(start).collect::<Result<Vec<_>>>()?;
    let blocks = scenes.iter().map(|scene| scene.blocks()).max().unwrap_or(0);
    // The first block is for warming up.
    for block in 0..=blocks {
        shuffle(&mut all, u64::from(round * 1000 + block));
        all.iter_mut().try_for_each(|one| one.measure(samples))?;
    }
    all.into_iter().try_for_each(Measuring::end)
}

/// Another order for each seed, the same in each run.
fn shuffle<T>(all: &mut [T], seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for last in (1..all.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let other = usize::try_from(state % (last as u64 + 1)).unwrap_or(0);
        all.swap(last, other);
    }
}
