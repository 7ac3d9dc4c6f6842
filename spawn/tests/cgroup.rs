//! Children that are born inside a cgroup.

mod support;

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::thread;

use offspring_spawn::{Command, Errno, ExitStatus, Kernel, Signal, SpawnError, Stage};
use support::cgroup::Cgroup;
use support::isolation::{isolated, skip};
use support::place::{Place, directory};
use support::refusal::refuse;
use support::traces::{Traces, assert_no_children};
use support::{killed, program, text};

/// A command whose output is the cgroups that it is in.
fn where_am_i() -> Command {
    let mut command = Command::new(&program("cat"));
    command.arg("/proc/self/cgroup");
    command
}

#[test]
fn cg_5_born_inside() {
    let Some(group) = Cgroup::new("cg_5_born_inside") else {
        return;
    };
    let printed = text(where_am_i().cgroup(group.directory()));
    let line = format!("0::{}", group.name);
    assert!(printed.lines().any(|other| other == line), "{printed}");
    // We are still where we were.
    let ours = fs::read_to_string("/proc/self/cgroup").unwrap();
    assert!(!ours.lines().any(|other| other == line), "{ours}");
}

#[test]
fn cg_1_any_descriptor_can_be_set() {
    let mut command = where_am_i();
    command.cgroup(directory("/".as_ref()));
    command.cgroup(OwnedFd::from(File::open("/dev/null").unwrap()));
}

#[test]
fn cg_3_a_spawn_into_a_group_succeeds() {
    let Some(group) = Cgroup::new("cg_3_a_spawn_into_a_group_succeeds") else {
        return;
    };
    assert!(where_am_i().cgroup(group.directory()).spawn().is_ok());
}

#[test]
fn cg_4_its_child_exits_with_zero() {
    let Some(group) = Cgroup::new("cg_4_its_child_exits_with_zero") else {
        return;
    };
    let child = where_am_i().cgroup(group.directory()).spawn().unwrap();
    assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(0));
}

#[test]
fn g4_what_the_kernel_lacks_comes_first() {
    isolated(|| {
        refuse(libc::SYS_waitid, Errno::INVAL);
        let mut command = where_am_i();
        command.cgroup(OwnedFd::from(File::open("/dev/null").unwrap()));
        assert_eq!(support::error_of(&command), (Stage::Kernel, Errno::NOSYS));
    });
}

#[test]
fn a_bad_group_comes_before_a_bad_program() {
    let place = Place::new();
    let mut command = Command::new(&place.script("broken", ""));
    command.cgroup(OwnedFd::from(File::open("/dev/null").unwrap()));
    assert_eq!(support::error_of(&command), (Stage::Cgroup, Errno::BADF));
}

#[test]
fn g5_a_group_in_a_bad_state_is_not_a_kernel_without_groups() {
    let name = "g5_a_group_in_a_bad_state_is_not_a_kernel_without_groups";
    let Some(group) = Cgroup::new(name) else {
        return;
    };
    // A domain below a threaded one is invalid.
    let [parent, child] = ["", "below"].map(|name| group.file(name));
    fs::create_dir(&child).unwrap();
    let threaded = fs::create_dir(parent.join("other"))
        .and_then(|()| fs::write(parent.join("other/cgroup.type"), "threaded"));
    let command = |at: &std::path::Path| {
        let mut command = where_am_i();
        command.cgroup(directory(at));
        command
    };
    if threaded.is_ok() {
        let error = support::error_of(&command(&child));
        assert_eq!(error, (Stage::Cgroup, Errno::OPNOTSUPP));
        // The kernel is fine.
        assert!(Kernel::get().is_ok());
    } else {
        skip(name, "cannot make a threaded cgroup");
    }
    for name in ["below", "other"] {
        let _ = fs::remove_dir(parent.join(name));
    }
}

#[test]
fn a_group_that_gives_controllers_takes_nobody_in() {
    let name = "a_group_that_gives_controllers_takes_nobody_in";
    let Some(group) = Cgroup::new(name) else {
        return;
    };
    if fs::write(group.file("cgroup.subtree_control"), "+memory").is_err() {
        return skip(name, "there is no controller memory");
    }
    let error = support::error_of(where_am_i().cgroup(group.directory()));
    assert_eq!(error, (Stage::Cgroup, Errno::BUSY));
}

#[test]
fn cg_2_what_is_no_cgroup() {
    isolated(|| {
        let place = Place::new();
        let null = OwnedFd::from(File::open("/dev/null").unwrap());
        for fd in [null, directory(place.root()), directory("/".as_ref())] {
            let mut command = where_am_i();
            command.cgroup(fd);
            let fails = || {
                let (stage, errno) = (Stage::Cgroup, Errno::BADF);
                assert_eq!(command.spawn().unwrap_err(), SpawnError { stage, errno });
            };
            fails();
            Traces::unchanged(fails);
        }
    });
}

#[test]
fn a_file_of_a_cgroup_is_no_cgroup() {
    let Some(group) = Cgroup::new("a_file_of_a_cgroup_is_no_cgroup") else {
        return;
    };
    let file = File::open(group.file("cgroup.procs")).unwrap();
    let error = where_am_i().cgroup(OwnedFd::from(file)).spawn().unwrap_err();
    assert_eq!((error.stage, error.errno), (Stage::Cgroup, Errno::BADF));
}

#[test]
fn a_cgroup_that_was_removed() {
    let Some(group) = Cgroup::new("a_cgroup_that_was_removed") else {
        return;
    };
    let gone = group.directory();
    drop(group);
    let error = where_am_i().cgroup(gone).spawn().unwrap_err();
    assert_eq!((error.stage, error.errno), (Stage::Cgroup, Errno::NOENT));
}

#[test]
fn a_failure_leaves_the_group_empty() {
    let Some(group) = Cgroup::new("a_failure_leaves_the_group_empty") else {
        return;
    };
    let place = Place::new();
    let mut command = Command::new(&place.script("empty", ""));
    let error = command.cgroup(group.directory()).spawn().unwrap_err();
    assert_eq!((error.stage, error.errno), (Stage::Exec, Errno::NOEXEC));
    let members = fs::read_to_string(group.file("cgroup.procs")).unwrap();
    assert_eq!(members, "");
}

#[test]
fn g11_a_frozen_group_holds_a_spawn_up() {
    isolated(|| {
        let Some(group) = Cgroup::new("g11_a_frozen_group_holds_a_spawn_up") else {
            return;
        };
        fs::write(group.file("cgroup.freeze"), "1").unwrap();
        let mut command = where_am_i();
        command.cgroup(group.directory());
        // It is born frozen, and the spawn waits for it.
        let spawn = thread::spawn(move || command.spawn());
        while fs::read_to_string(group.file("cgroup.procs")).unwrap().is_empty() {
            assert!(!spawn.is_finished());
            thread::yield_now();
        }
        fs::write(group.file("cgroup.kill"), "1").unwrap();
        let child = spawn.join().unwrap().unwrap();
        assert_eq!(child.wait().unwrap().status, killed(Signal::KILL));
        assert_no_children();
    });
}
