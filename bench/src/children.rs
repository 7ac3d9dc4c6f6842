//! What many live children of one guest cost: memory of the host for each, and
//! the time from killing one of them to knowing its end.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::host::{Guest, GuestWork};

/// How many children there are. The first is what the others are compared with.
const COUNTS: [u32; 4] = [10, 100, 1000, 10_000];

/// How often each is measured; in each round in another process.
const ROUNDS: usize = 5;

/// Figures of one process.
#[derive(Debug, Clone, Copy)]
struct Crowd {
    peak_memory: u64,
    wake: u64,
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
    let first = median(&all[0], |crowd| crowd.wake);
    let alone = median(&all[0], |crowd| crowd.peak_memory);
    println!("{:>8} {:>16} {:>12} {:>8}", "children", "bytes for each", "wake, us", "ratio");
    for (crowds, count) in all.iter().zip(COUNTS) {
        let (wake, memory) = (
            median(crowds, |crowd| crowd.wake),
            median(crowds, |crowd| crowd.peak_memory).saturating_sub(alone),
        );
        let each = match count - COUNTS[0] {
            0 => "-".to_owned(),
            more => (memory / u64::from(more)).to_string(),
        };
        let (micro, ratio) = (thousandths(wake, 1000), thousandths(wake, first.max(1)));
        println!("{count:>8} {each:>16} {micro:>12.1} {ratio:>8.2}");
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
    let (peak_memory, wake) = text.trim().split_once(' ').context("two figures")?;
    Ok(Crowd { peak_memory: peak_memory.parse()?, wake: wake.parse()? })
}

/// Measures one count in this process, and prints the figures.
pub fn worker(count: u32, directory: &Path) -> Result<()> {
    let mut open = getrlimit(Resource::Nofile);
    open.current = open.maximum;
    setrlimit(Resource::Nofile, open)?;
    let mut guest = Guest::start(directory, &directory.join("idle"))?;
    let mut wakes = guest.measure(GuestWork::Crowd, &[], count)?;
    wakes.sort_unstable();
    let wake = wakes.get(wakes.len() / 2).context("a figure")?;
    println!("{} {wake}", peak_memory()?);
    Ok(())
}

/// The most memory that this process ever had, in bytes.
fn peak_memory() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.context("VmHWM")?.trim().trim_end_matches(" kB").parse::<u64>()?;
    Ok(kib * 1024)
}
