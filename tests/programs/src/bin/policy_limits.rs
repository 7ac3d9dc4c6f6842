//! As many children live and are held as the policy allows: two of the grant
//! `few`, three of all.

use std::io::ErrorKind;

use offspring_guest::{Child, Command, ErrorCode, Stage, Stdio};
use test_programs::refused;

fn start(program: &str) -> std::io::Result<Child> {
    let mut command = Command::new(program);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::null());
    command.stderr(Stdio::null()).spawn()
}

fn full(program: &str, rule: &str) {
    let (kind, error) = refused(start(program));
    assert_eq!((kind, error.code), (ErrorKind::QuotaExceeded, ErrorCode::LimitReached));
    assert_eq!(error.stage, Stage::Policy(rule.into()), "{}", error.message);
}

fn main() {
    let mut first = start("few").expect("one of two");
    let second = start("few").expect("two of two");
    full("few", "max-children");
    let mut third = start("cat").expect("three of three");
    full("cat", "limits.max-children");
    full("few", "limits.max-children");

    // What has ended is held as long as its handle is.
    drop(third.stdin.take());
    third.wait().expect("it ends");
    full("cat", "limits.max-children");
    drop(third);
    let fourth = start("cat").expect("three of three again");
    full("cat", "limits.max-children");
    drop(fourth);

    // But it lives no more, also if nobody has looked.
    drop(first.stdin.take());
    first.pidfd().pollable().block();
    let fifth = start("few").expect("two of two again");
    full("cat", "limits.max-children");
    drop(first);
    full("few", "max-children");

    drop((second, fifth));
    for _ in 0..10 {
        start("few").expect("nothing is left of the others");
    }
}
