//! File actions: what a child does with its descriptors, in order.

mod support;

use std::fs::{self, File};
use std::io::{Seek, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use offspring_spawn::{Command, Errno, ExitStatus, FileActions, Mode, OFlags, Stage};
use rustix::process::{Resource, Rlimit, WaitId, WaitIdOptions, getrlimit, waitid};
use support::isolation::isolated;
use support::place::Place;
use support::{actions, error_of, sh, text};

const NONE: Mode = Mode::empty();
const READ: OFlags = OFlags::RDONLY;

/// Four files with these texts; the second one's offset is behind its text.
struct Files {
    place: Place,
    second: File,
    command: Command,
}

/// The round trip of the matrix: 3 is the first file, and closed; 4 the second,
/// and 7 a copy of it; 5 is opened; 6 was closed at exec in the parent.
fn round_trip(script: &str) -> Files {
    let place = Place::new();
    for name in ["first", "second", "third", "fourth"] {
        fs::write(place.path(name), name).unwrap();
    }
    let open = |name: &str| File::options().read(true).write(true).open(place.path(name));
    let mut second = open("second").unwrap();
    second.write_all(b"second").unwrap();
    let mut command = sh(script);
    command.arg(place.path("first"));
    let pass = |command: &mut Command, file: &File, number| {
        let fd = OwnedFd::from(file.try_clone().unwrap());
        command.pass(fd, number).unwrap();
    };
    pass(&mut command, &open("first").unwrap(), 3);
    pass(&mut command, &second, 4);
    pass(&mut command, &open("fourth").unwrap(), 6);
    command.file_actions(actions(|actions| {
        actions
            .close(3)?
            .open(5, place.path("third"), READ, Mode::from(0o666))?
            .dup2(4, 7)?
            .dup2(6, 6)
    }));
    Files { place, second, command }
}

#[test]
fn sp1_1_adding_succeeds() {
    let mut all = FileActions::new();
    assert!(all.close(3).is_ok());
    assert!(all.open(3, "/", READ, NONE).is_ok());
    assert!(all.dup2(3, 4).is_ok());
    assert!(all.dup2(4, 4).is_ok());
}

#[test]
fn sp1_3_a_spawn_with_actions_succeeds() {
    assert!(round_trip("exit 0").command.spawn().is_ok());
}

#[test]
fn sp1_4_its_child_exits_with_zero() {
    let child = round_trip("exit 0").command.spawn().unwrap();
    assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(0));
}

#[test]
fn sp1_5_without_a_handle_any_wait_collects() {
    isolated(|| {
        drop(round_trip("exit 0").command.spawn().unwrap().detach());
        let status = waitid(WaitId::All, WaitIdOptions::EXITED).unwrap().unwrap();
        assert_eq!(status.exit_status(), Some(0));
    });
}

#[test]
fn sp1_6_dup_shares_offset() {
    let script = "cat /proc/self/fdinfo/4 /proc/self/fdinfo/7";
    let printed = text(&mut round_trip(script).command);
    let offsets = printed.lines().filter_map(|line| line.strip_prefix("pos:"));
    let offsets: Vec<&str> = offsets.map(str::trim).collect();
    assert_eq!(offsets, ["6", "6"]);
}

#[test]
fn sp1_7_both_move_together() {
    let script = "dd bs=3 count=1 <&4 2>/dev/null; cat /proc/self/fdinfo/7";
    let mut files = round_trip(script);
    files.second.rewind().unwrap();
    let printed = text(&mut files.command);
    assert!(printed.starts_with("secpos:\t3\n"), "{printed}");
}

#[test]
fn sp1_8_the_text_of_the_parent() {
    let mut files = round_trip("cat <&4");
    files.second.rewind().unwrap();
    assert_eq!(text(&mut files.command), "second");
}

#[test]
fn sp1_9_what_is_opened_for_reading() {
    let script = "cat <&5; echo more >&5 || echo refused";
    let mut files = round_trip(script);
    assert_eq!(text(&mut files.command), "thirdrefused\n");
    assert_eq!(fs::read(files.place.path("third")).unwrap(), b"third");
}

#[test]
fn sp1_10_what_is_closed_is_closed() {
    let script = "test -e /proc/self/fd/4 && ! test -e /proc/self/fd/3 && echo closed";
    assert_eq!(text(&mut round_trip(script).command), "closed\n");
}

