//! What many live children of one guest cost: memory of the host for each, and
//! the time from killing one of them to knowing its end, beside what that takes
//! the engine alone.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use offspring_spawn::{Child, Program};
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::host::{GuestWork, Host, How};

/// How many children there are. The first is what the others are compared with.
const COUNTS: [u32; 4] = [10, 100, 1000, 10_000];

/// How often each is measured; in each round in another process.
const ROUNDS: usize = 5;

/// How many are ended one by one, at most, and in which order: as the guest does.
const WAKES: usize = 1000;
const STEP: usize = 7919;

/// Figures of one process.
#[derive(Debug, Clone, Copy)]
struct Crowd {
    peak_memory: u64,
    wake: u64,
    /// The same of children that no guest has.
    engine: u64,
}

/// Measures all counts, interleaved, and prints them as ratios to the first.
pub fn bench(directory: &Path) -> Result<()> {
    let mut all: [Vec<Crowd>; COUNTS.len()] = Default::default();
    for _ in 0..ROUNDS {
        for (crowds, count) in all.iter_mut().zip(COUNTS) {
            crowds.push(measure(directory, count)?);
        }
    }
    let median = |crowds: &[Crowd], figure: fn(&Crowd) -> u64| {
        let mut figures: Vec<u64> = crowds.iter().map(figure).collect();
        figures.sort_unstable();
        figures.get(figures.len() / 2).copied().unwrap_or_default()
    };
    let wakes = |crowds: &[Crowd]| {
        [median(crowds, |crowd| crowd.wake), median(crowds, |crowd| crowd.engine)]
    };
    let first = wakes(&all[0]);
    let alone = median(&all[0], |crowd| crowd.peak_memory);
    let [children, each] = ["children", "bytes for each"];
    let [wake, engine, ratio] = ["wake, us", "engine, us", "ratio"];
    println!("{children:>8} {each:>16} {wake:>12} {ratio:>8} {engine:>12} {ratio:>8}");
    for (crowds, count) in all.iter().zip(COUNTS) {
        let memory = median(crowds, |crowd| crowd.peak_memory).saturating_sub(alone);
        let each = match count - COUNTS[0] {
            0 => "-".to_owned(),
            more => (memory / u64::from(more)).to_string(),
        };
        let columns = wakes(crowds).into_iter().zip(first).map(|(wake, first)| {
            format!(" {:>12.1} {:>8.2}", thousandths(wake, 1000), thousandths(wake, first.max(1)))
        });
        println!("{count:>8} {each:>16}{}", columns.collect::<String>());
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "microseconds, for people")]
fn thousandths(value: u64, of: u64) -> f64 {
    value as f64 / of as f64
}

fn measure(directory: &Path, count: u32) -> Result<Crowd> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--crowd", &count.to_string()])
        .arg(directory)
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let [peak_memory, wake, engine] = words[..] else { bail!("three figures") };
    Ok(Crowd { peak_memory: peak_memory.parse()?, wake: wake.parse()?, engine: engine.parse()? })
}

/// Measures one count in this process, and prints the figures.
pub fn worker(count: u32, directory: &Path) -> Result<()> {
    let mut open = getrlimit(Resource::Nofile);
    open.current = open.maximum;
    setrlimit(Resource::Nofile, open)?;
    let idle = directory.join("idle");
    let mut host = Host::start(directory, &idle, How::default())?;
    let wake = middle(host.measure(GuestWork::Crowd, &[], count)?)?;
    let memory = peak_memory()?;
    drop(host);
    println!("{memory} {wake} {}", middle(engine(&idle, count)?)?);
    Ok(())
}

fn middle(mut figures: Vec<u64>) -> Result<u64> {
    figures.sort_unstable();
    figures.get(figures.len() / 2).copied().context("a figure")
}

/// What the guest does, without a guest.
fn engine(idle: &Path, count: u32) -> Result<Vec<u64>> {
    let mut command = offspring_spawn::Command::new(&Program::open(idle)?);
    command.new_process_group(true);
    let spawned = (0..count).map(|_| command.spawn()).collect::<Result<Vec<Child>, _>>();
    let (children, count) = (spawned?, usize::try_from(count)?);
    let wake = |turn: usize| {
        let child = &children[turn * STEP % count];
        let start = Instant::now();
        child.kill()?;
        child.pidfd().poll(Duration::MAX)?;
        child.try_wait()?.context("it has ended")?;
        Ok(u64::try_from(start.elapsed().as_nanos())?)
    };
    (1..=count.min(WAKES)).map(wake).collect()
}

/// The most memory that this process ever had, in bytes.
fn peak_memory() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.context("VmHWM")?.trim().trim_end_matches(" kB").parse::<u64>()?;
    Ok(kib * 1024)
}
