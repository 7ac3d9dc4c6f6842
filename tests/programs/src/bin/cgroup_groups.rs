//! Groups are opened by their names, made beneath, bounded, and removed when
//! they are dropped. The policy allows four of the guest's own.

use std::io::{self, ErrorKind};

use offspring_guest::cgroup::{Cgroup, CgroupError, Limit};
use offspring_guest::{grants, groups, limits};

fn failed<T: std::fmt::Debug>(result: io::Result<T>) -> (ErrorKind, CgroupError) {
    let error = result.expect_err("it is refused");
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<CgroupError>());
    (error.kind(), inner.expect("the typed reason").clone())
}

fn main() {
    let names: Vec<String> = groups().into_iter().map(|group| group.name).collect();
    assert_eq!(names, ["build", "other"]);
    assert!(groups().iter().all(|group| group.available));
    assert_eq!(grants()[0].group.as_deref(), Some("build"));
    assert_eq!(limits().max_groups, 4);

    let build = Cgroup::open("build").expect("it is granted");
    assert_eq!(failed(Cgroup::open("nothing")), (ErrorKind::NotFound, CgroupError::NotFound));
    let state = build.state().expect("it is there");
    assert!(!state.populated && !state.frozen);
    assert!(build.processes().expect("none").is_empty());

    // What the host has made keeps its limits.
    let host = failed(build.set_pids_max(Limit::Max));
    assert_eq!(host, (ErrorKind::PermissionDenied, CgroupError::AccessDenied));

    let step = build.create_child("step-1").expect("the first");
    let again = failed(build.create_child("step-1"));
    assert_eq!(again, (ErrorKind::AlreadyExists, CgroupError::Exists));
    // It is the same group, whoever opens it.
    let other = Cgroup::open("build").expect("it is granted");
    assert_eq!(failed(other.create_child("step-1")).1, CgroupError::Exists);
    for name in ["", ".", "..", "a/b", "a b", "a\0", "cgroup.procs", "é", &"x".repeat(65)] {
        let error = failed(build.create_child(name));
        assert_eq!(error, (ErrorKind::InvalidInput, CgroupError::InvalidArgument), "{name:?}");
    }

    // One beneath the other, and no more than four.
    let second = step.create_child("a").expect("the second");
    let third = second.create_child("a").expect("the third");
    let fourth = third.create_child("a").expect("the fourth");
    let full = (ErrorKind::QuotaExceeded, CgroupError::LimitReached);
    assert_eq!(failed(fourth.create_child("a")), full);
    assert_eq!(failed(build.create_child("b")), full);
    drop((fourth, third, second));
    // Their names are free again, in any order of dropping.
    let outer = step.create_child("a").expect("it was removed");
    let inner = outer.create_child("b").expect("beneath it");
    drop(outer);
    assert!(!inner.state().expect("it is still there").populated);
    drop(inner);
    drop(step);
    build.create_child("step-1").expect("it was removed with all beneath it");
}
