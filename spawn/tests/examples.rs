//! The examples run.

mod support;

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use support::isolation::skip;

/// An example's program, which cargo builds next to the tests, unless only
/// some of them were asked for.
fn example(name: &str) -> Option<PathBuf> {
    let test = std::env::current_exe().unwrap();
    let path = test.parent()?.parent()?.join("examples").join(name);
    path.exists().then_some(path)
}

#[test]
fn pipeline() {
    let Some(path) = example("pipeline") else {
        return skip("pipeline", "the example was not built");
    };
    let place = support::place::Place::new();
    let input = place.file("input", 0o644, "b\na\nb\n");
    let output = Command::new(path)
        .stdin(Stdio::from(std::fs::File::open(input).unwrap()))
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let words: Vec<&str> = stdout.split_whitespace().collect();
    assert_eq!(words, ["1", "a", "2", "b"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    for name in ["sort", "uniq"] {
        assert!(stderr.contains(&format!("{name}: exit status: 0, ")), "{stderr}");
    }
    assert!(output.status.success());
}

#[test]
fn terminal() {
    let Some(path) = example("terminal") else {
        return skip("terminal", "the example was not built");
    };
    let output = Command::new(path).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.starts_with("/dev/pts/"), "{stdout}");
    assert!(stdout.ends_with("\n24 80\npassed\nexit status: 0\n"), "{stdout}");
    assert!(output.status.success());
}

/// The pipe ends only when the daemon that the example starts is gone.
#[test]
fn supervised() {
    let Some(path) = example("supervised") else {
        return skip("supervised", "the example was not built");
    };
    for (line, code, signal) in [("$0", Some(0), None), ("ulimit -c 0; $0 crash", None, Some(6))] {
        let exec = line.replace("$0", "exec \"$0\"");
        let output = Command::new("/bin/sh").args(["-c", &exec]).arg(&path).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "started\n", "{output:?}");
        assert_eq!((output.status.code(), output.status.signal()), (code, signal), "{output:?}");
    }
}

/// What is spared outlives the example, with its session, and is no zombie's
/// parent's any more.
#[test]
fn spared() {
    let Some(path) = example("supervised") else {
        return skip("spared", "the example was not built");
    };
    let output = Command::new(path).arg("spare").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let number = stdout.lines().nth(1).unwrap().parse().unwrap();
    let number = rustix::process::Pid::from_raw(number).unwrap();
    // Fails if it is no more.
    rustix::process::kill_process(number, rustix::process::Signal::KILL).unwrap();
}
