//! What the guests share.

#![deny(unsafe_code)]

use std::fmt::Debug;
use std::io::{self, ErrorKind, Read, Write};

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
pub fn family() -> Child {
    let path = std::env::args().next_back().expect("the path of a file");
    let mut script = sh("exec 9>\"$1\"; sleep 100000 & echo started; wait");
    started(script.arg(path)).0
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
