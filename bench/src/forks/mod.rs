//! What a fork server costs: a guest that warms up once and forks for each job,
//! against one that is warmed up for each job, and against native forks of the same
//! size, by what was touched and by what the process has; and what it takes to start a worker.

mod guest;
mod native;
mod resident;
mod start;
mod target;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail, ensure};

pub use guest::COMPILED;
pub use start::prepare;

use resident::Resident;
use serde_json::{Map, Value, json};
use start::Started;
use target::{Limit, Target};

/// How many MiB are touched.
const SIZES: [usize; 7] = [0, 1, 8, 64, 128, 256, 512];

/// How many a fork server has that is measured against others.
const SERVER: usize = 64;

/// How often all is measured, each time in another process.
const ROUNDS: usize = 5;

/// How often a process forks, and how often before that counts: a server forks on and on,
/// and its host gets ready for that.
const COUNT: usize = 40;
const BEFORE: usize = 32;

/// How often a fresh instance is warmed up in a process.
const FRESH: usize = 5;

/// Figures by size and by what was measured.
type Figures = BTreeMap<(usize, &'static str), Vec<u64>>;

/// What processes had in memory, by the same.
type Residents = BTreeMap<(usize, &'static str), Resident>;

/// What is measured, each in a process of its own: how, what its lines begin with, and
/// under what name.
const WAYS: [(&str, &str, &str); 5] = [
    ("native", "fork", "native fork"),
    ("small-pages", "fork", GUEST),
    (SAME, "fork", "same resident"),
    ("huge-pages", "fork", "with huge pages"),
    ("fresh", "fresh", "fresh instance"),
];

/// A guest with pages of 4 KiB.
const GUEST: &str = "guest fork";

/// Forks of the same process by nothing but the C library, when its guest has ended and
/// nothing of it was dropped: what any way to fork it takes at least.
const BARE: &str = "bare fork";

/// Native forks of a process that has as much anonymous memory as the guest's has, which
/// is measured before it.
const SAME: &str = "native-same";

/// Measures all, interleaved, prints it, and returns it as JSON.
pub fn bench(directory: &Path) -> Result<String> {
    let (figures, residents) = measure_all(directory)?;
    print_table(&figures);
    print_residents(&residents);
    let starts = start::bench(directory)?;
    let targets = targets(&figures, &starts);
    println!("\nmedians against their targets\n");
    targets.iter().for_each(|target| println!("{target}"));

    let mut all = Map::new();
    for ((size, name), figures) in &figures {
        let spread = Spread::of(Some(figures)).to_json();
        all.insert(format!("{name}/{size} MiB"), spread);
    }
    for Started { name, ready, ended } in &starts {
        all.insert(format!("{name}/has its job"), Spread::of(Some(ready)).to_json());
        all.insert(format!("{name}/guest run"), Spread::of(Some(ended)).to_json());
    }
    for ((size, name), resident) in &residents {
        all.insert(format!("{name}/{size} MiB/resident"), resident.to_json());
    }
    let targets: Vec<Value> = targets.iter().map(Target::to_json).collect();
    let value = json!({ "unit": "nanoseconds", "samples": all, "targets": targets });
    Ok(format!("{value:#}\n"))
}

fn measure_all(directory: &Path) -> Result<(Figures, Residents)> {
    let (mut figures, mut residents) = (Figures::new(), Residents::new());
    for round in 1..=ROUNDS {
        eprint!("\rround {round}");
        for size in SIZES {
            for (way, word, name) in WAYS {
                let like = residents.get(&(size, GUEST)).copied().unwrap_or_default();
                let amount = if way == SAME { like.to_string() } else { size.to_string() };
                let text = measure(way, &amount, round, directory)?;
                let lines: Vec<(&str, &str)> =
                    text.lines().filter_map(|line| line.split_once(' ')).collect();
                let of = |word| move |(what, _): &&(&str, &str)| *what == word;
                let before = if word == "fork" { BEFORE } else { 0 };
                for (_, figure) in lines.iter().filter(of(word)).skip(before) {
                    figures.entry((size, name)).or_default().push(figure.parse()?);
                }
                if way == "small-pages" {
                    for (_, figure) in lines.iter().filter(of("bare")).skip(BEFORE) {
                        figures.entry((size, BARE)).or_default().push(figure.parse()?);
                    }
                }
                if let Some((_, resident)) = lines.iter().find(of("resident")) {
                    residents.insert((size, name), resident.parse()?);
                }
            }
        }
    }
    eprintln!();
    Ok((figures, residents))
}

/// How often one median is another one.
fn ratio(figures: &Figures, size: usize, one: &'static str, other: &'static str) -> f64 {
    let median = |name| micro(Spread::of(figures.get(&(size, name))).median);
    median(one) / median(other)
}

fn print_table(figures: &Figures) {
    println!("microseconds, lowest tenth and median\n");
    print!("{:>5}", "MiB");
    let names: Vec<_> = WAYS.iter().map(|(_, _, name)| *name).chain([BARE]).collect();
    names.iter().for_each(|name| print!("{name:>22}"));
    println!("{:>10}{:>10}{:>10}{:>10}{:>10}", "of native", "of same", "of bare", "huge", "fresh");
    for size in SIZES {
        print!("{size:>5}");
        for name in &names {
            let Spread { tenth, median } = Spread::of(figures.get(&(size, name)));
            print!("{:>22}", format!("{:.0}, {:.0}", micro(tenth), micro(median)));
        }
        println!(
            "{:>10.2}{:>10.2}{:>10.2}{:>10.1}{:>10.1}",
            ratio(figures, size, GUEST, "native fork"),
            ratio(figures, size, GUEST, "same resident"),
            ratio(figures, size, GUEST, BARE),
            ratio(figures, size, "native fork", "with huge pages"),
            ratio(figures, size, "fresh instance", "guest fork"),
        );
    }
}

fn print_residents(residents: &Residents) {
    println!("\nKiB in memory: all, anonymous, and of that in huge pages\n");
    for ((size, name), Resident { all, anonymous, huge }) in residents {
        println!("{size:>5}{name:>22}{all:>12}{anonymous:>12}{huge:>12}");
    }
}

fn targets(figures: &Figures, starts: &[Started]) -> Vec<Target> {
    let mut targets = Vec::new();
    for size in SIZES.into_iter().filter(|size| *size > 0) {
        let value = ratio(figures, size, GUEST, "native fork");
        targets.push(Target::new(format!("native_fork_{size}_mib"), value, Limit::Most(1.2)));
        let name = format!("native_fork_{size}_mib_same_resident");
        let value = ratio(figures, size, GUEST, "same resident");
        targets.push(Target::new(name, value, Limit::Most(1.2)));
    }
    for size in SIZES.into_iter().filter(|size| *size >= SERVER) {
        let value = ratio(figures, size, "native fork", "with huge pages");
        targets.push(Target::new(format!("huge_pages_{size}_mib"), value, Limit::Least(5.0)));
    }
    // What runs a fork server asks for huge pages; what it is measured against does not.
    for (name, fork) in [("warm", GUEST), ("warm_huge_pages", "with huge pages")] {
        let value = ratio(figures, SERVER, "fresh instance", fork);
        targets.push(Target::new(format!("{name}_{SERVER}_mib"), value, Limit::Least(20.0)));
    }
    for (started, (name, most)) in starts.iter().zip([("worker_ms", 3.0), ("zygote_ms", 1.0)]) {
        let value = micro(Spread::of(Some(&started.ready)).median) / 1000.0;
        targets.push(Target::new(name, value, Limit::Most(most)));
    }
    targets
}

/// Measures one way in this process, and prints the figures.
pub fn worker(words: &[String]) -> Result<()> {
    let [way, amount, round, directory] = words else { bail!("four words") };
    // As spawns are measured: a child starts on its parent's processor or on another one.
    crate::worker::pin(round.parse()?)?;
    let directory = directory.as_ref();
    let (size, count) = (|| amount.parse::<usize>(), BEFORE + COUNT);
    match way.as_str() {
        "native" => native::forks(size()? << 20, count),
        SAME => native::forks_like(amount.parse()?, count),
        "small-pages" => guest::forks(directory, size()?, count, guest::Pages::Small),
        "huge-pages" => guest::forks(directory, size()?, count, guest::Pages::Huge),
        "fresh" => guest::fresh(directory, size()?, FRESH),
        other => bail!("no such way: {other}"),
    }
}

fn measure(way: &str, amount: &str, round: usize, directory: &Path) -> Result<String> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--forks", way, amount, &round.to_string()])
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
    fn to_json(self) -> Value {
        json!({ "p10": self.tenth, "median": self.median })
    }

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
