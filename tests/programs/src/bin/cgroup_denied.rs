//! Which group a child is started in is for its grant to say.

use std::io::ErrorKind;

use offspring_guest::cgroup::Cgroup;
use offspring_guest::{Command, ErrorCode, Stage, Stdio};
use test_programs::{refused, text};

/// Where a program is among the cgroups, in its own words.
fn place(program: &str, group: Option<&Cgroup>) -> String {
    let mut command = Command::new(program);
    command.arg("/proc/self/cgroup");
    let command = group.into_iter().fold(&mut command, |command, group| command.group(group));
    let lines = text(command.stderr(Stdio::null()));
    lines.lines().find_map(|line| line.strip_prefix("0::")).expect("version 2").to_owned()
}

fn main() {
    let [build, other] = ["build", "other"].map(|name| Cgroup::open(name).expect("granted"));

    // `cat` names the group `build`.
    assert!(place("cat", None).contains("/group.build/child."));
    assert!(place("cat", Some(&build)).contains("/group.build/child."));
    let step = build.create_child("step").expect("it can be made");
    assert!(place("cat", Some(&step)).contains("/group.build/group.step/child."));
    // `own` has one of its own, which may be that of one that has ended; `none` is where
    // the host is.
    let own = place("own", None);
    assert!(own.contains("/guest.") && !own.contains("/group."), "{own}");
    assert!(!place("none", None).contains("/guest."));

    for (program, group) in [("cat", &other), ("own", &build), ("none", &build)] {
        let mut command = Command::new(program);
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let (kind, error) = refused(command.group(group).spawn());
        assert_eq!((kind, &error.code), (ErrorKind::PermissionDenied, &ErrorCode::AccessDenied));
        assert_eq!(error.stage, Stage::Policy("group".into()), "{error}");
    }
}
