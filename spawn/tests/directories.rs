//! File actions that change directories, and paths that stay in one.

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Arc;

use offspring_spawn::{Command, Errno, Mode, OFlags, Stage};
use rustix::fs::{CWD, FileType, mknodat};
use support::place::{Place, directory};
use support::{actions, error_of, sh, text};

const NONE: Mode = Mode::empty();
const READ: OFlags = OFlags::RDONLY;
const CREATE: OFlags = OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL);

/// A directory, and a child that goes down and up in it.
fn wanderer(fchdir: bool) -> (Place, Command) {
    let place = Place::new();
    fs::create_dir(place.path("sub")).unwrap();
    let mut command = sh("pwd -P");
    command.current_dir(directory(place.root()));
    let mode = Mode::from(0o666);
    command.file_actions(actions(|actions| {
        if fchdir {
            let flags = READ | OFlags::DIRECTORY;
            actions.open(5, "sub", flags, NONE)?.fchdir(5)?.close(5)?;
        } else {
            actions.chdir("sub")?;
        }
        actions.open(3, "probe-file", CREATE, mode)?.close(3)?.chdir("..")?.open(
            2,
            "output-file",
            CREATE,
            mode,
        )
    }));
    (place, command)
}

#[test]
fn ch_1_changing_directories_succeeds() {
    for fchdir in [false, true] {
        let (_place, command) = wanderer(fchdir);
        let child = command.spawn().unwrap();
        assert!(child.wait().unwrap().status.success());
    }
}

#[test]
fn ch_3_actions_are_done_in_order() {
    for fchdir in [false, true] {
        let (place, command) = wanderer(fchdir);
        command.spawn().unwrap().wait().unwrap();
        assert!(place.path("sub/probe-file").exists());
        assert!(place.path("output-file").exists());
    }
}

#[test]
fn ch_4_a_program_is_what_was_opened_wherever_the_child_goes() {
    let place = Place::new();
    fs::create_dir(place.path("sub")).unwrap();
    place.script("sub/tool", "#!/bin/sh\necho wrong\n");
    let tool = place.script("tool", "#!/bin/sh\npwd -P\n");
    let mut command = Command::new(&tool);
    command.file_actions(actions(|actions| actions.chdir(place.path("sub"))));
    let there = fs::canonicalize(place.path("sub")).unwrap();
    assert_eq!(text(&mut command).trim_end(), there.to_str().unwrap());
}

#[test]
fn ch_5_where_the_child_ends_up() {
    for fchdir in [false, true] {
        let (place, mut command) = wanderer(fchdir);
        let there = fs::canonicalize(place.root()).unwrap();
        assert_eq!(text(&mut command).trim_end(), there.to_str().unwrap());
    }
}

#[test]
fn ch_6_the_directory_of_the_parent_stays() {
    let before = std::env::current_dir().unwrap();
    let (_place, command) = wanderer(true);
    command.spawn().unwrap().wait().unwrap();
    assert_eq!(std::env::current_dir().unwrap(), before);
}

#[test]
fn ch_7_what_is_created_was_not_there() {
    let (place, command) = wanderer(false);
    assert!(!place.path("sub/probe-file").exists());
    command.spawn().unwrap().wait().unwrap();
    assert!(place.path("sub/probe-file").exists());
    // Now it is there.
    assert_eq!(error_of(&command), (Stage::FileAction(1), Errno::EXIST));
}

#[test]
fn a_path_does_not_lead_out_of_its_directory() {
    let place = Place::new();
    fs::create_dir(place.path("inner")).unwrap();
    fs::write(place.path("inner/file"), "inside").unwrap();
    fs::write(place.path("secret"), "outside").unwrap();
    symlink("../secret", place.path("inner/up")).unwrap();
    symlink("file", place.path("inner/link")).unwrap();
    symlink("/etc/passwd", place.path("inner/absolute")).unwrap();
    let inner = Arc::new(directory(&place.path("inner")));
    let open = |path: &str, flags| {
        let mut command = sh("cat <&3");
        command.file_actions(actions(|actions| {
            actions.open_beneath(3, Arc::clone(&inner), path, flags, Mode::from(0o640))
        }));
        command
    };
    assert_eq!(text(&mut open("file", READ)), "inside");
    assert_eq!(text(&mut open("link", READ)), "inside");
    // The mode is for what is made.
    assert!(open(".", READ | OFlags::DIRECTORY).spawn().is_ok());
    for path in ["../secret", "up", "absolute", "/etc/passwd", "../inner/file"] {
        let error = error_of(&open(path, READ));
        assert_eq!(error, (Stage::FileAction(0), Errno::XDEV), "{path}");
    }
    let mut create = open("new", CREATE);
    create.umask(0);
    create.spawn().unwrap().wait().unwrap();
    let mode = fs::metadata(place.path("inner/new")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o640);
}

#[test]
fn a_directory_beneath_another() {
    let place = Place::new();
    fs::create_dir_all(place.path("sub/deep")).unwrap();
    fs::write(place.path("file"), "").unwrap();
    for (name, target) in [("inside", "sub/deep"), ("out", ".."), ("absolute", "/")] {
        symlink(target, place.path(name)).unwrap();
    }
    let base = Arc::new(directory(place.root()));
    let there = fs::canonicalize(place.root()).unwrap();
    let command = |path: &str| {
        let mut command = sh("pwd -P; ls /proc/self/fd | wc -l");
        command.file_actions(actions(|actions| actions.chdir_beneath(Arc::clone(&base), path)));
        command
    };
    for (path, found) in
        [(".", ""), ("sub", "/sub"), ("sub/deep/..", "/sub"), ("inside", "/sub/deep")]
    {
        // The three streams, and that of the list.
        let expected = format!("{}{found}\n4\n", there.display());
        assert_eq!(text(&mut command(path)), expected, "{path}");
    }
    let refused = [
        ("..", Errno::XDEV),
        ("/", Errno::XDEV),
        ("out", Errno::XDEV),
        ("absolute/etc", Errno::XDEV),
        ("sub/../..", Errno::XDEV),
        ("missing", Errno::NOENT),
        ("file", Errno::NOTDIR),
        ("", Errno::NOENT),
    ];
    for (path, errno) in refused {
        assert_eq!(error_of(&command(path)), (Stage::FileAction(0), errno), "{path}");
    }
}

/// What is opened by a path that is not trusted does not hold a spawn up.
#[test]
fn a_fifo_without_its_other_side() {
    let place = Place::new();
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, place.path("fifo"), FileType::Fifo, mode, 0).unwrap();
    let base = Arc::new(directory(place.root()));
    let command = |flags| {
        let mut command = sh("sed -n 's/^flags:.*\\(.\\{5\\}\\)$/\\1/p' /proc/self/fdinfo/5");
        command.file_actions(actions(|actions| {
            actions.open_beneath(5, Arc::clone(&base), "fifo", flags, NONE)
        }));
        command
    };
    // Whether it blocks later is for the flags to say.
    for (flags, expected) in [(READ, "00000\n"), (READ | OFlags::NONBLOCK, "04000\n")] {
        assert_eq!(text(&mut command(flags)), expected);
    }
    assert_eq!(error_of(&command(OFlags::WRONLY)), (Stage::FileAction(0), Errno::NXIO));
}
