//! What is measured, and the figures.

use std::collections::BTreeMap;
use std::fmt;

use offspring::cgroup::Place;

use crate::condition::Condition;
use crate::method::Method;
use crate::work::Work;

/// What is done, and where: all methods for it take turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scene {
    pub work: Work,
    pub condition: Condition,
}

/// Whose figures they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sample {
    pub scene: Scene,
    pub method: Method,
}

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.work.name(), self.condition)
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.scene, self.method.name())
    }
}

/// How many processes measure a scene at most.
const TEAMS: usize = 3;

/// The sizes that a condition is measured at: in a short run the ends alone.
fn sizes(all: &[u32], quick: bool) -> Vec<u32> {
    let last = all.last().copied();
    if quick { last.into_iter().collect() } else { all.to_vec() }
}

impl Scene {
    /// Everything that is measured.
    pub fn all(quick: bool) -> Vec<Scene> {
        let tiny = |condition| Scene { work: Work::Tiny, condition };
        let mut all: Vec<Scene> = vec![tiny(Condition::Small), tiny(Condition::Threads)];
        all.extend(sizes(&[64, 256, 1024], quick).into_iter().map(Condition::Memory).map(tiny));
        all.extend(
            sizes(&[100, 1000, 10_000], quick).into_iter().map(Condition::Descriptors).map(tiny),
        );
        let children: &[u32] = if quick { &[10, 10_000] } else { &[10, 100, 1000, 10_000] };
        all.extend(children.iter().copied().map(Condition::Children).map(tiny));
        for work in [
            Work::True,
            Work::Git,
            Work::Start,
            Work::Held,
            Work::Stdout,
            Work::Pipeline,
            Work::Call,
            Work::Run,
        ] {
            all.push(Scene { work, condition: Condition::Small });
        }
        all
    }

    /// The same by those that are measured at the same time, a block of one and a block of
    /// another: hosts that differ in what they have, which are compared with each other. Not
    /// those with children, which are there for all.
    pub fn turns(scenes: Vec<Scene>) -> Vec<Vec<Scene>> {
        use Condition::{Descriptors, Memory, Small};
        let is_size = |scene: &Scene| {
            scene.work == Work::Tiny
                && matches!(scene.condition, Small | Memory(_) | Descriptors(_))
        };
        let (sizes, others): (Vec<_>, Vec<_>) = scenes.into_iter().partition(is_size);
        let sizes = (!sizes.is_empty()).then_some(sizes);
        sizes.into_iter().chain(others.into_iter().map(|scene| vec![scene])).collect()
    }

    /// The methods that take turns.
    fn methods(self) -> Vec<Method> {
        use Method as M;
        match (self.work, self.condition) {
            (Work::Stdout, _) => vec![M::Guest, M::Std, M::Tokio],
            (Work::Pipeline, _) => vec![M::Guest, M::Shell],
            (Work::Call, _) => vec![M::Guest],
            (Work::Held, _) => vec![M::Guest, M::Lane],
            (Work::Run, _) => vec![M::Wasm, M::Cwasm],
            (_, Condition::Threads) => vec![M::Floor, M::Engine, M::Guest, M::Std, M::Tokio],
            (work, condition) => {
                let mut methods = vec![
                    M::Floor,
                    M::Engine,
                    M::Embedder,
                    M::Guest,
                    M::PosixSpawn,
                    M::Std,
                    M::Tokio,
                    M::AsyncProcess,
                    M::Fork,
                ];
                match (work, condition) {
                    (Work::Tiny, Condition::Small) => {
                        let more = [M::Handle, M::Unpoliced, M::Policed, M::PolicedLane, M::Lane];
                        methods.extend(more);
                        if Place::find().is_ok() {
                            methods.push(M::Grouped);
                        }
                    }
                    (Work::Start, _) => methods.push(M::Lane),
                    _ => {}
                }
                methods
            }
        }
    }

    /// The same by the processes that they are measured in. Those that handle SIGCHLD
    /// are apart: it would interrupt the threads of the others. And no process has more
    /// than one simple host, where there are many: a native spawn copies all descriptors
    /// that its process has, and each spawn up to 64 of them.
    pub fn teams(self) -> [Vec<Method>; TEAMS] {
        use Method as M;
        let is_crowded = self.work == Work::Tiny && self.condition == Condition::Small;
        let mut teams = [const { Vec::new() }; TEAMS];
        for method in self.methods() {
            let team = match method {
                M::Tokio | M::AsyncProcess => 2,
                M::Handle | M::Lane | M::Grouped | M::Policed | M::PolicedLane | M::Unpoliced
                    if is_crowded =>
                {
                    1
                }
                _ => 0,
            };
            teams[team].push(method);
        }
        teams
    }

