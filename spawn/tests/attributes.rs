//! What a child is told: arguments, environment, and its other attributes.

mod support;

use std::collections::BTreeSet;

use offspring_spawn::{Command, Signal};
use support::{find_line, program, sh, text};

#[test]
fn the_environment_is_what_was_given() {
    let env = program("env");
    assert_eq!(text(&mut Command::new(&env)), "");
    let mut command = Command::new(&env);
    command.env("A", "1").env("B", "").env("C", "x=y");
    assert_eq!(text(&mut command), "A=1\nB=\nC=x=y\n");
}

#[test]
fn variables_are_passed_on_as_they_are() {
    let raw = std::fs::read_to_string("/proc/self/environ").unwrap();
    let ours: BTreeSet<&str> = raw.split('\0').collect();
    let mut command = Command::new(&program("cat"));
    command.arg("/proc/self/environ");
    command
        .env("A", "1")
        .env("A", "2")
        .env("no=name", "3")
        .env("", "4");
    assert_eq!(text(&mut command), "A=1\0A=2\0no=name=3\0=4\0");
    assert!(ours.len() > 1, "there was something to inherit");
}

#[test]
fn arguments_are_passed_on_as_they_are() {
    use std::os::unix::ffi::OsStrExt;
    let bytes = std::ffi::OsStr::from_bytes(b"\xff\x01 \n");
    let cat = program("cat");
    let mut child = Command::new(&cat);
    child.argv(["name of its own", "/proc/self/cmdline"]);
    assert_eq!(text(&mut child), "name of its own\0/proc/self/cmdline\0");
    let mut child = Command::new(&cat);
    child.arg("/proc/self/cmdline");
    let path = cat.path().to_str().unwrap();
    assert_eq!(text(&mut child), format!("{path}\0/proc/self/cmdline\0"));
    let printed = text(sh("printf %s \"$1\" | od -An -tx1").arg("sh").arg(bytes));
    assert_eq!(printed.trim(), "ff 01 20 0a");
    let printed = text(sh("echo $#").args(["sh", "", "", "x"]));
    assert_eq!(printed, "3\n");
}

#[test]
fn privileges_are_not_gained_if_so_asked() {
    let ask = |yes| {
        let mut command = Command::new(&program("cat"));
        command.arg("/proc/self/status").no_new_privileges(yes);
        find_line(&text(&mut command), "NoNewPrivs")
    };
    let ours = support::status_line("self", "NoNewPrivs");
    assert_eq!(ask(true), "1");
    assert_eq!(ask(false), ours);
    assert_eq!(support::status_line("self", "NoNewPrivs"), ours);
}

#[test]
fn a_group_of_its_own() {
    // The fifth field of the line, behind the name, is the group.
    let group = |yes| {
        let mut command = sh("read -r stat < /proc/$$/stat; set -- ${stat##*)}; echo $3 $$");
        let line = text(command.new_process_group(yes));
        let numbers: Vec<u32> = line
            .split_whitespace()
            .map(|n| n.parse().unwrap())
            .collect();
        (numbers[0], numbers[1])
    };
    let (its_group, child) = group(true);
    assert_eq!(its_group, child);
    let (its_group, _) = group(false);
    let ours = rustix::process::getpgrp().as_raw_nonzero().get();
    assert_eq!(i64::from(its_group), i64::from(ours));
}

#[test]
fn a_parent_that_lives_is_no_reason_to_die() {
    let mut command = sh("exit 8");
    for signal in [Signal::KILL, Signal::TERM, Signal::from_raw(64).unwrap()] {
        let child = command.parent_death_signal(Some(signal)).spawn().unwrap();
        let status = child.wait().unwrap().status;
        assert_eq!(status, offspring_spawn::ExitStatus::Exited(8));
    }
}

#[test]
fn everything_at_once() {
    let mut command = sh("cat; pwd; echo \"$A $0\" >&2");
    command
        .arg("zero")
        .env("A", "1")
        .stdin(offspring_spawn::Stdio::Piped)
        .stdout(offspring_spawn::Stdio::Piped)
        .stderr(offspring_spawn::Stdio::Piped)
        .current_dir(support::place::directory("/".as_ref()))
        .new_process_group(true)
        .parent_death_signal(Some(Signal::KILL))
        .no_new_privileges(true);
    let mut child = command.clone().spawn().unwrap();
    support::write(child.stdin.take(), "in\n");
    assert_eq!(support::read(child.stdout.take()), "in\n/\n");
    assert_eq!(support::read(child.stderr.take()), "1 zero\n");
    assert!(child.wait().unwrap().status.success());
}
