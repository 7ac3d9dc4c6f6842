//! Arguments fill slots, or are denied with what would be allowed in their place.

use std::io::ErrorKind;

use offspring_guest::{Command, ErrorCode, Stage};
use test_programs::{refused, text};

fn echo(args: &[&str]) -> Command {
    let mut command = Command::new("echo");
    command.args(args);
    command
}

#[track_caller]
fn denied(args: &[&str], says: &str) {
    let (kind, error) = refused(echo(args).output());
    assert_eq!((kind, error.code), (ErrorKind::PermissionDenied, ErrorCode::AccessDenied));
    assert_eq!(error.stage, Stage::Policy("args".into()));
    assert_eq!(error.message, says);
}

fn main() {
    assert_eq!(text(&mut echo(&["log"])), "log\n");
    let many = ["show", "--format=%H %s\n", "-n", "10", "HEAD"];
    assert_eq!(text(&mut echo(&many)), "show --format=%H %s\n -n 10 HEAD\n");

    denied(&[], "argument 1 of `echo` is missing; it may be `log`, `show`");
    denied(&["push"], "argument 1 of `echo` may not be `push`; allowed: `log`, `show`");
    denied(
        &["log", "--exec=sh"],
        "argument 2 of `echo` may not be `--exec=sh`; allowed: `-n`, `--format=` and anything, \
         a value (no `-` in front)",
    );
    denied(
        &["log", "-n", "11"],
        "argument 3 of `echo` may not be `11`; allowed: a whole number from 1 to 10",
    );
    denied(&["log", "a", "b"], "argument 3 of `echo` may not be `b`; allowed: nothing more");
}
