//! Commands that cannot be started: the stage, the errno, and nothing left.

mod support;

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::Path;

use offspring_spawn::{Command, Errno, ExitStatus, Program, SpawnError, Stage};
use support::isolation::isolated;
use support::place::Place;
use support::traces::{Traces, assert_no_children};
use support::{error_of, output, program, sh, text};

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
fn an_error_reads_well_and_keeps_its_kind() {
    let error = spawn(Path::new("/missing")).unwrap_err();
    assert!(error.to_string().starts_with("cannot open the program: "));
    let error = io::Error::from(error);
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(error.get_ref().is_some_and(|inner| inner.is::<SpawnError>()));
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

/// A program that is gone is found out before there is a child; what is not
/// executable, by a child that leaves nothing.
#[test]
fn sp2_1_a_missing_program() {
    let error = Program::open("/missing/program").unwrap_err();
    assert_eq!((error.stage, error.errno), (Stage::Program, Errno::NOENT));
    let place = Place::new();
    let none: [&str; 0] = [];
    let mut command = Command::new(&place.script("lost", "#!/missing\n"));
    assert_eq!(error_of(command.argv(none)), (Stage::Exec, Errno::NOENT));
}

#[test]
fn sp2_3_the_child_of_a_failure_is_waited_for() {
    isolated(|| {
        let place = Place::new();
        let command = Command::new(&place.script("broken", ""));
        assert!(command.spawn().is_err());
        assert_no_children();
    });
}

#[test]
fn sp2_4_a_failure_leaves_no_descriptor() {
    isolated(|| {
        let place = Place::new();
        let command = Command::new(&place.script("broken", ""));
        assert!(command.spawn().is_err());
        Traces::unchanged(|| assert!(command.spawn().is_err()));
    });
}

#[test]
fn sp2_5_a_missing_program_by_its_path() {
    isolated(|| {
        Traces::unchanged(|| {
            let list = OsStr::new("/bin:/usr/bin");
            let error = Program::search("/missing/program", list).unwrap_err();
            assert_eq!((error.stage, error.errno), (Stage::Program, Errno::NOENT));
        });
    });
}

#[test]
fn sp4_1_a_script_without_an_interpreter() {
    let place = Place::new();
    let none: [&str; 0] = [];
    let mut command = Command::new(&place.script("script", "exit 65\n"));
    assert_eq!(error_of(command.argv(none)), (Stage::Exec, Errno::NOEXEC));
}

#[test]
fn sp4_2_the_same_when_it_was_searched() {
    let place = Place::new();
    place.script("script", "exit 65\n");
    let found = Program::search("script", place.root().as_os_str()).unwrap();
    assert_eq!(error_of(&Command::new(&found)), (Stage::Exec, Errno::NOEXEC));
}

#[test]
fn g2_a_failure_touches_no_descriptor_of_ours() {
    isolated(|| {
        // The kernel hands out a number before it looks at the group.
        let null = || OwnedFd::from(fs::File::open("/dev/null").unwrap());
        let mut command = sh("");
        command.cgroup(null());
        assert!(command.spawn().is_err());
        Traces::unchanged(|| {
            let next = null();
            assert_eq!(error_of(&command), (Stage::Cgroup, Errno::BADF));
            assert!(rustix::io::fcntl_getfd(&next).is_ok());
        });
    });
}
