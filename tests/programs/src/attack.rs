//! What attackers share: each of their tries must be refused, and is told in the
//! words that the host's audit log must have for it.

use std::fmt::Debug;
use std::io;

use offspring_guest::{Command, SpawnError, Stage, Stdio};

use crate::refused;

/// A command of a grant, with no stream but its output.
pub fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// Tries a spawn that a rule of the policy must refuse.
#[track_caller]
pub fn denied(rule: &str, program: &str, mut command: Command) {
    stopped(Stage::Policy(rule.to_owned()), None, program, command.spawn());
}

/// The result of a spawn that must have been stopped here.
#[track_caller]
pub fn stopped<T: Debug>(stage: Stage, errno: Option<&str>, program: &str, tried: io::Result<T>) {
    let (_, error) = refused(tried);
    let found = (&error.stage, error.errno.as_deref());
    assert_eq!(found, (&stage, errno), "{program:?}: {}", error.message);
    tell(program, &error);
}

/// Tells of a spawn that was stopped.
pub fn tell(program: &str, error: &SpawnError) {
    let (decision, what) = match &error.stage {
        Stage::Policy(rule) => ("denied", format!("policy {rule}")),
        Stage::Request => ("failed", "request".to_owned()),
        Stage::Resolve => ("failed", "resolve".to_owned()),
        Stage::Argument(index) => ("failed", format!("argument {index}")),
        Stage::Descriptors => ("failed", "descriptors".to_owned()),
        Stage::Clone => ("failed", "clone".to_owned()),
        Stage::Attribute(name) => ("failed", format!("attribute {name}")),
        Stage::Passed(number) => ("failed", format!("passed {number}")),
        Stage::FileAction(index) => ("failed", format!("file-action {index}")),
        Stage::Exec => ("failed", "exec".to_owned()),
        stage => panic!("{stage:?}"),
    };
    let errno = error.errno.as_deref().unwrap_or("-");
    println!("spawn {program:?} {decision} {what} {errno}");
}

/// Tells of a function, other than spawn, that refused by this rule.
pub fn call_denied(function: &str, rule: &str) {
    println!("call {function:?} denied policy {rule} -");
}

/// Tells of a function, other than spawn, that the kernel's or WASI's rights
/// refused.
pub fn call_failed(function: &str, errno: &str) {
    println!("call {function:?} failed descriptors {errno}");
}