#[test]
fn sp1_11_what_is_closed_is_not_removed() {
    assert_eq!(text(&mut round_trip("cat \"$0\"").command), "first");
}

#[test]
fn sp1_12_the_same_number_stays_open_at_exec() {
    assert_eq!(text(&mut round_trip("cat <&6").command), "fourth");
}

#[test]
fn sp1_13_the_same_actions_twice() {
    let files = round_trip("exit 0");
    for _ in 0..2 {
        let child = files.command.spawn().unwrap();
        assert!(child.wait().unwrap().status.success());
    }
    let mut other = sh("exit 4");
    other.file_actions(actions(|actions| actions.close(9)));
    assert!(other.spawn().is_ok());
}

#[test]
fn fd_1_numbers_that_could_be() {
    let last = i32::try_from(getrlimit(Resource::Nofile).current.unwrap()).unwrap() - 1;
    let mut all = FileActions::new();
    for fd in [0, 2, last] {
        assert!(all.open(fd, "/", READ, NONE).is_ok());
        assert!(all.dup2(fd, 1).is_ok());
        assert!(all.dup2(1, fd).is_ok());
        assert!(all.close(fd).is_ok());
        assert!(all.close_from(fd).is_ok());
        assert!(all.set_foreground(fd).is_ok());
    }
}

#[track_caller]
fn assert_refused(fd: i32) {
    let null = Arc::new(OwnedFd::from(File::open("/dev/null").unwrap()));
    let mut all = FileActions::new();
    let bad = |answer: Result<&mut FileActions, Errno>| {
        assert_eq!(answer.map(drop), Err(Errno::BADF));
    };
    bad(all.open(fd, "/", READ, NONE));
    bad(all.open_beneath(fd, Arc::clone(&null), ".", READ, NONE));
    bad(all.dup2(fd, 1));
    bad(all.dup2(1, fd));
    bad(all.close(fd));
    bad(all.close_from(fd));
    bad(all.set_foreground(fd));
    let mut command = sh("exit 0");
    assert_eq!(command.pass(null, fd).map(drop), Err(Errno::BADF));
    // Nothing was added.
    assert!(command.file_actions(all).spawn().is_ok());
}

#[test]
fn fd_2_negative_numbers() {
    for fd in [-1, -2, i32::MIN] {
        assert_refused(fd);
    }
}

#[test]
fn fd_3_the_limit_of_open_files() {
    let limit = getrlimit(Resource::Nofile).current.unwrap();
    assert_refused(i32::try_from(limit).unwrap());
    assert_refused(i32::MAX);
}

#[test]
fn g7_closing_what_is_not_open() {
    let mut command = sh("exit 0");
    command.file_actions(actions(|actions| actions.close(55)));
    assert!(command.spawn().is_ok());
    // The number was possible when it was added.
    let few = |soft| Rlimit { current: Some(soft), maximum: Some(soft) };
    command.limit(Resource::Nofile, few(56));
    assert!(command.spawn().is_ok());
    command.limit(Resource::Nofile, few(55));
    assert_eq!(error_of(&command), (Stage::FileAction(0), Errno::BADF));
}

#[test]
fn what_is_not_open() {
    let mut all = FileActions::new();
    all.close(9).unwrap();
    for (add, errno) in [
        (all.clone().dup2(9, 4).unwrap().clone(), Errno::BADF),
        (all.clone().dup2(9, 9).unwrap().clone(), Errno::BADF),
        (all.clone().fchdir(9).unwrap().clone(), Errno::BADF),
        (all.clone().fchdir(-1).unwrap().clone(), Errno::BADF),
        (all.clone().set_foreground(9).unwrap().clone(), Errno::BADF),
        (all.clone().set_foreground(0).unwrap().clone(), Errno::NOTTY),
        (all.clone().fchdir(0).unwrap().clone(), Errno::NOTDIR),
        (all.clone().chdir("/missing").unwrap().clone(), Errno::NOENT),
        (all.clone().chdir("/dev/null").unwrap().clone(), Errno::NOTDIR),
    ] {
        let mut command = sh("exit 0");
        command.file_actions(add);
        assert_eq!(error_of(&command), (Stage::FileAction(1), errno));
    }
    let nul = FileActions::new().chdir("a\0b").map(drop);
    assert_eq!(nul, Err(Errno::INVAL));
}
