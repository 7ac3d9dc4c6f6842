//! Every limit is the kernel's own once it is set, and does what it says. The
//! argument is a directory that may be written.

use std::io::{self, ErrorKind};

use offspring_guest::Cause;
use offspring_guest::cgroup::{Cgroup, CgroupError, CpuMax, Limit, MemoryStat};
use test_programs::{sh, started, text};

const MIB: u64 = 1 << 20;

/// A file of the group, seen from a cgroup beneath it.
fn file(group: &Cgroup, name: &str) -> String {
    let script = "IFS=: read -r _ _ own < /proc/self/cgroup; cat \"/sys/fs/cgroup$own/../$1\"";
    text(sh(script).arg(name).group(group)).trim().to_owned()
}

#[track_caller]
fn is(group: &Cgroup, name: &str, set: io::Result<()>, expected: &str) {
    set.unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(file(group, name), expected, "{name}");
}

fn values(group: &Cgroup) {
    let size = Limit::At(64 * MIB);
    is(group, "memory.max", group.set_memory_max(size), "67108864");
    is(group, "memory.max", group.set_memory_max(Limit::Max), "max");
    is(group, "memory.high", group.set_memory_high(size), "67108864");
    is(group, "memory.high", group.set_memory_high(Limit::Max), "max");
    is(group, "memory.low", group.set_memory_low(size), "67108864");
    is(group, "memory.low", group.set_memory_low(Limit::At(0)), "0");
    is(group, "memory.swap.max", group.set_swap_max(size), "67108864");
    is(group, "memory.swap.max", group.set_swap_max(Limit::Max), "max");
    is(group, "memory.oom.group", group.set_oom_group(true), "1");
    is(group, "memory.oom.group", group.set_oom_group(false), "0");
    is(group, "pids.max", group.set_pids_max(Limit::At(64)), "64");
    is(group, "pids.max", group.set_pids_max(Limit::Max), "max");
    is(group, "cpu.max", group.set_cpu_max(CpuMax::percent(150)), "150000 100000");
    is(group, "cpu.max", group.set_cpu_max(CpuMax::Max), "max 100000");
    is(group, "cpu.weight", group.set_cpu_weight(50), "50");
    is(group, "cpuset.cpus", group.set_cpuset_cpus(&[0]), "0");
    is(group, "cpuset.cpus", group.set_cpuset_cpus(&[]), "");
    is(group, "cpuset.mems", group.set_cpuset_mems(&[0]), "0");
    is(group, "cpuset.mems", group.set_cpuset_mems(&[]), "");
    match group.set_io_weight(50) {
        Err(error) if error.kind() == ErrorKind::Unsupported => {}
        set => is(group, "io.weight", set, "default 50"),
    }
}

fn memory(group: &Cgroup) -> MemoryStat {
    group.stat().expect("it is there").memory.expect("it is counted")
}

/// What processes have, and what files they have read or written.
fn figures(group: &Cgroup, directory: &str) {
    let script = "x=$(head -c 8388608 /dev/zero | tr '\\0' x)
        head -c 4194304 /dev/zero > \"$1/file\"; echo started; sleep 100000; :";
    let (child, _) = started(sh(script).arg(directory).group(group));
    let stat = memory(group);
    assert!(stat.anonymous >= 8 * MIB && stat.file >= 4 * MIB && stat.kernel > 0, "{stat:?}");
    assert!(stat.current >= stat.anonymous + stat.file, "{stat:?}");
    assert!(stat.swap.is_some() && stat.events.high == 0, "{stat:?}");
    drop(child);
}

/// Who comes to it is slowed down, and lives.
fn high(group: &Cgroup) {
    group.set_memory_high(Limit::At(16 * MIB)).expect("there is a controller");
    let script = "exec dd if=/dev/zero of=/dev/null bs=32M count=1 2>/dev/null";
    assert!(sh(script).group(group).status().expect("it starts").success());
    assert!(memory(group).events.high > 0, "{:?}", memory(group));
}

/// With one process all others of the group are killed.
fn oom_group(group: &Cgroup) {
    group.set_oom_group(true).expect("there is a controller");
    group.set_memory_max(Limit::At(32 * MIB)).expect("likewise");
    group.set_swap_max(Limit::At(0)).expect("likewise");
    let (mut other, _) = started(sh("echo started; exec sleep 100000").group(group));
    let script = "exec dd if=/dev/zero of=/dev/null bs=128M count=1 2>/dev/null";
    let mut hungry = sh(script).group(group).spawn().expect("it starts");
    for child in [&mut hungry, &mut other] {
        let status = child.wait().expect("it ends");
        assert_eq!((status.signal(), status.cause()), (Some(9), Some(Cause::OutOfMemory)));
    }
}

/// Processes that are there move at once. As long as there are any, the kernel lets
/// none of these lists become empty.
fn cpuset_of_the_living(group: &Cgroup) {
    let (child, _) = started(sh("echo started; exec sleep 100000").group(group));
    is(group, "cpuset.cpus.effective", group.set_cpuset_cpus(&[0]), "0");
    group.set_cpuset_mems(&[0]).expect("there is a controller");
    for emptied in [group.set_cpuset_cpus(&[]), group.set_cpuset_mems(&[])] {
        let error = emptied.expect_err("there is a process");
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<CgroupError>());
        assert_eq!((inner, error.kind()), (Some(&CgroupError::Busy), ErrorKind::ResourceBusy));
    }
    drop(child);
    group.wait_empty().expect("it ends");
    is(group, "cpuset.cpus", group.set_cpuset_cpus(&[]), "");
    is(group, "cpuset.mems", group.set_cpuset_mems(&[]), "");
}

fn main() {
    let directory = std::env::args().nth(1).expect("a directory");
    let build = Cgroup::open("build").expect("it is granted");
    let with = |name: &str| build.create_child(name).expect("it can be made");
    values(&with("values"));
    figures(&with("figures"), &directory);
    high(&with("high"));
    oom_group(&with("whole"));
    cpuset_of_the_living(&with("living"));
}
