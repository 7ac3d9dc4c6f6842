//! Tries to mistake a refusal for the end of a child, or the other way round.

use std::io::ErrorKind;

use offspring_guest::{Cause, Stage};
use test_programs::attack::{command, denied, stopped};
use test_programs::{refused, sh};

fn main() {
    // What shells and other hosts answer in place of an error.
    for code in [0, 1, 2, 13, 22, 126, 127, 128, 128 + 31, 255] {
        let output = sh(&format!("exit {code}")).output().expect("it starts");
        assert_eq!((output.status.code(), output.status.cause()), (Some(code), None));
    }
    // A child that says what a refusal would say has ended, and has said it.
    let said = "no program is granted as `sh`";
    let output = sh(&format!("echo '{said}' >&2; exit 126")).output().expect("it starts");
    assert_eq!(
        (output.status.code(), &*output.stderr),
        (Some(126), format!("{said}\n").as_bytes())
    );
    let mut killed = sh("kill -KILL $$");
    let status = killed.status().expect("it starts");
    assert_eq!((status.code(), status.signal(), status.cause()), (None, Some(9), None));

    // A refusal has no status, and nothing that a child could have written.
    denied("program", "missing", command("missing", &[]));
    let (kind, error) = refused(command("missing", &[]).output());
    assert_eq!((kind, error.stage), (ErrorKind::PermissionDenied, Stage::Policy("program".into())));
    println!("spawn \"missing\" denied policy program -");
    denied("args", "plain", command("plain", &["x"]));
    // Nor has what the kernel refuses to execute.
    stopped(Stage::Exec, Some("ENOEXEC"), "text", command("text", &[]).output());

    // A child that the host has ended says so.
    let mut late = sh("exec sleep 100000");
    let late = late.deadline(std::time::Duration::from_millis(1)).status();
    match late {
        Ok(status) => assert_eq!((status.code(), status.cause()), (None, Some(Cause::Deadline))),
        // The deadline may have passed before the program was executed.
        Err(error) => {
            stopped::<()>(Stage::Exec, Some("ETIMEDOUT"), "sh", Err(error));
        }
    }
}
