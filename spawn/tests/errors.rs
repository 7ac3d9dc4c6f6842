//! Commands that cannot be started: the stage, the errno, and nothing left.

mod support;

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use offspring_spawn::{Command, Errno, ExitStatus, Program, SpawnError, Stage};
use support::isolation::isolated;
use support::place::Place;
use support::traces::{Traces, assert_no_children};
use support::{output, program, sh, text};

/// Far above what the kernel takes as one argument.
const TOO_LONG: usize = 128 * 1024;

fn spawn(path: &Path) -> Result<(), SpawnError> {
    let child = Command::new(&Program::open(path)?).spawn()?;
    child.wait().unwrap();
    Ok(())
}

#[track_caller]
fn assert_fails(path: &Path, stage: Stage, errno: Errno) {
    assert_eq!(spawn(path), Err(SpawnError { stage, errno }));
}

#[test]
fn what_cannot_be_opened() {
    let place = Place::new();
    symlink("loop", place.path("loop")).unwrap();
    let file = place.file("file", 0o755, "");
    for (path, errno) in [
        (place.path("missing"), Errno::NOENT),
        (place.path(""), Errno::ACCESS),
        (place.path("loop"), Errno::LOOP),
        (file.join("below"), Errno::NOTDIR),
        (place.path("n".repeat(256)), Errno::NAMETOOLONG),
        (Path::new("/").join("n/".repeat(4096)), Errno::NAMETOOLONG),
        (place.path("nul\0"), Errno::INVAL),
        (Path::new("").to_owned(), Errno::NOENT),
        (Path::new("/dev/null").to_owned(), Errno::ACCESS),
    ] {
        assert_fails(&path, Stage::Program, errno);
    }
}

#[test]
fn what_cannot_be_executed() {
    let place = Place::new();
    for (name, mode, content, errno) in [
        ("plain", 0o644, "#!/bin/sh\n", Errno::ACCESS),
        ("empty", 0o755, "", Errno::NOEXEC),
        ("text", 0o755, "exit 0\n", Errno::NOEXEC),
        ("lost", 0o755, "#!/missing/interpreter\n", Errno::NOENT),
        ("blank", 0o755, "#!\n", Errno::NOEXEC),
    ] {
        let path = place.file(name, mode, content);
        assert_fails(&path, Stage::Exec, errno);
    }
}

#[test]
fn a_program_that_is_being_written() {
    isolated(|| {
        let place = Place::new();
        let path = place.copy_of("true", "true");
        let writer = OpenOptions::new().append(true).open(&path).unwrap();
        Traces::unchanged(|| assert_fails(&path, Stage::Exec, Errno::TXTBSY));
        drop(writer);
        assert_eq!(spawn(&path), Ok(()));
    });
}

#[test]
fn nul_in_strings() {
    let echo = program("echo");
    let fails = |command: &mut Command| {
        let error = command.spawn().unwrap_err();
        let (stage, errno) = (Stage::Arguments, Errno::INVAL);
        assert_eq!(error, SpawnError { stage, errno });
    };
    fails(Command::new(&echo).arg("a\0b"));
    fails(Command::new(&echo).args(["a", "\0"]));
    fails(Command::new(&echo).argv(["\0"]));
    fails(Command::new(&echo).env("A\0", "b"));
    fails(Command::new(&echo).env("A", "b\0"));
}

#[test]
fn a_script_runs() {
    let place = Place::new();
    let script = place.script("script", "#!/bin/sh\necho \"$0 $1\"\n");
    assert!(script.is_script());
    let printed = text(Command::new(&script).arg("one"));
    assert_eq!(printed, "/dev/fd/3 one\n");
}

#[test]
fn ten_thousand_arguments() {
    let numbers: Vec<String> = (0..10_000).map(|number| format!("{number:04}")).collect();
    let printed = text(Command::new(&program("echo")).args(&numbers));
    assert_eq!(printed, numbers.join(" ") + "\n");
}

