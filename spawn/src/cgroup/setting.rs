//! What can be set in a cgroup, in the kernel's words.

use std::fmt;
use std::time::Duration;

use super::{Cgroup, CgroupError};

/// A limit, or none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// At so much.
    At(u64),
    /// None: `max` in the kernel's words.
    #[default]
    Max,
}

/// A property of a cgroup that can be set. A limit holds for all processes in
/// the cgroup and beneath it together.
///
/// # References
/// - [Control Group v2](https://docs.kernel.org/admin-guide/cgroup-v2.html#controllers)
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Setting {
    /// Bytes of memory; when there are no more, the out-of-memory killer comes.
    MemoryMax(Limit),
    /// Bytes of memory beyond which processes are slowed down and their memory
    /// is reclaimed.
    MemoryHigh(Limit),
    /// Bytes of memory that are not reclaimed as long as others can be.
    MemoryLow(Limit),
    /// Bytes of swap space.
    SwapMax(Limit),
    /// Whether the out-of-memory killer kills the whole cgroup instead of one
    /// of its processes.
    OomGroup(bool),
    /// Processes and threads.
    PidsMax(Limit),
    /// Processor time.
    CpuMax(CpuMax),
    /// The share of the processors where there are not enough, from 1 to
    /// 10000; 100 is everybody's.
    CpuWeight(u16),
    /// The processors to run on, by their numbers.
    CpusetCpus(Vec<u32>),
    /// The memory nodes to use, by their numbers.
    CpusetMems(Vec<u32>),
    /// Input and output of a block device.
    IoMax(IoMax),
    /// The share of every block device where there is not enough, from 1 to
    /// 10000; 100 is everybody's.
    IoWeight(u16),
}

/// How much processor time: so much of each period, for all processors
/// together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CpuMax {
    /// Time per period; none for as much as there is. At least 1 ms.
    pub quota: Option<Duration>,
    /// The period, from 1 ms to 1 s.
    pub period: Duration,
}

/// A block device, by its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Device {
    /// The kind.
    pub major: u32,
    /// The one of this kind.
    pub minor: u32,
}

/// How much of a block device, per second. What is not given stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IoMax {
    /// The device: a whole disk, not a part of one.
    pub device: Device,
    /// Bytes read per second.
    pub read_bytes: Option<Limit>,
    /// Bytes written per second.
    pub write_bytes: Option<Limit>,
    /// Reads per second.
    pub reads: Option<Limit>,
    /// Writes per second.
    pub writes: Option<Limit>,
}

impl CpuMax {
    /// The kernel's own period.
    pub const PERIOD: Duration = Duration::from_millis(100);

    /// As much as so many hundredths of one processor.
    pub fn percent(percent: u32) -> CpuMax {
        let quota = CpuMax::PERIOD.saturating_mul(percent) / 100;
        CpuMax { quota: Some(quota), period: CpuMax::PERIOD }
    }
}

/// Settings.
impl Cgroup {
    /// Sets a property.
    ///
    /// # Errors
    /// - [`NoController`](super::CgroupErrorKind::NoController).
    /// - [`InvalidValue`](super::CgroupErrorKind::InvalidValue): the kernel
    ///   does not take the value.
    /// - [`NotDelegated`](super::CgroupErrorKind::NotDelegated).
    pub fn set(&self, setting: &Setting) -> Result<(), CgroupError> {
        // What is empty is nothing written, and nothing done, but for its end.
        self.write(setting.file(), &format!("{setting}\n"))
    }

    /// Reads one of the limits that may be `max`: the value of `memory.max`,
    /// for example. Other files, and those that are not there, have none.
    ///
    /// # Errors
    /// [`Gone`](super::CgroupErrorKind::Gone).
    pub(super) fn limit(&self, file: &str) -> Result<Option<Limit>, CgroupError> {
        Ok(self.read_if_any(file)?.and_then(|text| Limit::parse(text.trim())))
    }
}

