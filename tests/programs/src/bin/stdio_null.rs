//! Null streams are at their end and swallow everything.

use offspring_guest::__internal::spawn::Command as Raw;
use offspring_guest::__internal::types::Outcome;
use offspring_guest::Stdio;
use test_programs::{sh, text};

fn main() {
    assert_eq!(text(sh("cat; echo end").stdin(Stdio::null())), "end\n");

    // Nothing said means null, and no pipe to come back.
    let command = Raw::new("sh");
    let script = "cat || exit 1; echo lost || exit 2; echo lost >&2 || exit 3; exit 7";
    command.args(&["-c".to_owned(), script.to_owned()]).expect("few");
    let spawned = command.spawn().expect("it starts");
    assert!(spawned.stdin.is_none() && spawned.stdout.is_none() && spawned.stderr.is_none());
    spawned.pidfd.subscribe().block();
    let status = spawned.pidfd.try_wait().expect("it can be asked").expect("it has ended");
    assert!(matches!(status.outcome, Outcome::Exited(7)), "{status:?}");
}