#[test]
fn more_arguments_than_the_kernel_takes() {
    isolated(|| {
        let (stage, errno) = (Stage::Exec, Errno::TOOBIG);
        let long = "x".repeat(TOO_LONG);
        let fails = |command: &mut Command| {
            let error = command.spawn().unwrap_err();
            assert_eq!(error, SpawnError { stage, errno });
        };
        let truth = program("true");
        fails(Command::new(&truth).arg(&long));
        Traces::unchanged(|| {
            fails(Command::new(&truth).arg(&long));
            fails(Command::new(&truth).env("A", &long));
            // Each alone is small enough.
            fails(Command::new(&truth).args([&long[2..]; 128]));
            let empty: [&str; 0] = [];
            fails(Command::new(&truth).args(empty).args(vec!["x"; 2_000_000]));
        });
        assert!(Command::new(&truth).arg(&long[1..]).spawn().is_ok());
    });
}

#[test]
fn a_thousand_failures_leave_nothing() {
    isolated(|| {
        let place = Place::new();
        let empty = place.script("empty", "");
        let script = place.script("script", "#!/missing/interpreter\n");
        let fail = || {
            assert!(Command::new(&empty).spawn().is_err());
            assert!(Command::new(&script).spawn().is_err());
            assert!(Program::open(place.path("missing")).is_err());
        };
        fail();
        Traces::unchanged(|| (0..500).for_each(|_| fail()));
    });
}

#[test]
fn one_failure_leaves_nothing_even_of_pipes() {
    use offspring_spawn::Stdio::Piped;
    isolated(|| {
        let place = Place::new();
        let empty = place.script("empty", "");
        let mut command = Command::new(&empty);
        command.stdin(Piped).stdout(Piped).stderr(Piped);
        assert!(command.spawn().is_err());
        Traces::unchanged(|| assert!(command.spawn().is_err()));
        assert_no_children();
    });
}

#[test]
fn no_arguments_at_all() {
    let none: [&str; 0] = [];
    let printed = text(sh("").argv(none).argv(["sh", "-c", "echo $#"]));
    assert_eq!(printed, "0\n");
    // The kernel gives an empty one, as every program expects one.
    let (_, status) = output(Command::new(&program("true")).argv(none));
    assert!(matches!(status, ExitStatus::Exited(_)));
}

#[test]
fn searching() {
    let place = Place::new();
    for directory in ["first", "second", "third"] {
        fs::create_dir(place.path(directory)).unwrap();
    }
    fs::create_dir(place.path("first/tool")).unwrap();
    place.file("second/tool", 0o644, "#!/bin/sh\n");
    let third = place.file("third/tool", 0o755, "#!/bin/sh\n");
    let search = |name: &str, directories: &[&str]| {
        let paths = directories.iter().map(|directory| match *directory {
            "" | "." => directory.into(),
            name => place.path(name),
        });
        let list = std::env::join_paths(paths).unwrap();
        Program::search(name, &list)
            .map(|program| program.path().to_owned())
            .map_err(|error| {
                assert_eq!(error.stage, Stage::Program);
                error.errno
            })
    };
    let all = ["", ".", "missing", "first", "second", "third"];
    assert_eq!(search("tool", &all), Ok(third));
    assert_eq!(search("tool", &all[..5]), Err(Errno::ACCESS));
    assert_eq!(search("tool", &all[..3]), Err(Errno::NOENT));
    assert_eq!(search("tool", &[]), Err(Errno::NOENT));
    assert_eq!(search("", &all), Err(Errno::NOENT));
    assert_eq!(search("n\0", &all), Err(Errno::NOENT));
    assert_eq!(search("./missing/tool", &all), Err(Errno::NOENT));
    assert!(Program::search("sh", OsStr::new(".:/bin")).is_ok());
}

#[test]
fn an_error_reads_well_and_keeps_its_kind() {
    let error = spawn(Path::new("/missing")).unwrap_err();
    assert!(error.to_string().starts_with("cannot open the program: "));
    let error = io::Error::from(error);
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(
        error
            .get_ref()
            .is_some_and(|inner| inner.is::<SpawnError>())
    );
    let place = Place::new();
    let error = spawn(&place.file("plain", 0o644, "")).unwrap_err();
    let error = io::Error::from(error);
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
}

#[test]
fn whether_a_program_may_be_executed() {
    let place = Place::new();
    let plain = Program::open(place.file("plain", 0o644, "")).unwrap();
    assert_eq!(plain.check_executable(), Err(Errno::ACCESS));
    assert_eq!(program("sh").check_executable(), Ok(()));
}
