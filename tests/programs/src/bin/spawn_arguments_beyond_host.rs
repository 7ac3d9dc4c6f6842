//! More bytes of arguments and environment than the host accepts are refused.

use std::io::ErrorKind;

use offspring_guest::__internal::spawn::Command as Raw;
use offspring_guest::__internal::types;
use offspring_guest::{ErrorCode, Stage, limits};
use test_programs::{refused, sh};

fn main() {
    let limit = usize::try_from(limits().max_argument_bytes).expect("a small limit");
    let fixed = ["-c", ": > ran", "sh"];
    let used: usize = fixed.iter().map(|arg| arg.len() + 1).sum();

    let run = |length: usize| {
        let mut command = sh(": > ran");
        command.current_dir("/dir").arg("x".repeat(length)).output()
    };
    let ran = || std::fs::remove_file("/dir/ran").is_ok();
    let most = limit - used - 1;

    let (kind, error) = refused(run(most + 1));
    assert_eq!(kind, ErrorKind::ArgumentListTooLong);
    assert_eq!((error.stage, error.code), (Stage::Request, ErrorCode::ArgumentListTooLong));
    assert!(!ran(), "nothing is run");
    assert!(run(most).expect("it starts").status.success());
    assert!(ran());

    // The environment counts too, and what is refused changes nothing.
    let command = Raw::new("sh");
    command.args(&["-c".to_owned(), "exit 7".to_owned()]).expect("few");
    let variable = [("A".to_owned(), "x".repeat(limit))];
    let answer = command.env(&variable);
    assert!(matches!(answer, Err(types::ErrorCode::ArgumentListTooLong)), "{answer:?}");
    let child = command.spawn().expect("it starts").pidfd;
    child.subscribe().block();
    let status = child.try_wait().expect("it can be asked").expect("it has ended");
    assert!(matches!(status.outcome, types::Outcome::Exited(7)), "{status:?}");
}
