//! Children that run as somebody else.

mod support;

use offspring_spawn::{Errno, ExitStatus, Identity, Signal, Stage, Stdio};
use rustix::process::geteuid;
use support::isolation::{isolated, skip};
use support::place::Place;
use support::refusal::refuse;
use support::state::State;
use support::traces::Traces;
use support::{error_of, find_line, pid, print_own, read_line, sh, status_line, text};

const UID: u32 = 65_534;
const GID: u32 = 65_533;

fn nobody(groups: &[u32]) -> Identity {
    Identity { uid: UID, gid: GID, groups: groups.to_vec() }
}

/// Whether ids can be changed here; if not, the test of this name is skipped.
fn is_root(name: &str) -> bool {
    let is_root = geteuid().is_root();
    if !is_root {
        skip(name, "only root may change ids");
    }
    is_root
}

#[test]
fn every_id_is_changed_and_no_group_is_left() {
    isolated(|| {
        if !is_root("every_id_is_changed_and_no_group_is_left") {
            return;
        }
        // What is made once.
        text(&mut sh("exit 0"));
        // Groups of ours, which must not be the child's.
        rustix::thread::set_thread_groups(&[rustix::process::Gid::from_raw(7)]).unwrap();
        let state = State::now();
        for (groups, printed) in [(&[][..], ""), (&[8, 9][..], "8 9")] {
            let status = Traces::unchanged(|| text(print_own("status").identity(nobody(groups))));
            assert_eq!(find_line(&status, "Uid"), ["65534"; 4].join("\t"));
            assert_eq!(find_line(&status, "Gid"), ["65533"; 4].join("\t"));
            assert_eq!(find_line(&status, "Groups"), printed);
            for set in ["CapPrm", "CapEff", "CapAmb"] {
                assert_eq!(find_line(&status, set), "0".repeat(16), "{set}");
            }
            assert_eq!(State::now(), state);
        }
    });
}

#[test]
fn there_is_no_way_back() {
    if !is_root("there_is_no_way_back") {
        return;
    }
    let place = Place::new();
    place.file("secret", 0o600, "secret");
    let mut command =
        sh("cat \"$0\" 2>/dev/null && exit 1; kill -0 \"$1\" 2>/dev/null && exit 2; exit 0");
    command.arg(place.path("secret")).arg(std::process::id().to_string());
    let child = command.identity(nobody(&[])).spawn().unwrap();
    assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(0));
}

#[test]
fn the_parent_death_signal_outlives_the_change() {
    if !is_root("the_parent_death_signal_outlives_the_change") {
        return;
    }
    // The thread that spawns is the parent, and ends.
    let child = std::thread::spawn(|| {
        let mut command = sh("echo up; exec sleep 300");
        command.identity(nobody(&[])).parent_death_signal(Some(Signal::KILL));
        let mut child = command.stdout(Stdio::Piped).spawn().unwrap();
        assert_eq!(read_line(&child.stdout.take().unwrap()), "up");
        assert_eq!(status_line(&pid(&child).to_string(), "Uid"), ["65534"; 4].join("\t"));
        child
    });
    let child = child.join().unwrap();
    assert_eq!(child.wait().unwrap().status, support::killed(Signal::KILL));
}

#[test]
fn what_the_other_one_may_not_is_refused() {
    if !is_root("what_the_other_one_may_not_is_refused") {
        return;
    }
    let place = Place::new();
    let script = place.script("script", "#!/bin/sh\nexit 0\n");
    let mut command = offspring_spawn::Command::new(&script);
    std::fs::set_permissions(script.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .unwrap();
    assert_eq!(error_of(command.identity(nobody(&[]))), (Stage::Exec, Errno::ACCESS));
    std::fs::set_permissions(place.root(), std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .unwrap();
    let mut command = sh("exit 0");
    command.identity(nobody(&[])).current_dir(support::place::directory(place.root()));
    assert_eq!(error_of(&command), (Stage::WorkingDirectory, Errno::ACCESS));
}

#[test]
fn ids_that_mean_unchanged_are_refused() {
    for (identity, stage) in [
        (Identity { uid: u32::MAX, ..nobody(&[]) }, Stage::UserId),
        (Identity { gid: u32::MAX, ..nobody(&[]) }, Stage::GroupId),
        (nobody(&[u32::MAX]), Stage::SupplementaryGroups),
    ] {
        assert_eq!(error_of(sh("exit 0").identity(identity)), (stage, Errno::INVAL));
    }
}

#[test]
fn without_the_right_to() {
    isolated(|| {
        text(&mut sh("exit 0"));
        if geteuid().is_root() {
            rustix::thread::set_thread_res_uid(
                rustix::process::Uid::from_raw(1),
                rustix::process::Uid::from_raw(1),
                rustix::process::Uid::from_raw(1),
            )
            .unwrap();
        }
        let error = Traces::unchanged(|| error_of(sh("exit 0").identity(nobody(&[]))));
        assert_eq!(error, (Stage::SupplementaryGroups, Errno::PERM));
    });
}

#[test]
fn each_refusal_has_its_stage() {
    isolated(|| {
        if !is_root("each_refusal_has_its_stage") {
            return;
        }
        text(&mut sh("exit 0"));
        let state = State::now();
        for (call, stage) in [
            (libc::SYS_setgroups, Stage::SupplementaryGroups),
            (libc::SYS_setresgid, Stage::GroupId),
            (libc::SYS_setresuid, Stage::UserId),
        ] {
            Traces::unchanged(|| {
                let thread = std::thread::spawn(move || {
                    refuse(call, Errno::AGAIN);
                    let error = error_of(sh("exit 0").identity(nobody(&[])));
                    assert_eq!(error, (stage, Errno::AGAIN));
                });
                thread.join().unwrap();
            });
        }
        assert_eq!(State::now(), state);
    });
}
