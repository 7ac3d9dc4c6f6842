//! A grant is confined to a group, and to no wider one ever after.

use std::fmt::Debug;
use std::io::{self, ErrorKind};

use offspring_guest::cgroup::Cgroup;
use offspring_guest::{Command, ErrorCode, GrantHandle, Stage, Stdio};
use test_programs::{failed, refused, text};

/// Where a child of this grant is among the cgroups, in its own words.
fn place(grant: &GrantHandle, group: Option<&Cgroup>) -> String {
    let mut command = Command::from_grant(grant);
    command.arg("/proc/self/cgroup");
    let command = group.into_iter().fold(&mut command, |command, group| command.group(group));
    let lines = text(command.stderr(Stdio::null()));
    lines.lines().find_map(|line| line.strip_prefix("0::")).expect("version 2").to_owned()
}

/// What starting a child of this grant in this group says.
#[track_caller]
fn denied(grant: &GrantHandle, group: Option<&Cgroup>) {
    let mut command = Command::from_grant(grant);
    command
        .arg("/proc/self/cgroup")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let command = group.into_iter().fold(&mut command, |command, group| command.group(group));
    let (kind, error) = refused(command.spawn());
    assert_eq!((kind, &error.code), (ErrorKind::PermissionDenied, &ErrorCode::AccessDenied));
    assert_eq!(error.stage, Stage::Policy("group".into()), "{error}");
}

#[track_caller]
fn not_made<T: Debug>(result: io::Result<T>) {
    assert_eq!(failed(result), ErrorCode::AccessDenied);
}

fn main() {
    let [build, other] = ["build", "other"].map(|name| Cgroup::open(name).expect("granted"));
    let make = |group: &Cgroup, name: &str| group.create_child(name).expect("it can be made");
    let (step, beside) = (make(&build, "step"), make(&build, "beside"));
    let inner = make(&step, "inner");

    // `cat` names the group `build`, and its children could be anywhere in that.
    let cat = GrantHandle::open("cat");
    assert!(place(&cat, None).contains("/group.build/child."));
    assert!(place(&cat, Some(&beside)).contains("/group.build/group.beside/child."));
    let narrow = cat.within(&step).expect("it is smaller");
    assert_eq!(narrow.name(), "cat");
    // Without a word they are in it, and with one beneath it.
    let [here, deeper] = ["step/child.", "step/group.inner/child."];
    for (group, place_of) in [(None, here), (Some(&step), here), (Some(&inner), deeper)] {
        let found = place(&narrow, group);
        assert!(found.contains(&format!("/group.build/group.{place_of}")), "{found}");
    }
    for wider in [&build, &beside, &other] {
        denied(&narrow, Some(wider));
    }

    // It is made smaller, and never wider again; nor does it change what it was made of.
    let less = narrow.within(&inner).expect("it is smaller");
    assert!(place(&less, None).contains("/group.step/group.inner/child."));
    assert!(place(&narrow.within(&step).expect("the same"), None).contains("/group.step/child."));
    for wider in [&build, &beside, &other] {
        not_made(narrow.within(wider));
    }
    for wider in [&step, &build, &beside, &other] {
        not_made(less.within(wider));
        denied(&less, Some(wider));
    }
    assert!(place(&cat, None).contains("/group.build/child."));
    assert!(place(&narrow, None).contains("/group.step/child."));

    // Rules and groups go together, in any order, and the one leaves the other.
    let rules = "args = [{ literal = '/proc/self/cgroup' }]\nmax-children = 1";
    let orders = [
        cat.narrow(rules).expect("rules").within(&step).expect("it is smaller"),
        narrow.narrow(rules).expect("rules"),
        narrow.narrow(rules).expect("rules").narrow("args = 'any'").expect("rules"),
    ];
    for both in &orders {
        assert!(place(both, None).contains("/group.step/child."));
        denied(both, Some(&build));
        let mut other = Command::from_grant(both);
        let (_, error) = refused(other.arg("/proc/self/environ").spawn());
        assert_eq!(error.stage, Stage::Policy("args".into()), "{error}");
        not_made(both.within(&build));
    }

    // A group gives nothing that the program's grant does not.
    denied(&cat.within(&other).expect("spawns say"), None);
    for name in ["own", "none"] {
        let confined = GrantHandle::open(name).within(&step).expect("spawns say");
        denied(&confined, None);
    }

    // What keeps a grant keeps its group, and what is in a group ends with its handle.
    let sleeps = GrantHandle::open("sleep").within(&inner).expect("it is smaller");
    let mut command = Command::from_grant(&sleeps);
    command.arg("100000").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    drop(inner);
    assert_eq!(child.wait().expect("it ends").signal(), Some(9));
    assert!(place(&less, None).contains("/group.step/group.inner/child."));
}
