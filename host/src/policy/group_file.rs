//! Reads the groups of a policy from TOML.

use std::path::Path;

use offspring_spawn::{Device, IoMax, Limit, Setting};

use super::error::PolicyError;
use super::group::{GrantGroup, Group, GroupSetting};
use super::quantity;
use super::table::{Entry, Value};
use super::text::quoted;

// As in file.rs, a test keeps these in step with the matches below.
pub(super) const GROUP: &[&str] = &[
    "mode",
    "memory-max",
    "memory-high",
    "memory-low",
    "swap-max",
    "oom-group",
    "pids-max",
    "cpu-max",
    "cpu-weight",
    "cpuset-cpus",
    "cpuset-mems",
    "io-max",
    "io-weight",
];
pub(super) const IO_MAX: &[&str] = &["read-bytes", "write-bytes", "reads", "writes"];

/// What a grant's key `group` says.
pub(super) fn grant_group(value: &Value<'_>) -> Result<GrantGroup, PolicyError> {
    Ok(match value.string()? {
        "required" => GrantGroup::Required,
        "preferred" => GrantGroup::Preferred,
        name => GrantGroup::Named(name.to_owned()),
    })
}

pub(super) fn group(entry: &Entry<'_>) -> Result<Group, PolicyError> {
    let mut group = Group::new(entry.key()).found(entry.location());
    for entry in &entry.value.table()? {
        let value = &entry.value;
        let setting = match entry.key() {
            "mode" => {
                group = group.required(value.word("\"required\" or \"preferred\"", mode)?);
                continue;
            }
            "memory-max" => Setting::MemoryMax(bytes(value)?),
            "memory-high" => Setting::MemoryHigh(bytes(value)?),
            "memory-low" => Setting::MemoryLow(bytes(value)?),
            "swap-max" => Setting::SwapMax(bytes(value)?),
            "oom-group" => Setting::OomGroup(value.boolean()?),
            "pids-max" => Setting::PidsMax(count(value, 1)?),
            "cpu-max" => {
                let expected = "a part of one processor such as \"150%\", or \"max\"";
                Setting::CpuMax(value.word(expected, quantity::cpu_max)?)
            }
            "cpu-weight" => Setting::CpuWeight(weight(value)?),
            "cpuset-cpus" => Setting::CpusetCpus(value.word(NUMBERS, quantity::numbers)?),
            "cpuset-mems" => Setting::CpusetMems(value.word(NUMBERS, quantity::numbers)?),
            "io-weight" => Setting::IoWeight(weight(value)?),
            "io-max" => {
                for device in value.table()? {
                    let (path, max) = io_max(&device)?;
                    let setting = GroupSetting::Io { path: path.into(), max };
                    group = group.setting_found(setting, device.location());
                }
                continue;
            }
            _ => return Err(entry.unknown(GROUP)),
        };
        group = group.setting_found(GroupSetting::Kernel(setting), value.location());
    }
    Ok(group)
}

const NUMBERS: &str = "numbers such as \"0-3,5\"";

fn mode(word: &str) -> Option<bool> {
    match word {
        "required" => Some(true),
        "preferred" => Some(false),
        _ => None,
    }
}

fn bytes(value: &Value<'_>) -> Result<Limit, PolicyError> {
    match value.is_string() {
        true => value.word("bytes such as \"512M\", or \"max\"", quantity::byte_limit),
        false => value.number(0).map(Limit::At),
    }
}

fn count(value: &Value<'_>, min: u64) -> Result<Limit, PolicyError> {
    match value.is_string() {
        true => {
            value.word("a whole number, or \"max\"", |word| (word == "max").then_some(Limit::Max))
        }
        false => value.number(min).map(Limit::At),
    }
}

fn weight(value: &Value<'_>) -> Result<u16, PolicyError> {
    const MAX: u16 = 10_000;
    let weight: u16 = value.number(1)?;
    if weight > MAX {
        return Err(value.must_be(&format!("a whole number from 1 to {MAX}")));
    }
    Ok(weight)
}

fn io_max<'t>(entry: &Entry<'t>) -> Result<(&'t str, IoMax), PolicyError> {
    let path = entry.key();
    if !Path::new(path).is_absolute() || path.contains('\0') {
        let message = format!("{} must be the path of a block device", quoted(path));
        return Err(entry.error(message));
    }
    let device = Device { major: 0, minor: 0 };
    let mut max = IoMax { device, read_bytes: None, write_bytes: None, reads: None, writes: None };
    for limit in entry.value.table()? {
        let value = &limit.value;
        match limit.key() {
            "read-bytes" => max.read_bytes = Some(bytes(value)?),
            "write-bytes" => max.write_bytes = Some(bytes(value)?),
            "reads" => max.reads = Some(count(value, 1)?),
            "writes" => max.writes = Some(count(value, 1)?),
            _ => return Err(limit.unknown(IO_MAX)),
        }
    }
    Ok((path, max))
}