impl Setting {
    /// The file that it is written to.
    pub fn file(&self) -> &'static str {
        match self {
            Setting::MemoryMax(_) => "memory.max",
            Setting::MemoryHigh(_) => "memory.high",
            Setting::MemoryLow(_) => "memory.low",
            Setting::SwapMax(_) => "memory.swap.max",
            Setting::OomGroup(_) => "memory.oom.group",
            Setting::PidsMax(_) => "pids.max",
            Setting::CpuMax(_) => "cpu.max",
            Setting::CpuWeight(_) => "cpu.weight",
            Setting::CpusetCpus(_) => "cpuset.cpus",
            Setting::CpusetMems(_) => "cpuset.mems",
            Setting::IoMax(_) => "io.max",
            Setting::IoWeight(_) => "io.weight",
        }
    }
}

impl Limit {
    fn parse(text: &str) -> Option<Limit> {
        match text {
            "max" => Some(Limit::Max),
            number => number.parse().ok().map(Limit::At),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::At(number) => number.fmt(f),
            Limit::Max => f.write_str("max"),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

impl fmt::Display for Setting {
    /// The value as the kernel reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Setting::MemoryMax(limit)
            | Setting::MemoryHigh(limit)
            | Setting::MemoryLow(limit)
            | Setting::SwapMax(limit)
            | Setting::PidsMax(limit) => limit.fmt(f),
            Setting::OomGroup(yes) => u8::from(*yes).fmt(f),
            Setting::CpuMax(CpuMax { quota: Some(quota), period }) => {
                write!(f, "{} {}", quota.as_micros(), period.as_micros())
            }
            Setting::CpuMax(CpuMax { quota: None, period }) => {
                write!(f, "max {}", period.as_micros())
            }
            Setting::CpuWeight(weight) => weight.fmt(f),
            Setting::IoWeight(weight) => write!(f, "default {weight}"),
            Setting::CpusetCpus(numbers) | Setting::CpusetMems(numbers) => {
                let numbers: Vec<_> = numbers.iter().map(u32::to_string).collect();
                f.write_str(&numbers.join(","))
            }
            Setting::IoMax(max) => {
                max.device.fmt(f)?;
                let limits = [
                    ("rbps", max.read_bytes),
                    ("wbps", max.write_bytes),
                    ("riops", max.reads),
                    ("wiops", max.writes),
                ];
                for (key, limit) in limits {
                    if let Some(limit) = limit {
                        write!(f, " {key}={limit}")?;
                    }
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_as_the_kernel_reads_them() {
        let device = Device { major: 8, minor: 16 };
        let (read_bytes, writes) = (Some(Limit::At(1 << 20)), Some(Limit::Max));
        let io = IoMax { device, read_bytes, write_bytes: None, reads: None, writes };
        let fast = Duration::from_millis(20);
        let table = [
            (Setting::MemoryMax(Limit::At(u64::MAX)), "memory.max 18446744073709551615"),
            (Setting::SwapMax(Limit::Max), "memory.swap.max max"),
            (Setting::OomGroup(true), "memory.oom.group 1"),
            (Setting::CpuMax(CpuMax::percent(150)), "cpu.max 150000 100000"),
            (Setting::CpuMax(CpuMax { quota: None, period: fast }), "cpu.max max 20000"),
            (Setting::CpusetCpus(vec![0, 3]), "cpuset.cpus 0,3"),
            (Setting::CpusetMems(Vec::new()), "cpuset.mems "),
            (Setting::IoWeight(50), "io.weight default 50"),
            (Setting::IoMax(io), "io.max 8:16 rbps=1048576 wiops=max"),
        ];
        for (setting, expected) in table {
            assert_eq!(format!("{} {setting}", setting.file()), expected);
        }
    }

    #[test]
    fn limits_as_the_kernel_writes_them() {
        assert_eq!(Limit::parse("max"), Some(Limit::Max));
        assert_eq!(Limit::parse("4096"), Some(Limit::At(4096)));
        assert_eq!(Limit::parse("4096 100000"), None);
        assert!(Limit::At(u64::MAX) < Limit::Max);
    }
}
