//! A guest holds as many pipe ends as its host allows: four.

use std::io::ErrorKind;

use offspring_guest::__internal::pipe as raw;
use offspring_guest::__internal::spawn::{Command as Raw, Input};
use offspring_guest::__internal::types::ErrorCode as RawCode;
use offspring_guest::{ErrorCode, Stage, Stdio, limits, pipe};
use test_programs::{cat, failed, refused, sh};

fn main() {
    assert_eq!(limits().max_pipes, 4);
    let first = pipe().expect("two ends");
    let second = pipe().expect("four ends");
    assert_eq!(failed(pipe()), ErrorCode::LimitReached);
    drop(second.0);
    assert_eq!(failed(pipe()), ErrorCode::LimitReached, "one is not enough");

    // A stream still is an end, and so is what a spawn makes.
    assert!(first.1.pollable().ready());
    assert_eq!(failed(pipe()), ErrorCode::LimitReached);
    let mut script = sh("exit");
    script.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (kind, error) = refused(script.spawn());
    assert_eq!((kind, error.code), (ErrorKind::QuotaExceeded, ErrorCode::LimitReached));
    assert_eq!(error.stage, Stage::Policy("limits.max-pipes".into()));
    drop((first, second.1));
    for _ in 0..20 {
        script.output().expect("what is dropped is free again");
    }
    let child = cat();
    let child_too = cat();
    assert_eq!(failed(pipe()), ErrorCode::LimitReached);
    drop((child, child_too));

    // A command that holds a copy holds an end, also when the guest's is gone.
    let commands = [(); 3].map(|()| {
        let (reader, _) = raw::create().expect("there is room");
        let command = Raw::new("cat");
        command.stdin(&Input::Pipe(&reader)).expect("it is a pipe");
        command
    });
    assert!(matches!(raw::create(), Err(RawCode::LimitReached)), "one is not enough");
    drop(commands);
    pipe().expect("two ends");
}
