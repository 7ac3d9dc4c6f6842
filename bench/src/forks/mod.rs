//! What a fork server costs: a guest that warms up once and forks for each job,
//! against one that is warmed up for each job, and against native forks of the same
//! size; and what it takes to start a worker.

mod guest;
mod native;
mod start;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

pub use guest::COMPILED;
pub use start::prepare;

/// How many MiB are touched.
const SIZES: [usize; 8] = [0, 1, 4, 16, 64, 128, 256, 512];

/// How often all is measured, each time in another process.
const ROUNDS: usize = 5;

/// How often a process forks.
const COUNT: usize = 40;

/// How often a fresh instance is warmed up in a process.
const FRESH: usize = 5;

/// Figures by size and by what was measured.
type Figures = BTreeMap<(usize, &'static str), Vec<u64>>;

/// What is measured, each in a process of its own: how, and under what name.
const WAYS: [(&str, &[(&str, &str)]); 4] = [
    ("native", &[("fork", "native fork")]),
    ("small-pages", &[("fork", "guest fork")]),
    ("huge-pages", &[("fork", "with huge pages")]),
    ("fresh", &[("fresh", "fresh instance")]),
];

/// Measures all, interleaved, and prints it.
pub fn bench(directory: &Path) -> Result<()> {
    let mut figures = Figures::new();
    for round in 1..=ROUNDS {
        eprint!("\rround {round}");
        for size in SIZES {
            for (way, names) in WAYS {
                for line in measure(way, size, directory)?.lines() {
                    let (what, figure) = line.split_once(' ').context("two words")?;
                    if let Some((_, name)) = names.iter().find(|(word, _)| *word == what) {
                        figures.entry((size, *name)).or_default().push(figure.parse()?);
                    }
                }
            }
        }
    }
    eprintln!();
    println!("microseconds, lowest tenth and median\n");
    print!("{:>5}", "MiB");
    let names: Vec<&str> =
        WAYS.iter().flat_map(|(_, names)| *names).map(|(_, name)| *name).collect();
    names.iter().for_each(|name| print!("{name:>22}"));
    println!("{:>10}{:>10}{:>10}", "of native", "huge", "fresh");
    for size in SIZES {
        let cell = |name: &'static str| Spread::of(figures.get(&(size, name)));
        print!("{size:>5}");
        for name in &names {
            let Spread { tenth, median } = cell(name);
            print!("{:>22}", format!("{:.0}, {:.0}", micro(tenth), micro(median)));
        }
        let ratio = |one: &'static str, other: &'static str| {
            micro(cell(one).median) / micro(cell(other).median)
        };
        println!(
            "{:>10.2}{:>10.1}{:>10.1}",
            ratio("guest fork", "native fork"),
            ratio("native fork", "with huge pages"),
            ratio("fresh instance", "guest fork"),
        );
    }
    start::bench(directory)
}

/// Measures one way in this process, and prints the figures.
pub fn worker(words: &[String]) -> Result<()> {
    let [way, size, directory] = words else { bail!("three words") };
    let size: usize = size.parse()?;
    match way.as_str() {
        "native" => native::forks(size << 20, COUNT),
        "small-pages" => guest::forks(directory.as_ref(), size, COUNT, guest::Pages::Small),
        "huge-pages" => guest::forks(directory.as_ref(), size, COUNT, guest::Pages::Huge),
        "fresh" => guest::fresh(directory.as_ref(), size, FRESH),
        other => bail!("no such way: {other}"),
    }
}

fn measure(way: &str, size: usize, directory: &Path) -> Result<String> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--forks", way, &size.to_string()])
        .arg(directory)
        .output()?;
    ensure!(output.status.success(), "{way}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// What figures amount to, in nanoseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Spread {
    tenth: u64,
    median: u64,
}

impl Spread {
    fn of(figures: Option<&Vec<u64>>) -> Spread {
        let mut figures = figures.cloned().unwrap_or_default();
        figures.sort_unstable();
        let at = |index: usize| figures.get(index).copied().unwrap_or_default();
        Spread { tenth: at(figures.len() / 10), median: at(figures.len() / 2) }
    }
}

#[expect(clippy::cast_precision_loss, reason = "microseconds, for people")]
fn micro(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1000.0
}
