//! What the processes of a cgroup use.

use std::time::Duration;

use super::file::value_of;
use super::setting::{Device, Limit};
use super::{Cgroup, CgroupError, Controller};

/// The memory of a cgroup and all beneath it, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct MemoryStat {
    /// In use now.
    pub current: u64,
    /// The most that was in use (Linux 5.19).
    pub peak: Option<u64>,
    /// `memory.max`.
    pub max: Limit,
    /// Swap space in use, where the kernel counts it.
    pub swap: Option<u64>,
    /// Of `current`: not backed by files, such as heaps and stacks.
    pub anonymous: u64,
    /// Of `current`: cached files, shared memory included.
    pub file: u64,
    /// Of `current`: what the kernel itself keeps for the processes.
    pub kernel: u64,
}

/// The processor time of a cgroup and all beneath it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct CpuStat {
    /// In user mode and in the kernel.
    pub usage: Duration,
    /// In user mode.
    pub user: Duration,
    /// In the kernel.
    pub system: Duration,
    /// How often processes had to stand still because `cpu.max` was reached,
    /// where there is the controller.
    pub throttled_periods: Option<u64>,
    /// How long they stood still, all together.
    pub throttled: Option<Duration>,
}

/// The processes and threads of a cgroup and all beneath it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct PidsStat {
    /// How many there are.
    pub current: u64,
    /// The most that there were (Linux 6.1).
    pub peak: Option<u64>,
    /// `pids.max`.
    pub max: Limit,
    /// How often one more was refused, here and beneath (Linux 6.11). Older
    /// kernels count it only where a process tried.
    pub refused: Option<u64>,
}

/// What a cgroup and all beneath it did with one block device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

/// How long processes had to wait for a resource.
///
/// # References
/// - [Pressure Stall Information](https://docs.kernel.org/accounting/psi.html)
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pressure {
    /// While at least one of them waited.
    pub some: Stall,
    /// While all of them waited, and nothing was done.
    pub full: Stall,
}

/// A part of the time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Stall {
    /// Percent of the last 10 seconds.
    pub percent_10s: f64,
    /// Percent of the last 60 seconds.
    pub percent_60s: f64,
    /// Percent of the last 300 seconds.
    pub percent_300s: f64,
    /// Since the cgroup was made.
    pub total: Duration,
}

/// Use. Every function fails with [`Gone`](super::CgroupErrorKind::Gone) for a
/// cgroup that was removed, and says `None` where the cgroup does not have the
/// controller.
impl Cgroup {
    /// The memory in use.
    ///
    /// # Errors
    /// [`Gone`](super::CgroupErrorKind::Gone).
    pub fn memory_stat(&self) -> Result<Option<MemoryStat>, CgroupError> {
        let Some(current) = self.number("memory.current")? else {
            return Ok(None);
        };
        let text = self.read_if_any("memory.stat")?.unwrap_or_default();
        let value = |key| value_of(&text, key).unwrap_or(0);
        Ok(Some(MemoryStat {
            current,
            peak: self.number("memory.peak")?,
            max: self.limit("memory.max")?.unwrap_or_default(),
            swap: self.number("memory.swap.current")?,
            anonymous: value("anon"),
            file: value("file"),
            kernel: value("kernel"),
        }))
    }

    /// The processor time used. It is counted without the controller too.
    ///
    /// # Errors
    /// [`Gone`](super::CgroupErrorKind::Gone).
    pub fn cpu_stat(&self) -> Result<CpuStat, CgroupError> {
        let text = self.read("cpu.stat")?;
        let time = |key| value_of(&text, key).map(Duration::from_micros);
        Ok(CpuStat {
            usage: time("usage_usec").unwrap_or_default(),
            user: time("user_usec").unwrap_or_default(),
            system: time("system_usec").unwrap_or_default(),
            throttled_periods: value_of(&text, "nr_throttled"),
            throttled: time("throttled_usec"),
        })
    }

