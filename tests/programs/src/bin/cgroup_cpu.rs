//! Who takes more processor time than the group has stands still.

use offspring_guest::Stdio;
use offspring_guest::cgroup::{Cgroup, CpuMax};
use test_programs::{read, sh, status};

fn main() {
    let cpus: usize = std::env::args().nth(1).expect("how many").parse().expect("a number");
    let build = Cgroup::open("build").expect("it is granted");
    let group = build.create_child("slow").expect("it can be made");
    group.set_cpu_weight(50).expect("there is a controller");
    group.set_cpuset_cpus(&[0]).expect("every machine has one");
    group.set_cpuset_mems(&[0]).expect("likewise");
    assert!(group.set_cpu_weight(0).is_err() && group.set_cpuset_cpus(&[8000]).is_err());

    // The child finds itself where it was put.
    let allowed = || status(read("/proc/self/status").group(&group), "Cpus_allowed_list");
    assert_eq!(allowed(), "0");
    if cpus > 1 {
        group.set_cpuset_cpus(&[1]).expect("there are two");
        assert_eq!(allowed(), "1");
    }

    group.set_cpu_max(CpuMax::percent(5)).expect("likewise");
    let mut busy = sh("while :; do :; done");
    let busy = busy.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = busy.group(&group).spawn().expect("it starts");
    let cpu = || group.stat().expect("it is there").cpu;
    // The time is counted when it is over.
    while cpu().throttled.expect("it is counted").is_zero() {}
    assert!(cpu().throttled_periods.expect("likewise") > 0, "{:?}", cpu());
    // Nobody else stands still for it.
    assert!(sh("").status().expect("it runs").success());
    group.set_cpu_max(CpuMax::Max).expect("there is a controller");
    drop(child);
}
