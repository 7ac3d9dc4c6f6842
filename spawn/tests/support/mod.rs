//! What the tests share.

#![allow(dead_code, reason = "every test file uses a part of it")]

pub mod cgroup;
pub mod fork;
pub mod isolation;
pub mod place;
pub mod proc;
pub mod refusal;
pub mod sandbox;
pub mod state;
pub mod tracer;
pub mod traces;
pub mod view;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use offspring_spawn::{
    Child, Command, Errno, ExitStatus, FileActions, Kernel, Program, Signal, SpawnError, Stage,
    Stdio,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Where the tests look for programs.
pub const PATH: &str = "/bin:/usr/bin:/usr/local/bin";

/// A program that every Linux has.
pub fn program(name: &str) -> Program {
    Program::search(name, PATH.as_ref()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A command for a script of the shell, which finds the usual programs.
pub fn sh(script: &str) -> Command {
    let mut command = Command::new(&program("sh"));
    command.argv(["sh", "-c", script]).env("PATH", PATH);
    command
}

/// What a command writes to its standard output, and how it ends.
pub fn output(command: &mut Command) -> (String, ExitStatus) {
    let mut child = command.stdout(Stdio::Piped).spawn().unwrap();
    let text = read(child.stdout.take());
    (text, child.wait().unwrap().status)
}

/// What a successful command writes to its standard output.
pub fn text(command: &mut Command) -> String {
    let (text, status) = output(command);
    assert_eq!(status, ExitStatus::Exited(0), "it wrote {text:?}");
    text
}

/// Reads our end of a pipe until nobody holds the other one.
pub fn read(end: Option<OwnedFd>) -> String {
    let mut text = String::new();
    let mut file = File::from(end.expect("the stream is piped"));
    file.read_to_string(&mut text).unwrap();
    text
}

/// Reads one line from our end of a pipe.
pub fn read_line(end: &OwnedFd) -> String {
    let mut file = File::from(end.try_clone().unwrap());
    let (mut line, mut byte) = (Vec::new(), [0]);
    while file.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
        line.extend(byte);
    }
    String::from_utf8(line).unwrap()
}

/// Writes to our end of a pipe and closes it.
pub fn write(end: Option<OwnedFd>, text: &str) {
    let mut file = File::from(end.expect("the stream is piped"));
    file.write_all(text.as_bytes()).unwrap();
}

/// A process that runs until it is killed or its standard input is closed.
pub fn cat() -> Command {
    let mut command = Command::new(&program("cat"));
    command.stdin(Stdio::Piped);
    command
}

/// A process's own words about itself: a line of its `/proc/self/status`.
pub fn status_line(of: &str, key: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{of}/status")).unwrap();
    find_line(&text, key)
}

/// The value behind a key, as in `/proc/self/status`.
pub fn find_line(text: &str, key: &str) -> String {
    let value = text.lines().find_map(|line| line.strip_prefix(key));
    let value = value.and_then(|value| value.strip_prefix(':'));
    value.expect(key).trim().to_owned()
}

/// The same for a set of signals, which is in hexadecimal.
pub fn find_signals(text: &str, key: &str) -> u64 {
    u64::from_str_radix(&find_line(text, key), 16).unwrap()
}

/// A signal as a bit in a set of signals.
pub fn bit(signal: Signal) -> u64 {
    1 << (signal.as_raw() - 1)
}

/// A death by a signal that leaves no core.
pub const fn killed(signal: Signal) -> ExitStatus {
    ExitStatus::Signaled { signal, core_dumped: false }
}

/// The number of a process that was not waited for, for its place in `/proc`.
pub fn pid(child: &Child) -> u32 {
    child.pidfd().getpid().unwrap()
}

/// A process that uses no stream and runs until it is killed, or until any test
/// would have killed it.
pub fn sleeper() -> Command {
    let mut command = Command::new(&program("sleep"));
    command.arg("300");
    command
}

/// Whether a status survives somebody else's waiting for it; if not, the test
/// of this name is skipped.
pub fn keeps_exit_info(name: &str) -> bool {
    let keeps = Kernel::get().unwrap().has_exit_info();
    if !keeps {
        isolation::skip(name, "this kernel keeps no status of what was waited for");
    }
    keeps
}

/// Waits until a process has ended, by a descriptor of it, or until nobody
/// holds the other end of a pipe in which nothing is left to read.
#[track_caller]
pub fn assert_ends(fd: impl AsFd) {
    // Long enough to call missing what does not come.
    let minute = Timespec { tv_sec: 60, tv_nsec: 0 };
    let ready = poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&minute));
    assert_eq!(ready, Ok(1));
}

/// File actions, all of which can be added.
pub fn actions(
    add: impl FnOnce(&mut FileActions) -> Result<&mut FileActions, Errno>,
) -> FileActions {
    let mut actions = FileActions::new();
    add(&mut actions).unwrap();
    actions
}

/// The error of a command that must not start.
#[track_caller]
pub fn error_of(command: &Command) -> (Stage, Errno) {
    let SpawnError { stage, errno } = command.spawn().unwrap_err();
    (stage, errno)
}

/// A field of a process's `/proc/self/stat`, counted from 1 as proc(5) does, in
/// the words of the process itself.
pub fn stat_field(command: &mut Command, number: usize) -> String {
    field_of(&text(command), number)
}

/// A field of a `/proc/self/stat`, counted from 1.
pub fn field_of(stat: &str, number: usize) -> String {
    let (_, behind_name) = stat.rsplit_once(") ").unwrap();
    behind_name.split(' ').nth(number - 3).unwrap().trim().to_owned()
}

/// A command that prints its `/proc/self/` file of this name.
pub fn print_own(name: &str) -> Command {
    let mut command = Command::new(&program("cat"));
    command.arg(format!("/proc/self/{name}"));
    command
}
