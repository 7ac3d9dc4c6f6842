//! Ratios first, then what they were made of.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::children;
use crate::condition::Condition;
use crate::method::Method;
use crate::sample::{Sample, Samples, Scene, Spread};
use crate::work::{BYTES, Work};

/// What is reported.
#[derive(Debug)]
pub struct Report {
    ratios: Vec<Ratio>,
    rows: Vec<String>,
}

#[derive(Debug)]
struct Ratio {
    name: &'static str,
    /// What it is a ratio of.
    of: &'static str,
    spread: Spread,
}

impl Report {
    /// Ratios whose figures were not all measured are left out.
    pub fn new(samples: &Samples) -> Report {
        let rows = samples.0.keys().filter_map(|sample| row(samples, *sample)).collect();
        Report { ratios: ratios(samples), rows }
    }

    /// Everything for programs.
    pub fn to_json(&self, samples: &Samples) -> String {
        let (mut ratios, mut spreads) = (Map::new(), Map::new());
        for Ratio { name, spread, .. } in &self.ratios {
            ratios.insert((*name).to_owned(), json!(spread.median));
            spreads.insert((*name).to_owned(), json!([spread.low, spread.high]));
        }
        let mut all = Map::new();
        for sample in samples.0.keys() {
            let figures = samples.spread(*sample).map(
                |Spread { median, low, high }| json!({ "p10": low, "median": median, "p90": high }),
            );
            all.insert(sample.to_string(), json!(figures));
        }
        let machine = json!({
            "arch": std::env::consts::ARCH,
            "cpus": std::thread::available_parallelism().map_or(0, usize::from),
            "kernel": rustix::system::uname().release().to_string_lossy(),
        });
        let value: Value = json!({
            "machine": machine,
            "unit": "nanoseconds",
            "samples": all,
            "ratios": ratios,
            "quartiles": spreads,
        });
        format!("{value:#}\n")
    }
}

fn ratios(samples: &Samples) -> Vec<Ratio> {
    use Method as M;
    let sample = |work, condition, method| Sample { scene: Scene { work, condition }, method };
    let tiny = |condition, method| sample(Work::Tiny, condition, method);
    let small = |method| tiny(Condition::Small, method);
    let turns = |one, other| samples.ratio(small(one), small(other));
    let grown = |condition, method| samples.ratio(tiny(condition, method), small(method));
    let plain = |work, method| sample(work, Condition::Small, method);
    let beside = |work, one, other| samples.ratio(plain(work, one), plain(work, other));
    let speed = |work, one, other| beside(work, other, one);
    let call = samples.spread(plain(Work::Call, M::Guest)).map(|spread| spread.scaled(0.001));
    let threads = |method| samples.threads(tiny(Condition::Threads, method));
    let both = |one, other| {
        samples.both_threads(tiny(Condition::Threads, one), tiny(Condition::Threads, other))
    };
    let many = Condition::Descriptors(10_000);
    let growth = |of: &dyn Fn(u32) -> Sample| samples.ratio_of_rounds(of(10_000), of(10));
    let crowded = growth(&|count| tiny(Condition::Children(count), M::Guest));
    let living = tiny(Condition::Children(1000), M::Guest);
    let living = samples.ratio_of_rounds(living, small(M::Guest));
    let woken = |method| growth(&|count| children::sample(count, method));
    let all = [
        ("guest_over_std", "latency", turns(M::Guest, M::Std)),
        ("guest_over_floor", "latency", turns(M::Guest, M::Floor)),
        ("handle_over_floor", "latency", turns(M::Handle, M::Floor)),
        ("embedder_over_std", "latency", turns(M::Embedder, M::Std)),
        ("engine_over_floor", "latency", turns(M::Engine, M::Floor)),
        ("full_policy_over_bare", "latency", turns(M::Policed, M::Unpoliced)),
        ("full_policy_by_lane_over_bare", "latency", turns(M::PolicedLane, M::Unpoliced)),
        ("lane_over_inline", "latency", turns(M::Lane, M::Guest)),
        ("lane_runs_over_inline", "latency", beside(Work::Start, M::Lane, M::Guest)),
        ("lane_holds_over_inline", "time", beside(Work::Held, M::Lane, M::Guest)),
        ("own_cgroup_over_none", "latency", turns(M::Grouped, M::Guest)),
        ("rss_1g_over_small", "latency", grown(Condition::Memory(1024), M::Guest)),
        ("fds_10k_over_10", "latency", grown(many, M::Guest)),
        ("children_1k_over_0", "latency", living),
        ("children_10k_over_10", "latency", crowded),
        ("wake_10k_over_10", "latency", woken(M::Guest)),
        ("native_wake_10k_over_10", "latency", woken(M::Floor)),
        ("threads_2_over_1", "throughput", threads(M::Guest)),
        ("engine_threads_2_over_1", "throughput", threads(M::Engine)),
        ("two_threads_over_tokio", "throughput", both(M::Guest, M::Tokio)),
        ("engine_two_threads_over_tokio", "throughput", both(M::Engine, M::Tokio)),
        ("floor_two_threads_over_tokio", "throughput", both(M::Floor, M::Tokio)),
        ("stdout_over_native", "throughput", speed(Work::Stdout, M::Guest, M::Std)),
        ("stdout_over_tokio", "throughput", beside(Work::Stdout, M::Tokio, M::Guest)),
        ("guest_over_tokio", "latency", turns(M::Guest, M::Tokio)),
        ("pipeline_over_shell", "throughput", speed(Work::Pipeline, M::Guest, M::Shell)),
        ("host_call_ns", "nanoseconds", call),
    ];
    let measured =
        |(name, of, spread): (_, _, Option<_>)| Some(Ratio { name, of, spread: spread? });
    all.into_iter().filter_map(measured).collect()
}

fn row(samples: &Samples, sample: Sample) -> Option<String> {
    let spread = samples.spread(sample)?;
    let name = sample.to_string();
    if matches!(sample.scene.work, Work::Stdout | Work::Pipeline) {
        let bytes: f64 = BYTES.parse().ok()?;
        return Some(format!("{name:<34} {:>26.2} GB/s", bytes / spread.median));
    }
    let Spread { median, low, high } = spread.scaled(0.001);
    Some(format!("{name:<34} {low:>12.1} {median:>12.1} {high:>12.1}"))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<26} {:>8} {:>8} {:>8}", "", "quarter", "median", "quarter")?;
        for Ratio { name, of, spread: Spread { median, low, high } } in &self.ratios {
            writeln!(f, "{name:<26} {low:>8.2} {median:>8.2} {high:>8.2}  {of}")?;
        }
        writeln!(f, "\n{:<34} {:>12} {:>12} {:>12}", "microseconds", "tenth", "median", "tenth")?;
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        Ok(())
    }
}
