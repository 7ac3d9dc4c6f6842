//! What a child starts is in its group, whatever it does to leave it: it is
//! seen, frozen and killed there.

use std::io::{ErrorKind, Read};

use offspring_guest::cgroup::Cgroup;
use offspring_guest::{Cause, Command, ErrorCode, Stage, Stdio};
use test_programs::{refused, sh, started};

/// Two that fork twice, lead sessions of their own and ignore what they can.
const DAEMONS: &str = "for i in 1 2; do (setsid sh -c \"trap '' TERM HUP; sleep 100000\" &) & \
                       done; wait; echo started; exec sleep 100000";

fn daemons(group: &Cgroup) -> offspring_guest::Child {
    started(sh(DAEMONS).group(group)).0
}

fn main() {
    let build = Cgroup::open("build").expect("it is granted");
    let group = build.create_child("step").expect("it can be made");

    // All of them are killed by one call.
    let mut child = daemons(&group);
    assert!(group.state().expect("it is there").populated);
    assert!(group.processes().expect("they are listed").len() >= 3);
    assert!(build.processes().expect("they are beneath it").len() >= 3);
    assert!(!group.empty().expect("it can be waited for").ready());
    group.kill().expect("it is ours");
    group.wait_empty().expect("they end");
    let status = child.wait().expect("it ended");
    assert_eq!((status.signal(), status.cause()), (Some(9), Some(Cause::Killed)));
    assert!(group.empty().expect("it is empty").ready());
    drop(child);

    // And with the handle of the one that started them.
    drop(daemons(&group));
    group.wait_empty().expect("nobody is left");

    // And with the group.
    let child = daemons(&group);
    drop(group);
    build.wait_empty().expect("nobody is left");
    drop(child);

    // A frozen group takes nobody in, instead of holding the host up.
    let group = build.create_child("step").expect("its name is free");
    let inner = group.create_child("inner").expect("beneath it");
    let mut cat = Command::new("cat");
    let cat = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = cat.group(&inner).spawn().expect("it starts");
    group.freeze().expect("it is ours");
    while !group.state().expect("it is there").frozen {}
    let (kind, error) = refused(cat.spawn());
    assert_eq!((kind, &error.code), (ErrorKind::ResourceBusy, &ErrorCode::Busy), "{error}");
    assert_eq!(error.stage, Stage::Attribute("group".into()));
    assert_eq!(error.errno.as_deref(), Some("EBUSY"));
    drop(child.stdin.take());
    assert!(child.try_wait().expect("it stands still").is_none());
    group.thaw().expect("it is ours");
    assert!(child.wait().expect("it ends with its input").success());
    // What is frozen can be killed.
    let child = cat.spawn().expect("it starts");
    group.freeze().expect("it is ours");
    drop(child);
    group.wait_empty().expect("it was killed");

    // Of the time that its children took, it knows without any controller.
    let group = build.create_child("busy").expect("it can be made");
    let mut busy = sh("i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); done");
    let busy = busy.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(busy.group(&group).status().expect("it runs").success());
    let stat = group.stat().expect("it is there");
    assert!(!stat.cpu.usage.is_zero(), "{stat:?}");
    let mut rest = String::new();
    assert_eq!(std::io::stdin().read_to_string(&mut rest).expect("no input"), 0);
}
