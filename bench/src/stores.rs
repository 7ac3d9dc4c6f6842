//! What stores cost each other that spawn at the same time.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::host::{Guest, GuestWork, Guests, How};

/// How many stores there are. The first is what the others are compared with.
const COUNTS: [u32; 3] = [1, 10, 100];

/// How many children all of them start together: one store as many as a hundred.
const SPAWNS: u32 = 1000;

/// How often each is measured.
const ROUNDS: usize = 9;

/// Figures of one round.
#[derive(Debug, Clone, Copy)]
struct Round {
    /// Nanoseconds for each child, by the clock on the wall.
    each: u64,
    /// Nanoseconds that all but one of a hundred spawns took, by the guests' clocks.
    slow: u64,
}

/// Measures all counts in both kinds of host, interleaved, and prints them.
pub fn bench(directory: &Path) -> Result<()> {
    let kinds = ["inline", "lane"];
    let mut rows: Vec<(&str, u32, Guests, Vec<Round>)> = Vec::new();
    for count in COUNTS {
        for kind in kinds {
            let how = How { lane: kind == "lane", place: None };
            rows.push((kind, count, Guests::load(directory, how)?, Vec::new()));
        }
    }
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let program = directory.join("tiny");
    // The first round is for warming up.
    for round in 0..=ROUNDS {
        for (_, count, guests, rounds) in &mut rows {
            let figures = measure(&runtime, guests, &program, *count)?;
            if round > 0 {
                rounds.push(figures);
            }
        }
    }
    println!("{:>8} {:>8} {:>12} {:>8} {:>12}", "stores", "", "each, us", "ratio", "slow, us");
    for (kind, count, _, rounds) in &rows {
        let first = rows.iter().find(|(other, ..)| other == kind);
        let first = first.map_or(1.0, |(.., rounds)| median(rounds, |round| round.each));
        let [each, slow] = [median(rounds, |round| round.each), median(rounds, |round| round.slow)];
        println!("{count:>8} {kind:>8} {each:>12.1} {:>8.2} {slow:>12.1}", each / first);
    }
    Ok(())
}

/// Lets so many stores spawn at once, and wait for what they start.
fn measure(runtime: &Runtime, guests: &Guests, program: &Path, count: u32) -> Result<Round> {
    runtime.block_on(async {
        let mut ready: Vec<Guest> = Vec::new();
        for _ in 0..count {
            ready.push(guests.start(program).await?);
        }
        let (mut all, start) = (JoinSet::new(), Instant::now());
        for mut guest in ready {
            all.spawn(async move {
                let figures = guest.measure(GuestWork::Spawn, &[], SPAWNS / count).await;
                // Kept until all are done.
                (figures, guest)
            });
        }
        let ended = all.join_all().await;
        let total = u64::try_from(start.elapsed().as_nanos())?;
        let mut figures = Vec::new();
        for (guest, _) in ended {
            figures.extend(guest?);
        }
        figures.sort_unstable();
        let slow = figures.get(figures.len() * 99 / 100).copied().unwrap_or_default();
        Ok(Round { each: total / u64::from(SPAWNS), slow })
    })
}

/// In microseconds.
#[expect(clippy::cast_precision_loss, reason = "microseconds, for people")]
fn median(rounds: &[Round], figure: fn(&Round) -> u64) -> f64 {
    let mut figures: Vec<u64> = rounds.iter().map(figure).collect();
    figures.sort_unstable();
    figures.get(figures.len() / 2).copied().unwrap_or_default() as f64 / 1000.0
}
