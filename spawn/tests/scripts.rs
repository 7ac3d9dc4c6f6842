//! Scripts whose interpreters are pinned, and programs that are sealed.

mod support;

use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};

use offspring_spawn::{Command, ExitStatus, InterpreterReason, Program};
use rustix::io::Errno;

use support::place::Place;
use support::{PATH, program, text};

const SHOWS: &str = "echo \"$0\" \"$@\"\n";

fn pinned(program: &Program) -> Program {
    program.pin_interpreter(PATH.as_ref()).unwrap()
}

fn printed(program: &Program) -> String {
    text(Command::new(program).args(["one", "two words"]))
}

#[test]
fn arguments_are_those_of_the_kernel() {
    let place = Place::new();
    for line in ["#!/bin/sh", "#! /bin/sh  ", "#!/bin/sh -e\t", "#!/bin/sh -u "] {
        let script = place.script("script", &format!("{line}\n{SHOWS}"));
        assert_eq!(printed(&pinned(&script)), printed(&script), "{line}");
        assert_eq!(printed(&pinned(&script)), "/dev/fd/3 one two words\n");
    }
    // What is behind the first word is one argument, which the shell refuses.
    let script = place.script("script", "#!/bin/sh -e -u\nexit 0\n");
    let status = |program: &Program| Command::new(program).spawn().unwrap().wait().unwrap().status;
    assert_eq!(status(&pinned(&script)), status(&script));
    assert!(!status(&script).success());
}

#[test]
fn scripts_that_interpret_scripts() {
    let place = Place::new();
    let inner = place.file("inner", 0o755, &format!("#!/bin/sh\n{SHOWS}"));
    let outer = place.script("outer", &format!("#!{} -x\n", inner.display()));
    let by_kernel = format!("{} -x /dev/fd/3 one two words\n", inner.display());
    assert_eq!(printed(&outer), by_kernel);
    let outer = pinned(&outer);
    assert_eq!(printed(&outer), "/dev/fd/4 -x /dev/fd/3 one two words\n");
    let interpreters: Vec<_> = outer.interpreters().collect();
    assert_eq!(interpreters, [&*inner, "/bin/sh".as_ref()]);
    // The scripts are all that is open.
    let lists = place.script("lists", &format!("#!{}\n", inner.display()));
    place.file("inner", 0o755, "#!/bin/sh\ncd /proc/self/fd && echo [0-9]*\n");
    let own = text(&mut Command::new(&pinned(&lists)));
    let numbers = own.trim().split(' ').filter(|number| number.parse::<u32>().unwrap() < 5);
    assert_eq!(numbers.collect::<Vec<_>>(), ["0", "1", "2", "3", "4"]);
}

#[test]
fn replacing_an_interpreter_changes_nothing() {
    let place = Place::new();
    place.copy_of("sh", "sh");
    symlink("sh", place.path("link")).unwrap();
    for name in ["sh", "link"] {
        let line = format!("#!{}\n{SHOWS}", place.path(name).display());
        let script = pinned(&place.script("script", &line));
        let other = place.copy_of("false", "other");
        let kept = place.path("kept");
        fs::rename(place.path(name), &kept).unwrap();
        fs::rename(other, place.path(name)).unwrap();
        assert_eq!(printed(&script), "/dev/fd/3 one two words\n", "{name}");
        fs::remove_file(place.path(name)).unwrap();
        assert_eq!(printed(&script), "/dev/fd/3 one two words\n", "{name}");
        fs::rename(kept, place.path(name)).unwrap();
    }
}

