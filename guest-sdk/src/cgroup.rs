//! Cgroups: what children, and all that these start, are counted, limited,
//! frozen and killed in together.

mod error;
mod stat;

use crate::bindings::cgroup as host;
use crate::pidfd::nanoseconds;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use wasip2::io::poll::Pollable;

pub use error::CgroupError;
pub use stat::{
    CpuStat, Device, IoStat, MemoryEvents, MemoryStat, PidsStat, Pressure, Stall, Stat,
};

/// A cgroup that the host granted, or one that was made beneath it.
///
/// A limit holds for all processes in the group and beneath it together.
/// Dropping a group that was made with [`create_child`](Cgroup::create_child)
/// kills everything in it and removes it, once the commands that name it are
/// dropped too.
///
/// ```no_run
/// use offspring_guest::Command;
/// use offspring_guest::cgroup::{Cgroup, Limit};
///
/// fn main() -> std::io::Result<()> {
///     let step = Cgroup::open("build")?.create_child("step-1")?;
///     step.set_memory_max(Limit::At(512 << 20))?;
///     let status = Command::new("make").group(&step).status()?;
///     let peak = step.stat()?.memory.and_then(|memory| memory.peak);
///     println!("{status}, with {peak:?} bytes");
///     Ok(())
/// }
/// ```
///
/// Every error is an [`io::Error`] with a [`CgroupError`] inside.
#[derive(Clone, Debug)]
pub struct Cgroup(Arc<host::Cgroup>);

/// A limit, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// At so much.
    At(u64),
    /// As much as there is: `max` in the kernel's words.
    Max,
}

/// How much processor time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CpuMax {
    /// So much in each period, for all processors together.
    Bandwidth {
        /// At least 1 ms.
        quota: Duration,
        /// From 1 ms to 1 s.
        period: Duration,
    },
    /// As much as there is.
    Max,
}

/// How much of a block device, per second. What is `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IoMax {
    /// Bytes read.
    pub read_bytes: Option<Limit>,
    /// Bytes written.
    pub write_bytes: Option<Limit>,
    /// Reads.
    pub reads: Option<Limit>,
    /// Writes.
    pub writes: Option<Limit>,
}

/// What the processes of a group are doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct State {
    /// Whether there are any. One that has ended does not count.
    pub populated: bool,
    /// Whether all of them have stopped because the group was frozen.
    pub frozen: bool,
}

impl CpuMax {
    /// As much as so many hundredths of one processor.
    pub fn percent(percent: u32) -> Self {
        let period = Duration::from_millis(100);
        Self::Bandwidth { quota: period * percent / 100, period }
    }
}

impl Cgroup {
    /// Opens a group that the host granted.
    ///
    /// # Errors
    ///
    /// - `NotFound`: no group of this name is granted.
    /// - `Unsupported`: the host could not make it, and runs without.
    pub fn open(name: &str) -> io::Result<Self> {
        made(host::Cgroup::open(name))
    }

    /// Makes a group beneath this one, without limits of its own.
    ///
    /// # Errors
    ///
    /// - `AlreadyExists`.
    /// - `InvalidInput`: the name is empty, longer than 64 bytes, or has other
    ///   characters than letters and digits of ASCII, `-` and `_`.
    /// - `QuotaExceeded`: there are as many as the host allows, or 8 levels.
    pub fn create_child(&self, name: &str) -> io::Result<Self> {
        made(self.0.create_child(name))
    }

    /// Sets how many bytes of memory there are, before a process is killed.
    ///
    /// # Errors
    ///
    /// For this and every other limit:
    /// - `PermissionDenied`: the host made this group, and its limits are the
    ///   host's.
    /// - `Unsupported`: the host lacks the controller.
    /// - `InvalidInput`: the kernel does not take the value.
    pub fn set_memory_max(&self, max: Limit) -> io::Result<()> {
        done(self.0.set_memory_max(bytes(max)))
    }

    /// Sets from how many bytes of memory on processes are slowed down.
    pub fn set_memory_high(&self, high: Limit) -> io::Result<()> {
        done(self.0.set_memory_high(bytes(high)))
    }

    /// Sets how many bytes of memory are left alone while others have some.
    pub fn set_memory_low(&self, low: Limit) -> io::Result<()> {
        done(self.0.set_memory_low(bytes(low)))
    }

    /// Sets how many bytes of swap space there are.
    pub fn set_swap_max(&self, max: Limit) -> io::Result<()> {
        done(self.0.set_swap_max(bytes(max)))
    }

    /// Sets whether everything is killed when memory is out, not one process.
    pub fn set_oom_group(&self, whole: bool) -> io::Result<()> {
        done(self.0.set_oom_group(whole))
    }

