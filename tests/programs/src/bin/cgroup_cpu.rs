//! Who takes more processor time than the group has stands still.

use offspring_guest::Stdio;
use offspring_guest::cgroup::{Cgroup, CpuMax};
use test_programs::sh;

fn main() {
    let build = Cgroup::open("build").expect("it is granted");
    let group = build.create_child("slow").expect("it can be made");
    group.set_cpu_weight(50).expect("there is a controller");
    group.set_cpu_max(CpuMax::percent(5)).expect("likewise");
    group.set_cpuset_cpus(&[0]).expect("every machine has one");
    group.set_cpuset_mems(&[0]).expect("likewise");
    assert!(group.set_cpu_weight(0).is_err() && group.set_cpuset_cpus(&[8000]).is_err());

    let mut busy = sh("while :; do :; done");
    let busy = busy.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = busy.group(&group).spawn().expect("it starts");
    let cpu = || group.stat().expect("it is there").cpu;
    while cpu().throttled_periods.expect("it is counted") == 0 {}
    assert!(!cpu().throttled.expect("it is counted").is_zero(), "{:?}", cpu());
    group.set_cpu_max(CpuMax::Max).expect("there is a controller");
    drop(child);
}