    /// How many blocks a process measures, each of all methods in another
    /// order.
    pub fn blocks(self) -> u32 {
        match (self.work, self.condition) {
            (Work::Stdout | Work::Pipeline | Work::Run, _) => 2,
            _ => 12,
        }
    }
}

/// The figures of one block in nanoseconds, and which block of which process.
#[derive(Debug, Clone)]
pub struct Block {
    pub round: u32,
    pub number: u32,
    pub figures: Vec<u64>,
}

/// The figures of all rounds.
#[derive(Debug, Default)]
pub struct Samples(pub BTreeMap<Sample, Vec<Block>>);

/// A median, with what is at both ends of most figures.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl Spread {
    /// The same in another unit.
    pub fn scaled(self, by: f64) -> Spread {
        Spread { median: self.median * by, low: self.low * by, high: self.high * by }
    }
}

impl Samples {
    /// Adds the figures of a block.
    pub fn add(&mut self, sample: Sample, block: Block) {
        self.0.entry(sample).or_default().push(block);
    }

    /// The median of all figures, with the tenths at both ends.
    pub fn spread(&self, sample: Sample) -> Option<Spread> {
        let figures = self.0.get(&sample)?.iter().flat_map(|block| &block.figures);
        spread(figures.map(|figure| *figure as f64).collect(), 10)
    }

    /// How often longer one takes than another that took turns with it: of the
    /// medians of every block, the median, with the quarters at both ends. What
    /// slows the machine down for a while slows both.
    pub fn ratio(&self, one: Sample, other: Sample) -> Option<Spread> {
        let others = self.0.get(&other)?;
        let ratios = self.0.get(&one)?.iter().filter_map(|block| {
            let same = |other: &&Block| (other.round, other.number) == (block.round, block.number);
            Some(median(&block.figures)? / median(&others.iter().find(same)?.figures)?)
        });
        spread(ratios.collect(), 25)
    }

    /// The same of two that did not take turns, round by round.
    pub fn ratio_of_rounds(&self, one: Sample, other: Sample) -> Option<Spread> {
        let (ones, others) = (self.rounds(one), self.rounds(other));
        let ratios = ones.iter().filter_map(|(round, one)| Some(one / others.get(round)?));
        spread(ratios.collect(), 25)
    }

    /// How much more two threads do than one: of blocks with a figure for each.
    pub fn threads(&self, sample: Sample) -> Option<Spread> {
        let ratios = self.0.get(&sample)?.iter().filter_map(|block| match block.figures[..] {
            [alone, both] => Some(2.0 * alone as f64 / both as f64),
            _ => None,
        });
        spread(ratios.collect(), 25)
    }

    /// How much more two threads do in one way than two in another.
    pub fn both_threads(&self, one: Sample, other: Sample) -> Option<Spread> {
        let both = |sample| {
            let blocks = self.0.get(&sample).into_iter().flatten();
            let both = blocks.filter_map(|block| match block.figures[..] {
                [_, both] => Some(((block.round, block.number), both as f64)),
                _ => None,
            });
            both.collect::<BTreeMap<_, _>>()
        };
        let (ones, others) = (both(one), both(other));
        let ratios = ones.iter().filter_map(|(block, one)| Some(others.get(block)? / one));
        spread(ratios.collect(), 25)
    }

    /// The median of every round.
    fn rounds(&self, sample: Sample) -> BTreeMap<u32, f64> {
        let mut rounds: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for block in self.0.get(&sample).into_iter().flatten() {
            rounds.entry(block.round).or_default().extend(&block.figures);
        }
        rounds.iter().filter_map(|(round, all)| Some((*round, median(all)?))).collect()
    }
}

fn median(figures: &[u64]) -> Option<f64> {
    let figures = figures.iter().map(|figure| *figure as f64).collect();
    spread(figures, 50).map(|spread| spread.median)
}

/// The median, and what so many of a hundred are below and above.
fn spread(mut figures: Vec<f64>, percent: usize) -> Option<Spread> {
    figures.sort_unstable_by(f64::total_cmp);
    let last = figures.len().checked_sub(1)?;
    let at = |percent: usize| figures[(last * percent + 50) / 100];
    Some(Spread { median: at(50), low: at(percent), high: at(100 - percent) })
}
