//! From the words of cgroups to those of the interface.

use offspring_spawn::{
    CgroupError as EngineError, CgroupErrorKind as Kind, IoStat, Limit, MemoryEvents, MemoryStat,
    PidsStat, Pressure, Stall,
};
use wasmtime::component::ResourceTableError;

use super::convert::nanoseconds;
use super::errno::errno_name;
use crate::bindings::cgroup::{self, CgroupError};
use crate::cgroup::NotMade;
use crate::error::{CgroupFailure, Failure};

/// What the guest gets for an error of a cgroup.
pub(super) fn cgroup_error(error: EngineError) -> CgroupFailure {
    Failure::Guest(cgroup_error_of(&error))
}

pub(super) fn cgroup_error_of(error: &EngineError) -> CgroupError {
    match error.kind() {
        Kind::NoController(controller) => CgroupError::Unsupported(controller.to_string()),
        Kind::Unsupported => CgroupError::Unsupported(error.what().to_owned()),
        Kind::NotMounted => CgroupError::Unsupported("cgroup".to_owned()),
        Kind::Gone | Kind::NotFound => CgroupError::Gone,
        Kind::Exists => CgroupError::Exists,
        Kind::NotDelegated => CgroupError::NotDelegated,
        Kind::Busy => CgroupError::Busy,
        Kind::InvalidDomain => CgroupError::InvalidDomain,
        Kind::LimitReached => CgroupError::LimitReached,
        Kind::InvalidValue => CgroupError::InvalidArgument,
        _ => CgroupError::Other(errno_name(error.errno()).map(str::to_owned)),
    }
}

pub(super) fn not_made(why: NotMade) -> CgroupFailure {
    match why {
        NotMade::Name => CgroupError::InvalidArgument.into(),
        NotMade::LimitReached => CgroupError::LimitReached.into(),
        NotMade::Kernel(error) => cgroup_error(error),
    }
}

/// A full table is a limit that the host sets.
pub(super) fn limited(error: ResourceTableError) -> CgroupFailure {
    match error {
        ResourceTableError::Full => CgroupError::LimitReached.into(),
        error => error.into(),
    }
}

pub(super) fn memory_stat(stat: MemoryStat, events: MemoryEvents) -> cgroup::MemoryStat {
    cgroup::MemoryStat {
        current: stat.current,
        peak: stat.peak,
        max: match stat.max {
            Limit::At(bytes) => cgroup::ByteLimit::Bytes(bytes),
            Limit::Max => cgroup::ByteLimit::Max,
        },
        swap: stat.swap,
        anonymous: stat.anonymous,
        file: stat.file,
        kernel: stat.kernel,
        events: cgroup::MemoryEvents {
            low: events.low,
            high: events.high,
            max: events.max,
            oom: events.oom,
            oom_kill: events.oom_kill,
        },
    }
}

pub(super) fn pids_stat(stat: PidsStat) -> cgroup::PidsStat {
    cgroup::PidsStat {
        current: stat.current,
        peak: stat.peak,
        max: match stat.max {
            Limit::At(count) => cgroup::CountLimit::Count(count),
            Limit::Max => cgroup::CountLimit::Max,
        },
        refused: stat.refused,
    }
}

pub(super) fn io_stat(stat: IoStat) -> cgroup::IoStat {
    cgroup::IoStat {
        device: cgroup::Device { major: stat.device.major, minor: stat.device.minor },
        read_bytes: stat.read_bytes,
        written_bytes: stat.written_bytes,
        reads: stat.reads,
        writes: stat.writes,
    }
}

pub(super) fn pressure(pressure: Pressure) -> cgroup::Pressure {
    cgroup::Pressure { some: stall(pressure.some), full: stall(pressure.full) }
}

fn stall(stall: Stall) -> cgroup::Stall {
    cgroup::Stall {
        percent_last_ten_seconds: stall.percent_10s,
        percent_last_minute: stall.percent_60s,
        percent_last_five_minutes: stall.percent_300s,
        total: nanoseconds(stall.total),
    }
}
