//! Where the host has no controllers, their limits are unsupported by name.

use std::io::ErrorKind;
use std::time::Duration;

use offspring_guest::cgroup::{Cgroup, CgroupError, CpuMax, Device, IoMax, Limit};

fn main() {
    let group = Cgroup::open("build").expect("granted").create_child("a").expect("made");
    let (device, half) = (Device { major: 8, minor: 0 }, Duration::from_millis(50));
    let bandwidth = CpuMax::Bandwidth { quota: half, period: 2 * half };
    for (controller, result) in [
        ("memory", group.set_memory_max(Limit::At(1 << 20))),
        ("memory", group.set_memory_high(Limit::Max)),
        ("memory", group.set_memory_low(Limit::Max)),
        ("memory", group.set_swap_max(Limit::Max)),
        ("memory", group.set_oom_group(true)),
        ("memory", group.out_of_memory().map(drop)),
        ("pids", group.set_pids_max(Limit::At(1))),
        ("cpu", group.set_cpu_max(bandwidth)),
        ("cpu", group.set_cpu_weight(1)),
        ("cpuset", group.set_cpuset_cpus(&[0])),
        ("cpuset", group.set_cpuset_mems(&[0])),
        ("io", group.set_io_max(device, IoMax { reads: Some(Limit::At(1)), ..IoMax::default() })),
        ("io", group.set_io_weight(1)),
    ] {
        let error = result.expect_err(controller);
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<CgroupError>());
        assert_eq!(inner, Some(&CgroupError::Unsupported(controller.into())));
    }
    let stat = group.stat().expect("it is there");
    assert_eq!((stat.memory, stat.pids), (None, None));
    assert!(stat.io.is_none() && stat.cpu.throttled.is_none());
}
