//! A program that is started and waited for at once: `short` may live for 20 ms, and
//! only one of `one` at a time.

use std::io::Read;
use std::time::{Duration, Instant};

use offspring_guest::{Cause, Command, ErrorCode, Stage, Stdio, pipe};
use test_programs::{refused, sh};

/// With streams that are neither piped nor the host's.
fn quiet(program: &str, script: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["-c", script]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn main() {
    for code in [0, 1, 127, 255] {
        let status = quiet("sh", &format!("exit {code}")).status().expect("it starts");
        assert_eq!((status.code(), status.signal(), status.cause()), (Some(code), None, None));
    }
    for signal in [2, 9, 15, 40] {
        let status = quiet("sh", &format!("kill -{signal} $$")).status().expect("it starts");
        assert_eq!((status.code(), status.signal(), status.cause()), (None, Some(signal), None));
    }
    // Longer than any host sleeps for.
    let start = Instant::now();
    let status = quiet("sh", "sleep 0.1; exit 3").status().expect("it starts");
    assert_eq!(status.code(), Some(3));
    assert!(start.elapsed() >= Duration::from_millis(100));

    // Its input is closed, as std does.
    let status = quiet("sh", "read _; exit $?").stdin(Stdio::piped()).status().expect("it starts");
    assert_eq!(status.code(), Some(1));

    // What is given away is not kept, by nobody.
    for script in ["echo soon", "sleep 0.05; echo late"] {
        let (mut reader, writer) = pipe().expect("a pipe");
        quiet("sh", script).stdout(writer).status().expect("it starts");
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("its end");
        assert!(script.ends_with(text.trim_end()), "{text}");
    }

    // What it leaves behind is killed: else this would have no end.
    let (mut reader, writer) = pipe().expect("a pipe");
    let status = quiet("sh", "sleep 100000 & exit 5").stdout(writer).status().expect("it starts");
    assert_eq!(status.code(), Some(5));
    reader.read_to_end(&mut Vec::new()).expect("its end");

    // Each makes room for the next one.
    for _ in 0..50 {
        assert!(quiet("one", "exit").status().expect("there is room").success());
    }

    let mut killed = 0;
    for _ in 0..10 {
        match quiet("short", "exec sleep 100000").status() {
            Ok(status) => {
                assert_eq!((status.signal(), status.cause()), (Some(9), Some(Cause::Deadline)));
                killed += 1;
            }
            // It came too late to be executed at all.
            error => {
                let (_, reason) = refused(error);
                let late = ErrorCode::Other(Some("ETIMEDOUT".to_owned()));
                assert_eq!((reason.stage, reason.code), (Stage::Exec, late));
            }
        }
    }
    assert!(killed > 0, "they cannot all be late");

    let (_, reason) = refused(Command::new("other").status());
    assert_eq!(reason.stage, Stage::Policy("program".to_owned()));
    let mut command = sh("exit");
    let (_, reason) = refused(command.stdin(Stdio::null()).nice(-20).status());
    assert!(matches!(reason.stage, Stage::Policy(_) | Stage::Attribute(_)), "{reason:?}");
}
