//! What the guests share.

#![deny(unsafe_code)]

pub mod attack;

use std::fmt::Debug;
use std::io::{self, ErrorKind, Read, Write};

use offspring_guest::fork::{self, ForkError};
use offspring_guest::{Child, Command, ErrorCode, SpawnError, Stdio};

/// A script of the shell. Its own arguments, from `$1` on, can be added.
pub fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]);
    command
}

/// A copy of its input to its output, which ends with its input.
pub fn cat() -> Child {
    let mut command = Command::new("cat");
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.stderr(Stdio::null()).spawn().expect("cat starts")
}

/// What a command prints. It must succeed.
pub fn text(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// Starts a command that prints a line when it has come far enough.
pub fn started(command: &mut Command) -> (Child, String) {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).spawn().expect("it starts");
    let line = line(child.stdout.as_mut().expect("it is piped"));
    (child, line)
}

/// A child with a child of its own, both of which run until they are killed
/// and hold the file open whose path is this guest's last argument.
pub fn family(change: impl FnOnce(&mut Command)) -> Child {
    let path = std::env::args().next_back().expect("the path of a file");
    let mut script = sh("exec 9>\"$1\"; sleep 100000 & echo started; wait");
    change(script.arg(path));
    started(&mut script).0
}

/// A child that prints one of the kernel's files about itself.
pub fn read(path: &str) -> Command {
    let mut command = Command::new("cat");
    command.arg(path);
    command
}

/// What `/proc/self/status` says, which a command prints, behind a name.
pub fn status(command: &mut Command, name: &str) -> String {
    let text = text(command);
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(field, _)| *field == name).expect("a field of this name");
    value.trim().to_owned()
}

/// Some fields of proc_pid_stat(5).
#[derive(Debug)]
pub struct Stat {
    /// Its process id.
    pub pid: i64,
    /// Its process group.
    pub group: i64,
    /// Its session.
    pub session: i64,
    /// The foreground group of its terminal; -1 without one.
    pub foreground: i64,
    /// Its nice value.
    pub nice: i64,
    /// Its real-time priority.
    pub priority: i64,
    /// Its scheduling policy.
    pub policy: i64,
}

/// What `/proc/self/stat` says, which a command prints.
pub fn stat(command: &mut Command) -> Stat {
    Stat::parse(&text(command))
}

impl Stat {
    /// Reads the file's text.
    pub fn parse(text: &str) -> Self {
        let (pid, rest) = text.split_once(' ').expect("fields");
        let (_, rest) = rest.rsplit_once(") ").expect("a name");
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let field = |number: usize| fields[number - 3].parse().expect("a number");
        Self {
            pid: pid.parse().expect("a number"),
            group: field(5),
            session: field(6),
            foreground: field(8),
            nice: field(19),
            priority: field(40),
            policy: field(41),
        }
    }
}

/// Reads a line, and nothing behind it.
pub fn line(from: &mut impl Read) -> String {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while from.read(&mut byte).expect("it can be read") == 1 && byte != *b"\n" {
        line.extend(byte);
    }
    String::from_utf8(line).expect("text")
}

/// How writing to a pipe without readers fails: in the end, because a process
/// that the host is just starting may have a copy of the reader for a moment.
pub fn broken(mut pipe: impl Write) -> ErrorKind {
    loop {
        if let Err(error) = pipe.write_all(&[0; 1000]) {
            return error.kind();
        }
    }
}

/// Runs a job in a fork, which must succeed.
#[track_caller]
pub fn forked(job: impl FnOnce()) {
    let child = fork::spawn(|| {
        job();
        0
    });
    let status = child.expect("it forks").wait().expect("it ends");
    assert_eq!(status.code(), Some(0), "{status}");
}

/// Why a fork was refused, as it must be.
#[track_caller]
pub fn not_forked<T: Debug>(result: io::Result<T>) -> ForkError {
    let error = result.expect_err("it must fail");
    let reason = error.get_ref().and_then(|inner| inner.downcast_ref::<ForkError>());
    reason.expect("a typed reason").clone()
}

/// Why a spawn failed, as it must.
#[track_caller]
pub fn refused<T: Debug>(result: io::Result<T>) -> (ErrorKind, SpawnError) {
    let error = result.expect_err("it must fail");
    let reason = error.get_ref().and_then(|inner| inner.downcast_ref::<SpawnError>());
    (error.kind(), reason.expect("a typed reason").clone())
}

/// Why another operation failed, as it must.
#[track_caller]
pub fn failed<T: Debug>(result: io::Result<T>) -> ErrorCode {
    let error = result.expect_err("it must fail");
    let reason = error.get_ref().and_then(|inner| inner.downcast_ref::<ErrorCode>());
    reason.expect("a typed reason").clone()
}
