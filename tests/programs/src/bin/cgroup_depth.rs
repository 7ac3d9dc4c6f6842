//! Groups are nested eight deep, and a process in the lowest is in all of them.

use offspring_guest::cgroup::{Cgroup, CgroupError};
use test_programs::{sh, started};

const DEPTH: usize = 8;

fn main() {
    let build = Cgroup::open("build").expect("it is granted");
    let mut groups = vec![build];
    for _ in 0..DEPTH {
        let lowest = groups.last().expect("there is one");
        groups.push(lowest.create_child("below").expect("it is not too deep"));
    }
    let lowest = groups.last().expect("there is one");
    let error = lowest.create_child("below").expect_err("it is too deep");
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<CgroupError>());
    assert_eq!(inner, Some(&CgroupError::LimitReached));
    let (_child, _) = started(sh("echo started; exec sleep 100000").group(lowest));
    for group in &groups {
        assert_eq!(group.processes().expect("they are listed").len(), 1);
    }
    // All of it goes with the highest that is the guest's.
    groups[1].kill().expect("it is ours");
    lowest.wait_empty().expect("it ends");
}
