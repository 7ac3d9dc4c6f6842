//! Who reads more of a device than the group may stands still. The arguments are
//! the device's numbers and its path; the group `build` may read 64 KiB a second.

use std::time::Duration;

use offspring_guest::cgroup::{Cgroup, CgroupError, Device, IoMax, Limit, Stat};
use offspring_guest::{Command, Stdio};

/// What reading takes at least, which should take twice as long.
const WAITED: Duration = Duration::from_secs(1);

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |index: usize| args[index].parse().expect("a number");
    let device = Device { major: number(1), minor: number(2) };
    let build = Cgroup::open("build").expect("it is granted");
    let slow = build.create_child("slow").expect("it can be made");
    let fast =
        Cgroup::open("other").expect("it is granted").create_child("fast").expect("likewise");

    // Past the cache, so that the device is asked.
    let read = |program: &str, group: &Cgroup, size: &str, count: u64| {
        let mut dd = Command::new(program);
        dd.args([&format!("if={}", args[3]), "of=/dev/null", "iflag=direct"]);
        dd.args([&format!("bs={size}"), &format!("count={count}")]);
        let dd = dd.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(dd.group(group).status().expect("it starts").success());
        group.stat().expect("it is there")
    };
    let used = |stat: &Stat| {
        let devices = stat.io.as_ref().expect("it is counted");
        *devices.iter().find(|used| used.device == device).expect("it was used")
    };
    let waited = |stat: &Stat| stat.io_pressure.expect("it is counted").some.total;

    // The host's limit, on bytes.
    let stat = read("dd", &build, "64k", 3);
    assert!(used(&stat).read_bytes >= 3 << 16 && used(&stat).written_bytes == 0, "{stat:?}");
    assert!(waited(&stat) >= WAITED, "{stat:?}");

    // The guest's own, on reads.
    let two = IoMax { reads: Some(Limit::At(2)), ..IoMax::default() };
    slow.set_io_max(device, two).expect("there is a controller");
    let stat = read("dd", &slow, "4k", 5);
    assert!(used(&stat).reads >= 5 && waited(&stat) >= WAITED, "{stat:?}");

    // Without any, nobody waits for long.
    let stat = read("dd-other", &fast, "64k", 3);
    assert!(used(&stat).read_bytes >= 3 << 16, "{stat:?}");

    let nothing = Device { major: 4095, minor: 0 };
    let error = slow.set_io_max(nothing, two).expect_err("there is none");
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<CgroupError>());
    assert_eq!(inner, Some(&CgroupError::Other(Some("ENODEV".into()))));
}
