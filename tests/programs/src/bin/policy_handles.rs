//! Makes as many resources as it can, of the kind that its argument names: its
//! host allows fifty.

use offspring_guest::__internal::pipe::create;
use offspring_guest::__internal::spawn::Command;
use offspring_guest::__internal::types::ErrorCode as RawCode;
use offspring_guest::{ErrorCode, Stage, Stdio, limits};
use test_programs::{cat, refused};

/// More than there may be.
const MANY: usize = 100;

fn main() {
    assert_eq!(limits().max_handles, 50);
    match std::env::args().nth(1).as_deref() {
        Some("pipes") => pipes(),
        Some("children") => children(),
        // Neither can be refused in its interface: the guest ends.
        Some("commands") => drop((0..MANY).map(|_| Command::new("cat")).collect::<Vec<_>>()),
        Some("pollables") => {
            let child = cat();
            drop((0..MANY).map(|_| child.pidfd().pollable()).collect::<Vec<_>>());
        }
        way => panic!("no such way: {way:?}"),
    }
}

fn pipes() {
    let mut pipes = Vec::new();
    let error = loop {
        match create() {
            Ok(pipe) => pipes.push(pipe),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, RawCode::LimitReached), "{error:?}");
    assert!(pipes.len() > 10 && pipes.len() <= 25, "{}", pipes.len());
    drop(pipes);
    create().expect("there is room again");
}

fn children() {
    let mut cat = offspring_guest::Command::new("cat");
    cat.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut children = Vec::new();
    let error = loop {
        match cat.spawn() {
            Ok(child) => children.push(child),
            result => break refused(result).1,
        }
    };
    assert_eq!(error.code, ErrorCode::LimitReached);
    assert_eq!(error.stage, Stage::Policy("limits.max-handles".into()), "{}", error.message);
    assert!(children.len() > 10 && children.len() <= 50, "{}", children.len());
}
