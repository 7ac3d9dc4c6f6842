//! The interface `cgroup`.

use std::time::Duration;

use offspring_spawn::{Controller, CpuMax, Device, IoMax, Limit, Setting};
use wasmtime::component::Resource;
use wasmtime_wasi_io::poll::{DynPollable, subscribe};

use super::convert::nanoseconds;
use super::convert_cgroup::{cgroup_error, limited, not_made, pressure};
use crate::audit::Refusal;
use crate::bindings::cgroup::{self, CgroupError};
use crate::cgroup::Cgroup;
use crate::error::{CgroupFailure, Failure};
use crate::policy::text::quoted;
use crate::view::ProcessCtxView;

type Result<T> = std::result::Result<T, CgroupFailure>;

impl cgroup::Host for ProcessCtxView<'_> {
    fn convert_cgroup_error(&mut self, failure: CgroupFailure) -> wasmtime::Result<CgroupError> {
        failure.split()
    }
}

impl cgroup::HostCgroup for ProcessCtxView<'_> {
    fn open(&mut self, name: String) -> Result<Resource<Cgroup>> {
        self.limit_handles();
        let node = match (self.ctx.groups.get(&name), self.ctx.policy.get_group(&name)) {
            (Some(node), _) => node.clone(),
            (None, Some(_)) => return Err(CgroupError::Unsupported("cgroup".to_owned()).into()),
            (None, None) => {
                let message = format!("no group is granted as {}", quoted(&name));
                self.ctx.recorder.limited("cgroup.open", Refusal::denied("group", &message));
                return Err(CgroupError::NotFound.into());
            }
        };
        self.table.push(Cgroup::new(node)).map_err(limited)
    }

    fn create_child(&mut self, this: Resource<Cgroup>, name: String) -> Result<Resource<Cgroup>> {
        self.limit_handles();
        let group = self.table.get(&this)?;
        let child = group.create_child(&name, &self.ctx.groups.quota).map_err(not_made)?;
        self.table.push(child).map_err(limited)
    }

    fn set_memory_max(&mut self, this: Resource<Cgroup>, max: cgroup::ByteLimit) -> Result<()> {
        self.set(&this, &Setting::MemoryMax(bytes(max)))
    }

    fn set_memory_high(&mut self, this: Resource<Cgroup>, high: cgroup::ByteLimit) -> Result<()> {
        self.set(&this, &Setting::MemoryHigh(bytes(high)))
    }

    fn set_memory_low(&mut self, this: Resource<Cgroup>, low: cgroup::ByteLimit) -> Result<()> {
        self.set(&this, &Setting::MemoryLow(bytes(low)))
    }

    fn set_swap_max(&mut self, this: Resource<Cgroup>, max: cgroup::ByteLimit) -> Result<()> {
        self.set(&this, &Setting::SwapMax(bytes(max)))
    }

    fn set_oom_group(&mut self, this: Resource<Cgroup>, whole: bool) -> Result<()> {
        self.set(&this, &Setting::OomGroup(whole))
    }

    fn set_pids_max(&mut self, this: Resource<Cgroup>, max: cgroup::CountLimit) -> Result<()> {
        let max = match max {
            cgroup::CountLimit::Count(count) => Limit::At(count),
            cgroup::CountLimit::Max => Limit::Max,
        };
        self.set(&this, &Setting::PidsMax(max))
    }

    fn set_cpu_max(&mut self, this: Resource<Cgroup>, max: cgroup::CpuLimit) -> Result<()> {
        let max = match max {
            cgroup::CpuLimit::Bandwidth(cgroup::CpuBandwidth { quota, period }) => CpuMax {
                quota: Some(Duration::from_nanos(quota)),
                period: Duration::from_nanos(period),
            },
            cgroup::CpuLimit::Max => CpuMax { quota: None, period: CpuMax::PERIOD },
        };
        self.set(&this, &Setting::CpuMax(max))
    }

    fn set_cpu_weight(&mut self, this: Resource<Cgroup>, weight: u16) -> Result<()> {
        self.set(&this, &Setting::CpuWeight(weight))
    }

    fn set_cpuset_cpus(&mut self, this: Resource<Cgroup>, numbers: Vec<u32>) -> Result<()> {
        self.set(&this, &Setting::CpusetCpus(numbers))
    }

    fn set_cpuset_mems(&mut self, this: Resource<Cgroup>, numbers: Vec<u32>) -> Result<()> {
        self.set(&this, &Setting::CpusetMems(numbers))
    }

    fn set_io_max(
        &mut self,
        this: Resource<Cgroup>,
        device: cgroup::Device,
        limits: cgroup::IoLimits,
    ) -> Result<()> {
        let cgroup::Device { major, minor } = device;
        self.set(
            &this,
            &Setting::IoMax(IoMax {
                device: Device { major, minor },
                read_bytes: limits.read_bytes.map(rate),
                write_bytes: limits.write_bytes.map(rate),
                reads: limits.reads.map(rate),
                writes: limits.writes.map(rate),
            }),
        )
    }

    fn set_io_weight(&mut self, this: Resource<Cgroup>, weight: u16) -> Result<()> {
        self.set(&this, &Setting::IoWeight(weight))
    }

    fn stat(&mut self, this: Resource<Cgroup>) -> Result<cgroup::Stat> {
        let group = self.table.get(&this)?.node().cgroup();
        let pressure =
            |of| Ok::<_, CgroupFailure>(group.pressure(of).map_err(cgroup_error)?.map(pressure));
        let cpu = group.cpu_stat().map_err(cgroup_error)?;
        let memory = match group.memory_stat().map_err(cgroup_error)? {
            Some(memory) => {
                let events = group.memory_events().map_err(cgroup_error)?;
                Some(super::convert_cgroup::memory_stat(memory, events))
            }
            None => None,
        };
        Ok(cgroup::Stat {
            memory,
            cpu: cgroup::CpuStat {
                usage: nanoseconds(cpu.usage),
                user: nanoseconds(cpu.user),
                system: nanoseconds(cpu.system),
                throttled_periods: cpu.throttled_periods,
                throttled: cpu.throttled.map(nanoseconds),
            },
            pids: group.pids_stat().map_err(cgroup_error)?.map(super::convert_cgroup::pids_stat),
            io: group
                .io_stat()
                .map_err(cgroup_error)?
                .map(|devices| devices.into_iter().map(super::convert_cgroup::io_stat).collect()),
            memory_pressure: pressure(Controller::Memory)?,
            cpu_pressure: pressure(Controller::Cpu)?,
            io_pressure: pressure(Controller::Io)?,
        })
    }

    fn state(&mut self, this: Resource<Cgroup>) -> Result<cgroup::State> {
        let state = self.table.get(&this)?.node().cgroup().state().map_err(cgroup_error)?;
        Ok(cgroup::State { populated: state.populated, frozen: state.frozen })
    }

    fn processes(&mut self, this: Resource<Cgroup>) -> Result<Vec<u32>> {
        self.table.get(&this)?.processes().map_err(cgroup_error)
    }

    fn kill(&mut self, this: Resource<Cgroup>) -> Result<()> {
        let node = self.table.get(&this)?.node();
        self.ctx.children.note_killed(node);
        node.kill().map_err(cgroup_error)
    }

    fn freeze(&mut self, this: Resource<Cgroup>) -> Result<()> {
        self.table.get(&this)?.node().cgroup().freeze().map_err(cgroup_error)
    }

    fn thaw(&mut self, this: Resource<Cgroup>) -> Result<()> {
        self.table.get(&this)?.node().cgroup().thaw().map_err(cgroup_error)
    }

    fn subscribe_empty(&mut self, this: Resource<Cgroup>) -> Result<Resource<DynPollable>> {
        let watch = self.table.get(&this)?.watch_empty().map_err(cgroup_error)?;
        let watch = self.table.push(watch).map_err(limited)?;
        subscribe(self.table, watch).map_err(Failure::Trap)
    }

    fn subscribe_out_of_memory(&mut self, this: Resource<Cgroup>) -> Result<Resource<DynPollable>> {
        let watch = self.table.get(&this)?.watch_out_of_memory().map_err(cgroup_error)?;
        let watch = self.table.push(watch).map_err(limited)?;
        subscribe(self.table, watch).map_err(Failure::Trap)
    }

    fn drop(&mut self, this: Resource<Cgroup>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl ProcessCtxView<'_> {
    /// What the host has made keeps what the host has set.
    fn set(&mut self, this: &Resource<Cgroup>, setting: &Setting) -> Result<()> {
        let group = self.table.get(this)?;
        if !group.is_guests() {
            let message = "what the host has set in its group stays";
            self.ctx.recorder.limited("cgroup.set", Refusal::denied("group", message));
            return Err(CgroupError::AccessDenied.into());
        }
        group.node().cgroup().set(setting).map_err(cgroup_error)
    }
}

fn bytes(limit: cgroup::ByteLimit) -> Limit {
    match limit {
        cgroup::ByteLimit::Bytes(bytes) => Limit::At(bytes),
        cgroup::ByteLimit::Max => Limit::Max,
    }
}

fn rate(limit: cgroup::RateLimit) -> Limit {
    match limit {
        cgroup::RateLimit::PerSecond(count) => Limit::At(count),
        cgroup::RateLimit::Max => Limit::Max,
    }
}
