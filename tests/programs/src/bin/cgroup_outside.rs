//! What somebody else does to its groups, a guest is told by its name. It says
//! what it waits for, and goes on when there is a file of this name. The arguments
//! are the directory for such files, and which parts of this are to run.

use std::fmt::Debug;
use std::io::{self, ErrorKind};

use offspring_guest::cgroup::{Cgroup, CgroupError, Limit};
use offspring_guest::{Command, ErrorCode, Stage, Stdio};
use test_programs::{refused, sh};

/// Waits for something to be done outside.
fn ask(what: &str) {
    println!("{what}");
    let directory = std::env::args().nth(1).expect("a directory");
    let mut wait = sh("until [ -e \"$1\" ]; do sleep 0.02; done");
    let wait = wait.arg(format!("{directory}/{what}")).stdin(Stdio::null());
    let status = wait.stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.expect("it starts").success(), "{what}");
}

#[track_caller]
fn failed<T: Debug>(result: io::Result<T>) -> CgroupError {
    let error = result.expect_err("it is refused");
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<CgroupError>());
    inner.expect("the typed reason").clone()
}

fn cat(group: &Cgroup) -> Command {
    let mut cat = Command::new("cat");
    cat.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).group(group);
    cat
}

/// The host's user may not do anything with it any more.
fn not_delegated(build: &Cgroup) {
    let group = build.create_child("a").expect("it can be made");
    ask("take a");
    for error in [
        failed(group.create_child("b")),
        failed(group.kill()),
        failed(group.freeze()),
        failed(group.thaw()),
    ] {
        assert_eq!(error, CgroupError::NotDelegated);
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    }
    let (kind, error) = refused(cat(&group).spawn());
    assert_eq!((kind, &error.code), (ErrorKind::PermissionDenied, &ErrorCode::AccessDenied));
    assert_eq!(error.stage, Stage::Attribute("group".into()), "{error}");
    assert_eq!(error.errno.as_deref(), Some("EACCES"));
    // It can still be looked at.
    assert!(!group.state().expect("it is there").populated);
    ask("give a");
    assert!(cat(&group).status().expect("it is ours again").success());
}

/// It was removed.
fn gone(build: &Cgroup) {
    let group = build.create_child("c").expect("it can be made");
    let empty = group.empty().expect("it can be waited for");
    ask("remove c");
    for error in [
        failed(group.state()),
        failed(group.stat()),
        failed(group.processes()),
        failed(group.create_child("d")),
        failed(group.set_pids_max(Limit::Max)),
        failed(group.set_memory_max(Limit::Max)),
        failed(group.kill()),
        failed(group.freeze()),
        failed(group.empty().map(drop)),
        failed(group.out_of_memory().map(drop)),
    ] {
        assert_eq!((&error, error.kind()), (&CgroupError::Gone, ErrorKind::NotFound));
    }
    // Nobody is in it, and who waits for that does not wait for ever.
    empty.block();
    let (kind, error) = refused(cat(&group).spawn());
    assert_eq!((kind, &error.code), (ErrorKind::NotFound, &ErrorCode::NotFound), "{error}");
    assert_eq!(error.stage, Stage::Attribute("group".into()), "{error}");
    drop(group);
    // Its name is free.
    build.create_child("c").expect("it can be made again");
}

/// The kernel's own limits, not the host's.
fn limit_reached(build: &Cgroup) {
    let group = build.create_child("e").expect("it can be made");
    ask("limit e");
    let error = failed(group.create_child("f"));
    assert_eq!((&error, error.kind()), (&CgroupError::LimitReached, ErrorKind::QuotaExceeded));
    let (kind, error) = refused(cat(&group).spawn());
    assert_eq!((kind, &error.code), (ErrorKind::QuotaExceeded, &ErrorCode::LimitReached));
    assert_eq!(error.stage, Stage::Attribute("group".into()), "{error}");
    assert_eq!(error.errno.as_deref(), Some("EAGAIN"), "{error}");
}

/// It was made a threaded one, beneath which there are no processes.
fn invalid_domain(build: &Cgroup) {
    let group = build.create_child("g").expect("it can be made");
    ask("thread g");
    let error = failed(group.kill());
    assert_eq!((&error, error.kind()), (&CgroupError::InvalidDomain, ErrorKind::Unsupported));
    let (kind, error) = refused(cat(&group).spawn());
    assert_eq!((kind, &error.code), (ErrorKind::Unsupported, &ErrorCode::Unsupported));
    assert_eq!(error.errno.as_deref(), Some("EOPNOTSUPP"));
    assert_eq!(error.stage, Stage::Attribute("group".into()), "{error}");
}

fn main() {
    let build = Cgroup::open("build").expect("it is granted");
    for part in std::env::args().skip(2) {
        match &*part {
            "not-delegated" => not_delegated(&build),
            "gone" => gone(&build),
            "limit-reached" => limit_reached(&build),
            "invalid-domain" => invalid_domain(&build),
            part => panic!("there is no part {part}"),
        }
    }
}
