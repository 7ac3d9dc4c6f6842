//! What the processes of a cgroup use.

use super::Limit;
use crate::bindings::cgroup as host;
use std::time::Duration;

/// What a group and everything beneath it uses. What is `None` is not counted
/// by this host.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Stat {
    /// Memory: the controller `memory`.
    pub memory: Option<MemoryStat>,
    /// Processor time.
    pub cpu: CpuStat,
    /// Processes: the controller `pids`.
    pub pids: Option<PidsStat>,
    /// Each block device that was used: the controller `io`.
    pub io: Option<Vec<IoStat>>,
    /// Waiting for memory.
    pub memory_pressure: Option<Pressure>,
    /// Waiting for a processor.
    pub cpu_pressure: Option<Pressure>,
    /// Waiting for input and output.
    pub io_pressure: Option<Pressure>,
}

/// Memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct MemoryStat {
    /// In use now.
    pub current: u64,
    /// The most that was in use.
    pub peak: Option<u64>,
    /// The limit.
    pub max: Limit,
    /// Swap space in use.
    pub swap: Option<u64>,
    /// Of `current`: heaps and stacks.
    pub anonymous: u64,
    /// Of `current`: cached files.
    pub file: u64,
    /// Of `current`: what the kernel keeps.
    pub kernel: u64,
    /// What happened.
    pub events: MemoryEvents,
}

/// What the memory controller had to do, since the group was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct MemoryEvents {
    /// How often memory below `memory_low` was reclaimed all the same.
    pub low: u64,
    /// How often processes were slowed down.
    pub high: u64,
    /// How often the limit was about to be exceeded.
    pub max: u64,
    /// How often memory could not be had.
    pub oom: u64,
    /// How many processes were killed for it.
    pub oom_kill: u64,
}

/// Processor time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct CpuStat {
    /// All of it.
    pub usage: Duration,
    /// In user mode.
    pub user: Duration,
    /// In the kernel.
    pub system: Duration,
    /// How often processes had to stand still because of the limit: the
    /// controller `cpu`.
    pub throttled_periods: Option<u64>,
    /// How long they stood still, all together.
    pub throttled: Option<Duration>,
}

/// Processes and threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PidsStat {
    /// How many there are.
    pub current: u64,
    /// The most that there were.
    pub peak: Option<u64>,
    /// The limit.
    pub max: Limit,
    /// How often one more was refused.
    pub refused: Option<u64>,
}

/// A block device, by its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Device {
    /// The kind.
    pub major: u32,
    /// The one of this kind.
    pub minor: u32,
}

/// What was done with one block device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct IoStat {
    /// The device.
    pub device: Device,
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Reads.
    pub reads: u64,
    /// Writes.
    pub writes: u64,
}

/// How much of the time processes waited for a resource.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Pressure {
    /// At least one of them.
    pub some: Stall,
    /// All of them.
    pub full: Stall,
}

/// A part of the time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Stall {
    /// Percent of the last 10 seconds.
    pub percent_last_ten_seconds: f64,
    /// Percent of the last 60 seconds.
    pub percent_last_minute: f64,
    /// Percent of the last 300 seconds.
    pub percent_last_five_minutes: f64,
    /// Since the group was made.
    pub total: Duration,
}

impl From<host::Stat> for Stat {
    fn from(stat: host::Stat) -> Self {
        let time = Duration::from_nanos;
        Self {
            memory: stat.memory.map(memory),
            cpu: CpuStat {
                usage: time(stat.cpu.usage),
                user: time(stat.cpu.user),
                system: time(stat.cpu.system),
                throttled_periods: stat.cpu.throttled_periods,
                throttled: stat.cpu.throttled.map(time),
            },
            pids: stat.pids.map(|pids| PidsStat {
                current: pids.current,
                peak: pids.peak,
                max: match pids.max {
                    host::CountLimit::Count(count) => Limit::At(count),
                    host::CountLimit::Max => Limit::Max,
                },
                refused: pids.refused,
            }),
            io: stat.io.map(|devices| devices.into_iter().map(io).collect()),
            memory_pressure: stat.memory_pressure.map(pressure),
            cpu_pressure: stat.cpu_pressure.map(pressure),
            io_pressure: stat.io_pressure.map(pressure),
        }
    }
}

fn memory(stat: host::MemoryStat) -> MemoryStat {
    let host::MemoryEvents { low, high, max, oom, oom_kill } = stat.events;
    MemoryStat {
        current: stat.current,
        peak: stat.peak,
        max: match stat.max {
            host::ByteLimit::Bytes(bytes) => Limit::At(bytes),
            host::ByteLimit::Max => Limit::Max,
        },
        swap: stat.swap,
        anonymous: stat.anonymous,
        file: stat.file,
        kernel: stat.kernel,
        events: MemoryEvents { low, high, max, oom, oom_kill },
    }
}

fn io(stat: host::IoStat) -> IoStat {
    IoStat {
        device: Device { major: stat.device.major, minor: stat.device.minor },
        read_bytes: stat.read_bytes,
        written_bytes: stat.written_bytes,
        reads: stat.reads,
        writes: stat.writes,
    }
}

fn pressure(pressure: host::Pressure) -> Pressure {
    Pressure { some: stall(pressure.some), full: stall(pressure.full) }
}

fn stall(stall: host::Stall) -> Stall {
    Stall {
        percent_last_ten_seconds: stall.percent_last_ten_seconds,
        percent_last_minute: stall.percent_last_minute,
        percent_last_five_minutes: stall.percent_last_five_minutes,
        total: Duration::from_nanos(stall.total),
    }
}