    /// Sets how many processes and threads there may be.
    pub fn set_pids_max(&self, max: Limit) -> io::Result<()> {
        done(self.0.set_pids_max(match max {
            Limit::At(count) => host::CountLimit::Count(count),
            Limit::Max => host::CountLimit::Max,
        }))
    }

    /// Sets how much processor time there is.
    pub fn set_cpu_max(&self, max: CpuMax) -> io::Result<()> {
        done(self.0.set_cpu_max(match max {
            CpuMax::Bandwidth { quota, period } => {
                let (quota, period) = (nanoseconds(quota), nanoseconds(period));
                host::CpuLimit::Bandwidth(host::CpuBandwidth { quota, period })
            }
            CpuMax::Max => host::CpuLimit::Max,
        }))
    }

    /// Sets the share of the processors, from 1 to 10000; 100 is everybody's.
    pub fn set_cpu_weight(&self, weight: u16) -> io::Result<()> {
        done(self.0.set_cpu_weight(weight))
    }

    /// Sets the processors to run on, by their numbers.
    pub fn set_cpuset_cpus(&self, numbers: &[u32]) -> io::Result<()> {
        done(self.0.set_cpuset_cpus(numbers))
    }

    /// Sets the memory nodes to use, by their numbers.
    pub fn set_cpuset_mems(&self, numbers: &[u32]) -> io::Result<()> {
        done(self.0.set_cpuset_mems(numbers))
    }

    /// Sets how much of a block device there is.
    pub fn set_io_max(&self, device: Device, max: IoMax) -> io::Result<()> {
        let rate = |limit: Option<Limit>| {
            limit.map(|limit| match limit {
                Limit::At(count) => host::RateLimit::PerSecond(count),
                Limit::Max => host::RateLimit::Max,
            })
        };
        let Device { major, minor } = device;
        done(self.0.set_io_max(
            host::Device { major, minor },
            host::IoLimits {
                read_bytes: rate(max.read_bytes),
                write_bytes: rate(max.write_bytes),
                reads: rate(max.reads),
                writes: rate(max.writes),
            },
        ))
    }

    /// Sets the share of every block device, from 1 to 10000; 100 is
    /// everybody's.
    pub fn set_io_weight(&self, weight: u16) -> io::Result<()> {
        done(self.0.set_io_weight(weight))
    }

    /// Returns what the group uses, and used.
    pub fn stat(&self) -> io::Result<Stat> {
        Ok(done(self.0.stat())?.into())
    }

    /// Returns what the processes are doing.
    pub fn state(&self) -> io::Result<State> {
        let host::State { populated, frozen } = done(self.0.state())?;
        Ok(State { populated, frozen })
    }

    /// Returns the numbers of all processes in it, up to 10000: for messages
    /// only, since nothing takes one.
    pub fn processes(&self) -> io::Result<Vec<u32>> {
        done(self.0.processes())
    }

    /// Kills every process in the group and beneath it. They are gone when
    /// [`wait_empty`](Self::wait_empty) returns.
    pub fn kill(&self) -> io::Result<()> {
        done(self.0.kill())
    }

    /// Stops every process in the group, until [`thaw`](Self::thaw). Until then
    /// nothing can be spawned into it: that is
    /// [`ResourceBusy`](io::ErrorKind::ResourceBusy).
    pub fn freeze(&self) -> io::Result<()> {
        done(self.0.freeze())
    }

    /// Lets the processes go on.
    pub fn thaw(&self) -> io::Result<()> {
        done(self.0.thaw())
    }

    /// Waits until there is no process in the group. What has ended and was not
    /// waited for does not count.
    pub fn wait_empty(&self) -> io::Result<()> {
        self.empty()?.block();
        Ok(())
    }

    /// Returns a pollable that is ready while there is no process in the group,
    /// for event loops.
    pub fn empty(&self) -> io::Result<Pollable> {
        done(self.0.subscribe_empty())
    }

    /// Returns a pollable that is ready once a process was killed because
    /// memory was out, from now on.
    pub fn out_of_memory(&self) -> io::Result<Pollable> {
        done(self.0.subscribe_out_of_memory())
    }

    pub(crate) fn host(&self) -> &host::Cgroup {
        &self.0
    }
}

fn bytes(limit: Limit) -> host::ByteLimit {
    match limit {
        Limit::At(bytes) => host::ByteLimit::Bytes(bytes),
        Limit::Max => host::ByteLimit::Max,
    }
}

fn made(result: Result<host::Cgroup, host::CgroupError>) -> io::Result<Cgroup> {
    done(result).map(|cgroup| Cgroup(Arc::new(cgroup)))
}

fn done<T>(result: Result<T, host::CgroupError>) -> io::Result<T> {
    result.map_err(|error| CgroupError::from(error).into())
}
