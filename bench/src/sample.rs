//! What is measured: a method, what it does, and under which condition.

use std::collections::BTreeMap;

use clap::ValueEnum;

use crate::method::{Method, Work};

/// What the measuring process is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Condition {
    /// As it is.
    Small,
    /// With 1 GiB of touched memory.
    Memory,
    /// With 10 000 open descriptors.
    Descriptors,
    /// On two threads at once: nanoseconds of one thread's spawn.
    Threads,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sample {
    pub method: Method,
    pub work: Work,
    pub condition: Condition,
}

impl Condition {
    pub fn name(self) -> &'static str {
        match self {
            Condition::Small => "small",
            Condition::Memory => "memory",
            Condition::Descriptors => "descriptors",
            Condition::Threads => "threads",
        }
    }
}

impl Sample {
    pub fn new(method: Method, work: Work, condition: Condition) -> Sample {
        Sample { method, work, condition }
    }

    /// Everything that is measured.
    pub fn all() -> Vec<Sample> {
        use Condition as C;
        use Method as M;
        let mut all = Vec::new();
        for method in Method::SPAWN {
            for (work, condition) in [
                (Work::Tiny, C::Small),
                (Work::Tiny, C::Memory),
                (Work::Tiny, C::Descriptors),
                (Work::True, C::Small),
            ] {
                all.push(Sample::new(method, work, condition));
            }
        }
        for method in [M::Floor, M::Engine, M::Std, M::Tokio] {
            all.push(Sample::new(method, Work::Tiny, C::Threads));
        }
        all.push(Sample::new(M::Guest, Work::Call, C::Small));
        for method in [M::Guest, M::Std, M::Tokio] {
            all.push(Sample::new(method, Work::Stdout, C::Small));
        }
        all
    }
}

/// The figures of all rounds, in nanoseconds.
#[derive(Debug, Default)]
pub struct Samples(pub BTreeMap<Sample, Vec<u64>>);

impl Samples {
    /// Adds a round. Its first tenth is for warming up.
    pub fn add(&mut self, sample: Sample, values: Vec<u64>) {
        let cold = values.len() / 10;
        self.0.entry(sample).or_default().extend(&values[cold..]);
    }

    /// The value below which this part of the figures lies.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index among some thousand figures"
    )]
    pub fn quantile(&self, sample: Sample, part: f64) -> Option<f64> {
        let mut values = self.0.get(&sample)?.clone();
        values.sort_unstable();
        let index = (part * (values.len() - 1) as f64).round() as usize;
        values.get(index).map(|value| *value as f64)
    }

    pub fn median(&self, sample: Sample) -> Option<f64> {
        self.quantile(sample, 0.5)
    }
}
