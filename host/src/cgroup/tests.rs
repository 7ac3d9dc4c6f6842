//! Places, on the machine that the tests run on. Where none can be had, they
//! say so and are skipped.

use std::io::Write;
use std::sync::Arc;

use offspring_spawn::{CgroupErrorKind, Command, Program};

use super::*;

fn place(test: &str) -> Option<Arc<Place>> {
    Place::find()
        .inspect_err(|no_place| {
            let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {no_place}");
        })
        .ok()
}

#[test]
fn what_is_owned_goes_with_all_that_lives_in_it() {
    let Some(place) = place("what_is_owned_goes_with_all_that_lives_in_it") else {
        return;
    };
    let outer = Arc::new(place.create().unwrap());
    let inner = OwnedCgroup::within(&outer, "inner".to_owned()).unwrap();
    let path = place.path();
    let sleep = Program::search("sleep", "/bin:/usr/bin".as_ref()).unwrap();
    let child = Command::new(&sleep).arg("300").cgroup(inner.cgroup()).spawn().unwrap();
    let name = outer.cgroup().children().unwrap();
    assert_eq!(name, ["inner"]);
    // The outer one waits for the inner one, the place for both.
    drop((outer, place));
    assert!(path.is_dir() && child.try_wait().unwrap().is_none());
    drop(inner);
    assert!(!child.wait().unwrap().status.success());
}

/// By hosts that are no more: they have no lock.
#[test]
fn what_killed_hosts_left_is_swept() {
    let name = "what_killed_hosts_left_is_swept";
    let Some(place) = place(name) else {
        return;
    };
    // A cgroup of the test's own, in which others find no place.
    let test = place.create().unwrap();
    let left = test.cgroup().create("offspring.1.0").unwrap().create("guest.0").unwrap();
    let sleep = Program::search("sleep", "/bin:/usr/bin".as_ref()).unwrap();
    let child = Command::new(&sleep).arg("300").cgroup(&left).spawn().unwrap();
    let lives = test.cgroup().create("offspring.1.1").unwrap();
    let lock = lives.lock().unwrap();
    test.cgroup().create("offspring").unwrap();
    test.cgroup().create("of somebody else").unwrap();

    sweep::sweep(test.cgroup());
    let names = test.cgroup().children().unwrap();
    assert_eq!(names, ["of somebody else", "offspring", "offspring.1.1"]);
    assert!(!child.wait().unwrap().status.success());
    // Its host ends.
    drop(lock);
    sweep::sweep(test.cgroup());
    assert_eq!(test.cgroup().children().unwrap(), ["of somebody else", "offspring"]);
}

#[test]
fn names_are_taken_by_one_host_each() {
    let Some(place) = place("names_are_taken_by_one_host_each") else {
        return;
    };
    let test = place.create().unwrap();
    let first = sweep::Locked::create(test.cgroup()).unwrap();
    let second = sweep::Locked::create(test.cgroup()).unwrap();
    assert_ne!(first.name, second.name);
    sweep::sweep(test.cgroup());
    assert_eq!(test.cgroup().children().unwrap().len(), 2);
}

#[test]
fn a_place_without_room_is_an_error() {
    let Some(place) = place("a_place_without_room_is_an_error") else {
        return;
    };
    let test = place.create().unwrap();
    let gone = test.cgroup().create("gone").unwrap();
    test.cgroup().remove_child("gone").unwrap();
    let error = sweep::Locked::create(&gone).unwrap_err();
    assert_eq!(error.kind(), CgroupErrorKind::Gone);
    let shown = NoPlace::Failed { path: "/x".into(), error }.to_string();
    assert!(shown.contains("no cgroup can be made in /x") && shown.contains("removed"), "{shown}");
}

#[test]
fn every_lack_has_a_remedy() {
    let path = || "/sys/fs/cgroup/a".into();
    for lack in [
        Lack::NotGiven { path: path(), above: vec!["/sys/fs/cgroup".into()] },
        Lack::NotGivenToContainer { path: path() },
        Lack::Shared { path: path() },
        Lack::NotOwned { path: path() },
    ] {
        assert!(lack.to_string().contains("/sys/fs/cgroup/a"), "{lack}");
        assert!(lack.remedy().contains('`'), "{}", lack.remedy());
    }
    assert!(Lack::NotOffered.remedy().contains('`'));
    for no_place in [
        NoPlace::NotMounted,
        NoPlace::NotDelegated { path: path() },
        NoPlace::Threaded { path: path() },
        NoPlace::ReadOnly { path: path() },
    ] {
        assert!(no_place.remedy().unwrap().contains('`'), "{no_place}");
    }
}
