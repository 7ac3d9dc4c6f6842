//! Ratios first, then what they were made of.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::method::{Method, Work};
use crate::sample::{Condition, Sample, Samples};

/// How much the writer of [`Work::Stdout`] writes.
const STDOUT_BYTES: f64 = 268_435_456.0;

#[derive(Debug)]
pub struct Report {
    ratios: Vec<(&'static str, f64, &'static str)>,
    rows: Vec<String>,
}

impl Report {
    pub fn new(samples: &Samples) -> Report {
        use Condition as C;
        use Method as M;
        let median = |method, work, condition| {
            samples.median(Sample::new(method, work, condition)).unwrap_or(f64::NAN)
        };
        let tiny = |method, condition| median(method, Work::Tiny, condition);
        let ratios = vec![
            ("guest_over_std", tiny(M::Guest, C::Small) / tiny(M::Std, C::Small), "latency"),
            ("guest_over_floor", tiny(M::Guest, C::Small) / tiny(M::Floor, C::Small), "latency"),
            ("engine_over_floor", tiny(M::Engine, C::Small) / tiny(M::Floor, C::Small), "latency"),
            ("rss_1g_over_small", tiny(M::Guest, C::Memory) / tiny(M::Guest, C::Small), "latency"),
            (
                "fds_10k_over_10",
                tiny(M::Guest, C::Descriptors) / tiny(M::Guest, C::Small),
                "latency",
            ),
            (
                "threads_2_over_1",
                2.0 * tiny(M::Engine, C::Small) / tiny(M::Engine, C::Threads),
                "throughput",
            ),
            (
                "stdout_over_native",
                median(M::Std, Work::Stdout, C::Small) / median(M::Guest, Work::Stdout, C::Small),
                "throughput",
            ),
            ("host_call_ns", median(M::Guest, Work::Call, C::Small) / 1000.0, "nanoseconds"),
        ];
        let rows = samples.0.keys().map(|sample| row(samples, *sample)).collect();
        Report { ratios, rows }
    }

    pub fn to_json(&self, samples: &Samples) -> String {
        let mut ratios = Map::new();
        for (name, value, _) in &self.ratios {
            ratios.insert((*name).to_owned(), json!(value));
        }
        let mut all = Map::new();
        for sample in samples.0.keys() {
            let part = |part| samples.quantile(*sample, part);
            let figures = json!({ "p10": part(0.1), "median": part(0.5), "p90": part(0.9) });
            all.insert(name(*sample), figures);
        }
        let machine = json!({
            "arch": std::env::consts::ARCH,
            "cpus": std::thread::available_parallelism().map_or(0, usize::from),
            "kernel": rustix::system::uname().release().to_string_lossy(),
        });
        let value: Value = json!({ "machine": machine, "samples": all, "ratios": ratios });
        format!("{value:#}\n")
    }
}

fn name(sample: Sample) -> String {
    let Sample { method, work, condition } = sample;
    format!("{} {} {}", work.name(), condition.name(), method.name())
}

fn row(samples: &Samples, sample: Sample) -> String {
    let figure = |part| samples.quantile(sample, part).unwrap_or(f64::NAN);
    let name = name(sample);
    if sample.work == Work::Stdout {
        let speed = STDOUT_BYTES / figure(0.5);
        return format!("{name:<32} {speed:>10.2} GB/s");
    }
    let micro = |part| figure(part) / 1000.0;
    format!("{name:<32} {:>10.1} {:>10.1} {:>10.1}", micro(0.1), micro(0.5), micro(0.9))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value, unit) in &self.ratios {
            writeln!(f, "{name:<20} {value:>8.2}  {unit}")?;
        }
        writeln!(f, "\n{:<32} {:>10} {:>10} {:>10}", "microseconds", "p10", "median", "p90")?;
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        Ok(())
    }
}
