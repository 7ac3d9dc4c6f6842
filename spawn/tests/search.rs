//! Programs by their names.

mod support;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use offspring_spawn::{Command, Errno, Program, Stage};
use support::place::{Place, directory};
use support::{error_of, program, text};

/// Directories: `first` has a directory of the name, `second` a file that may
/// not be executed, `third` a script, `text` an executable file of no format,
/// `loop` a link to itself, and `file` is none.
fn place() -> Place {
    let place = Place::new();
    for directory in ["first", "second", "third", "text", "loop"] {
        fs::create_dir(place.path(directory)).unwrap();
    }
    fs::create_dir(place.path("first/tool")).unwrap();
    place.file("second/tool", 0o644, "#!/bin/sh\n");
    place.file("third/tool", 0o755, "#!/bin/sh\necho third\n");
    place.file("text/tool", 0o755, "echo text\n");
    place.file("file", 0o644, "");
    symlink("tool", place.path("loop/tool")).unwrap();
    place
}

/// Looks for a name in these directories of the place, or as they are if they
/// are relative to begin with.
fn search(place: &Place, name: &str, directories: &[&str]) -> Result<PathBuf, Errno> {
    let paths = directories.iter().map(|directory| match *directory {
        "" | "." | "./third" => directory.into(),
        name => place.path(name),
    });
    let list = std::env::join_paths(paths).unwrap();
    let found = Program::search(name, &list);
    found.map(|program| program.path().to_owned()).map_err(|error| {
        assert_eq!(error.stage, Stage::Program);
        error.errno
    })
}

#[test]
fn xp_1_what_is_nowhere() {
    let place = place();
    for directories in [&[] as &[&str], &["missing"], &["file"], &["missing", "file"]] {
        let errno = search(&place, "tool", directories).unwrap_err();
        assert!([Errno::NOENT, Errno::NOTDIR].contains(&errno), "{errno}");
    }
    let found = search(&place, "tool", &["file", "missing"]);
    assert_eq!(found, Err(Errno::NOENT));
    let found = search(&place, "tool", &["missing", "file"]);
    assert_eq!(found, Err(Errno::NOTDIR));
    assert_eq!(search(&place, "", &["third"]), Err(Errno::NOENT));
}

#[test]
fn xp_3_no_shell_runs_what_has_no_format() {
    let place = place();
    let list = place.path("text");
    let found = Program::search("tool", list.as_os_str()).unwrap();
    assert_eq!(error_of(&Command::new(&found)), (Stage::Exec, Errno::NOEXEC));
}

#[test]
fn xp_4_the_list_is_the_callers() {
    assert!(Program::search("sh", OsStr::new("/bin:/usr/bin")).is_ok());
    let error = Program::search("sh", OsStr::new("")).unwrap_err();
    assert_eq!((error.stage, error.errno), (Stage::Program, Errno::NOENT));
}

#[test]
fn xp_5_the_environment_is_the_childs() {
    let mut command = Command::new(&program("env"));
    assert_eq!(text(command.env("PATH", "/missing")), "PATH=/missing\n");
}

#[test]
fn g9_a_search_is_over_before_there_is_a_child() {
    let place = place();
    let list = place.path("third");
    let tool = Program::search("tool", list.as_os_str()).unwrap();
    let mut command = Command::new(&tool);
    // These are for the child.
    command.env("PATH", "/missing");
    command.current_dir(directory(Path::new("/")));
    assert_eq!(text(&mut command), "third\n");
    // Refused beats missing, and no format ends the search.
    let both = ["second", "missing"];
    assert_eq!(search(&place, "tool", &both), Err(Errno::ACCESS));
    let both = ["text", "third"];
    let found = search(&place, "tool", &both);
    assert_eq!(found, Ok(place.path("text/tool")));
}

#[test]
fn what_ends_a_search_and_what_does_not() {
    let place = place();
    let third = Ok(place.path("third/tool"));
    let long = "n/".repeat(2100);
    for before in ["missing", "file", "first", "second", &long, "", ".", "./third"] {
        assert_eq!(search(&place, "tool", &[before, "third"]), third, "{before}");
    }
    for before in ["", ".", "./third"] {
        assert_eq!(search(&place, "tool", &[before]), Err(Errno::NOENT));
    }
    let first = search(&place, "tool", &["first", "missing"]);
    assert_eq!(first, Err(Errno::ACCESS));
    let found = search(&place, "tool", &["loop", "third"]);
    assert_eq!(found, Err(Errno::LOOP));
    assert_eq!(search(&place, "n\0", &["third"]), Err(Errno::INVAL));
}

#[test]
fn names_that_are_paths_or_too_long() {
    let place = place();
    let path = place.path("third/tool");
    let found = Program::search(&path, OsStr::new("/bin")).unwrap();
    assert_eq!(found.path(), path);
    let missing = place.path("missing/tool");
    let error = Program::search(missing, OsStr::new("/bin")).unwrap_err();
    assert_eq!(error.errno, Errno::NOENT);
    let longest = "n".repeat(255);
    assert_eq!(search(&place, &longest, &["third"]), Err(Errno::NOENT));
    let longer = "n".repeat(256);
    assert_eq!(search(&place, &longer, &[]), Err(Errno::NAMETOOLONG));
}
