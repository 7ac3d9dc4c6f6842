//! What a step may take, and what it took: it runs in a cgroup of its own.

use crate::host::Host;
use offspring_guest::PeakMemory;
use offspring_guest::cgroup::{Cgroup, CpuMax, Limit};
use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::time::Duration;

/// The key `limits` of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// In bytes.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
    /// In hundredths of a processor.
    pub cpu: Option<u32>,
}

impl Limits {
    /// Those that are set.
    pub fn names(&self) -> Vec<&'static str> {
        let Self { memory, pids, cpu } = self;
        let set = [("memory", memory.is_some()), ("pids", pids.is_some()), ("cpu", cpu.is_some())];
        set.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| *name).collect()
    }
}

/// What a step took. What is `None` is not counted on this host.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Used {
    pub cpu: Duration,
    pub memory: PeakMemory,
    /// How long its processes stood still at their limit, all together.
    pub throttled: Option<Duration>,
    /// How many were killed because memory was out.
    pub oom_kills: Option<u64>,
}

/// The cgroup of one step.
#[derive(Debug)]
pub struct StepGroup {
    pub group: Cgroup,
    /// Limits that this host cannot set.
    pub missing: Vec<&'static str>,
}

impl StepGroup {
    /// Makes one for a step of this program, beneath the group that its grant
    /// names, if it does.
    pub fn make(limits: Limits, program: &str, host: &Host) -> io::Result<Option<Self>> {
        thread_local!(static COUNT: Cell<u32> = const { Cell::new(0) });
        let Some(parent) = host.group_of(program) else {
            return Ok(None);
        };
        let count = COUNT.replace(COUNT.get().wrapping_add(1));
        let group = Cgroup::open(parent)?.create_child(&format!("step-{count}"))?;
        let Limits { memory, pids, cpu } = limits;
        let set = [
            ("memory", memory.map(|bytes| group.set_memory_max(Limit::At(bytes)))),
            ("pids", pids.map(|count| group.set_pids_max(Limit::At(count)))),
            ("cpu", cpu.map(|percent| group.set_cpu_max(CpuMax::percent(percent)))),
        ];
        let mut missing = Vec::new();
        for (name, result) in set {
            match result {
                None | Some(Ok(())) => {}
                Some(Err(error)) if error.kind() == ErrorKind::Unsupported => missing.push(name),
                Some(Err(error)) => return Err(error),
            }
        }
        Ok(Some(Self { group, missing }))
    }

    /// What was used in it. What is not counted is what the process itself says.
    pub fn used(&self, own: Option<(Duration, PeakMemory)>) -> Option<Used> {
        let stat = self.group.stat().ok()?;
        let peak = stat.memory.and_then(|memory| memory.peak).map(PeakMemory::Exact);
        Some(Used {
            cpu: stat.cpu.usage,
            memory: peak.or(own.map(|(_, memory)| memory))?,
            throttled: stat.cpu.throttled,
            oom_kills: stat.memory.map(|memory| memory.events.oom_kill),
        })
    }
}