    /// The processes and threads.
    ///
    /// # Errors
    /// [`Gone`](super::CgroupErrorKind::Gone).
    pub fn pids_stat(&self) -> Result<Option<PidsStat>, CgroupError> {
        let Some(current) = self.number("pids.current")? else {
            return Ok(None);
        };
        // Where there is the local count too, this one is of all beneath.
        let is_of_all = self.read_if_any("pids.events.local")?.is_some();
        let events = self.read_if_any("pids.events")?.filter(|_| is_of_all);
        Ok(Some(PidsStat {
            current,
            peak: self.number("pids.peak")?,
            max: self.limit("pids.max")?.unwrap_or_default(),
            refused: events.and_then(|events| value_of(&events, "max")),
        }))
    }

    /// What was done with each block device that was used.
    ///
    /// # Errors
    /// [`Gone`](super::CgroupErrorKind::Gone).
    pub fn io_stat(&self) -> Result<Option<Vec<IoStat>>, CgroupError> {
        let text = self.read_if_any("io.stat")?;
        Ok(text.map(|text| text.lines().filter_map(io_of).collect()))
    }

    /// How long processes waited for a resource: processors, memory, or input
    /// and output. It is counted without the controller too; `None` for others,
    /// and where the kernel does not count.
    ///
    /// # Errors
    /// [`Gone`](super::CgroupErrorKind::Gone).
    pub fn pressure(&self, of: Controller) -> Result<Option<Pressure>, CgroupError> {
        let text = match of {
            Controller::Cpu | Controller::Memory | Controller::Io => {
                self.read_if_any(&format!("{of}.pressure"))?
            }
            Controller::Cpuset | Controller::Pids => None,
        };
        Ok(text
            .map(|text| Pressure { some: stall_of(&text, "some"), full: stall_of(&text, "full") }))
    }

    fn number(&self, file: &str) -> Result<Option<u64>, CgroupError> {
        Ok(self.read_if_any(file)?.and_then(|text| text.trim().parse().ok()))
    }
}

/// A word of the form `key=value`.
fn word<'t>(line: &'t str, key: &str) -> Option<&'t str> {
    line.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

fn io_of(line: &str) -> Option<IoStat> {
    let (major, minor) = line.split(' ').next()?.split_once(':')?;
    let device = Device { major: major.parse().ok()?, minor: minor.parse().ok()? };
    let value = |key| word(line, key).and_then(|value| value.parse().ok()).unwrap_or(0);
    Some(IoStat {
        device,
        read_bytes: value("rbytes"),
        written_bytes: value("wbytes"),
        reads: value("rios"),
        writes: value("wios"),
    })
}

fn stall_of(text: &str, kind: &str) -> Stall {
    let line = text.lines().find(|line| line.starts_with(kind)).unwrap_or_default();
    let percent = |key| word(line, key).and_then(|value| value.parse().ok()).unwrap_or(0.0);
    let total = word(line, "total").and_then(|value| value.parse().ok()).unwrap_or(0);
    Stall {
        percent_10s: percent("avg10"),
        percent_60s: percent("avg60"),
        percent_300s: percent("avg300"),
        total: Duration::from_micros(total),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_did() {
        let line = "259:1 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0";
        let device = Device { major: 259, minor: 1 };
        let expected =
            IoStat { device, read_bytes: 4096, written_bytes: 8192, reads: 1, writes: 2 };
        assert_eq!(io_of(line), Some(expected));
        // Linux lists devices without figures, too.
        assert_eq!(io_of("8:0 ").map(|stat| stat.read_bytes), Some(0));
        assert_eq!(io_of(""), None);
    }

    #[test]
    fn pressure() {
        let text = "some avg10=1.50 avg60=0.25 avg300=0.00 total=12345\n\
                    full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        let some = stall_of(text, "some");
        assert_eq!((some.percent_10s, some.percent_60s), (1.5, 0.25));
        assert_eq!(some.total, Duration::from_micros(12_345));
        assert_eq!(stall_of(text, "full").total, Duration::from_micros(7));
        // The processors of a whole machine have no such line on old kernels.
        assert_eq!(stall_of("", "full"), Stall::default());
    }
}
