//! A fork is born in a group. The groups of its parent stay its parent's, and its
//! own go with it. `/proc` is this guest's to read.

use std::fs;

use offspring_guest::cgroup::{Cgroup, CgroupError};
use offspring_guest::fork::{ForkError, Forked, Options};
use offspring_guest::{Command, Signal, Stdio};
use test_programs::{cat, not_forked};

/// The group that this process is in.
fn own() -> String {
    let text = fs::read_to_string("/proc/self/cgroup").expect("it can be read");
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("0::"));
    lines.next().expect("a line of version 2").to_owned()
}

fn main() {
    let outside = own();
    assert!(!outside.contains("group.build"), "{outside}");
    let build = Cgroup::open("build").expect("it is granted");
    let step = build.create_child("step").expect("it is made");

    for (group, part) in [(&build, "/group.build/"), (&step, "/group.build/group.step/")] {
        match Options::new().async_safe().group(group).fork().expect("it forks") {
            Forked::Child => {
                // The first thing that it does.
                let inside = own();
                let Some((_, rest)) = inside.split_once(part) else { panic!("{inside}") };
                assert!(!rest.contains('/'), "not in a cgroup of its own: {inside}");
                offspring_guest::exit(0)
            }
            Forked::Parent(child) => assert_eq!(child.wait().expect("it ends").code(), Some(0)),
        }
        assert_eq!(own(), outside);
    }

    // A fork of one that is in a group is there too, unless it says otherwise.
    let child = Options::new().group(&step).spawn(|| {
        let inside = own();
        let plain = Options::new().spawn(|| u8::from(own() != inside)).expect("it forks");
        assert_eq!(plain.wait().expect("it ends").code(), Some(0));
        let back = Options::new().group(&build).spawn(|| u8::from(own().contains("group.step")));
        assert_eq!(back.expect("it forks").wait().expect("it ends").code(), Some(0));
        0
    });
    assert_eq!(child.expect("it forks").wait().expect("it ends").code(), Some(0));

    // What is killed by its group.
    let sleeper = || loop {
        std::thread::sleep(std::time::Duration::from_secs(1000));
    };
    let child = Options::new().group(&step).spawn(sleeper).expect("it forks");
    let number = child.getpid().expect("it lives");
    assert_eq!(step.processes().expect("they are listed"), [number]);
    step.kill().expect("it is ours");
    assert_eq!(child.wait().expect("it ends").term_signal(), Some(Signal::KILL));
    drop(child);

    // A fork drops its parent's groups and its parent's children, and that does
    // nothing. What it makes itself is gone when it has ended, as is what it started.
    let mut command = Command::new("cat");
    command.group(&step).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut kept = command.spawn().expect("it starts");
    let child = Options::new().spawn(|| {
        let own = build.create_child("own").expect("it is made");
        let mut command = Command::new("cat");
        let started = command.group(&own).stdin(Stdio::piped()).spawn().expect("it starts");
        let forked = Options::new().group(&own).spawn(sleeper).expect("it forks");
        std::mem::forget((started, forked, own, cat()));
        drop(step.clone());
        0
    });
    assert_eq!(child.expect("it forks").wait().expect("it ends").code(), Some(0));
    let dropping = Options::new().fork().expect("it forks");
    match dropping {
        Forked::Child => {
            drop((step, kept));
            offspring_guest::exit(0)
        }
        Forked::Parent(child) => assert_eq!(child.wait().expect("it ends").code(), Some(0)),
    }
    assert!(step.state().expect("it is there").populated);
    assert_eq!(kept.try_wait().expect("it is ours"), None);
    assert_eq!(build.processes().expect("they are listed").len(), 1);
    drop(kept.stdin.take());
    assert!(kept.wait().expect("it ends").success());
    let again = build.create_child("own").expect("the fork's is gone");
    drop(again);

    // Nobody begins in a frozen group.
    step.freeze().expect("it is ours");
    let error = not_forked(Options::new().group(&step).fork());
    assert_eq!(error, ForkError::Cgroup(CgroupError::Busy));
    step.thaw().expect("it is ours");
    let child = Options::new().group(&step).spawn(|| 5).expect("it forks");
    assert_eq!(child.wait().expect("it ends").code(), Some(5));
}