#[test]
fn rewriting_what_is_sealed_changes_nothing() {
    let place = Place::new();
    let interpreter = place.copy_of("sh", "sh");
    let content = format!("#!{}\nexit 7\n", interpreter.display());
    let script = place.script("script", &content);
    let binary = Program::open(place.copy_of("sh", "binary")).unwrap();
    let sealed = [&script, &binary].map(|program| pinned(program).seal().unwrap());
    assert!(sealed.iter().all(Program::is_sealed) && !script.is_sealed());
    let mut read = String::new();
    sealed[0].contents().unwrap().read_to_string(&mut read).unwrap();
    assert_eq!(read, content);

    let is_as_opened = |program: &Program| program.is_as_opened().unwrap();
    assert!([&script, &binary, &sealed[0], &sealed[1]].into_iter().all(is_as_opened));
    // In place: the files are the same, by name and by number.
    place.copy_of("false", "sh");
    place.copy_of("false", "binary");
    place.file("script", 0o755, "#!/bin/sh\nexit 8\n");

    let status = |program: &Program| {
        let mut command = Command::new(program);
        command.argv(["sh", "-c", "exit 7"]).spawn().unwrap().wait().unwrap().status
    };
    assert_eq!(sealed.each_ref().map(status), [ExitStatus::Exited(7); 2]);
    // What is not sealed runs as it was rewritten, and can be told from what was opened.
    assert!(sealed.iter().all(is_as_opened) && !is_as_opened(&script) && !is_as_opened(&binary));
    assert_eq!(status(&script), ExitStatus::Exited(8));
    assert_eq!(status(&binary), ExitStatus::Exited(1));
    // The child cannot write into it either.
    let writes = "#!/bin/sh\necho x >> \"$0\" 2>/dev/null && exit 1\nexit 7\n";
    let writes = pinned(&place.script("writes", writes)).seal().unwrap();
    assert_eq!(status(&writes), ExitStatus::Exited(7));
}

#[test]
fn env_has_no_part_in_it() {
    let place = Place::new();
    place.copy_of("sh", "my-sh");
    let directories = format!("/nonexistent:{}", place.root().display());
    for line in ["#!/usr/bin/env my-sh", "#! /bin/env\tmy-sh "] {
        let script = place.script("script", &format!("{line}\n{SHOWS}"));
        let script = script.pin_interpreter(directories.as_ref()).unwrap();
        // Without a PATH of its own.
        assert_eq!(printed(&script), "/dev/fd/3 one two words\n");
    }
}

#[test]
fn what_cannot_be_pinned() {
    let place = Place::new();
    let plain = place.file("plain", 0o644, "#!/bin/sh\n");
    let myself = place.path("myself").display().to_string();
    let table = [
        ("#!/missing/interpreter", InterpreterReason::Errno(Errno::NOENT)),
        ("#!/usr", InterpreterReason::Errno(Errno::ACCESS)),
        (&format!("#!{}", plain.display()), InterpreterReason::Errno(Errno::ACCESS)),
        ("#!", InterpreterReason::Missing),
        ("#!sh", InterpreterReason::Relative),
        ("#!./sh", InterpreterReason::Relative),
        ("#!/usr/bin/env", InterpreterReason::Env),
        ("#!/usr/bin/env -S sh -e", InterpreterReason::Env),
        ("#!/usr/bin/env -i", InterpreterReason::Env),
        ("#!/usr/bin/env A=B sh", InterpreterReason::Env),
        ("#!/usr/bin/env ./sh", InterpreterReason::Env),
        ("#!/usr/bin/env no-such-shell", InterpreterReason::NotFound(Errno::NOENT)),
        (&format!("#!{myself}"), InterpreterReason::Nested),
    ];
    for (line, reason) in table {
        let script = place.script("myself", &format!("{line}\nexit 0\n"));
        let error = script.pin_interpreter(PATH.as_ref()).unwrap_err();
        assert_eq!(error.reason, reason, "{line}");
        let message = error.to_string();
        assert!(message.contains("/myself"), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
    // What is no script has nothing to be pinned.
    let echo = program("echo");
    assert_eq!(pinned(&echo).interpreters().count(), 0);
    // One that may not be read may not be sealed.
    let secret = place.copy_of("true", "secret");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o111)).unwrap();
    if rustix::process::geteuid().is_root() {
        return support::isolation::skip("what_cannot_be_pinned", "root may read everything");
    }
    let error = Program::open(&secret).unwrap().seal().unwrap_err();
    assert_eq!(error.errno, Errno::ACCESS);
}
