//! Why a child ended, where the host knows: the grant `short` has a deadline
//! of 50 ms, `long` one of hours.

use std::time::Duration;

use offspring_guest::{Cause, Child, Command, ErrorCode, ExitStatus, Stage, Stdio};
use test_programs::refused;

/// As good as never.
const LONG: Duration = Duration::from_secs(100_000);

fn start(program: &str, script: &str, deadline: Option<Duration>) -> Child {
    let mut command = Command::new(program);
    command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(after) = deadline {
        command.deadline(after);
    }
    in_time(&mut command)
}

/// A program may come too late to be executed at all: that is an error.
fn in_time(command: &mut Command) -> Child {
    loop {
        match command.spawn() {
            Ok(child) => return child,
            error => {
                let (_, reason) = refused(error);
                let late = ErrorCode::Other(Some("ETIMEDOUT".to_owned()));
                assert_eq!((reason.stage, reason.code), (Stage::Exec, late));
            }
        }
    }
}

fn end(program: &str, script: &str, deadline: Option<Duration>) -> ExitStatus {
    start(program, script, deadline).wait().expect("it ends")
}

fn main() {
    const FOREVER: &str = "exec sleep 100000";
    let soon = Some(Duration::from_millis(20));
    let late = Some(LONG);
    for (program, deadline) in [("sh", soon), ("long", soon), ("short", None), ("short", late)] {
        let status = end(program, FOREVER, deadline);
        assert_eq!(status.signal(), Some(9), "{program} {deadline:?}");
        assert_eq!(status.cause(), Some(Cause::Deadline), "{program} {deadline:?}");
    }
    // It kills the whole group: else this would never end.
    let mut child = Command::new("long");
    let soon = Duration::from_millis(20);
    child.args(["-c", "sleep 100000 & wait"]).stdin(Stdio::null()).deadline(soon);
    let child = in_time(child.stdout(Stdio::piped()).stderr(Stdio::null()));
    let output = child.wait_with_output().expect("all is read");
    assert_eq!(output.status.cause(), Some(Cause::Deadline));

    for (script, code, signal) in [("exit 3", Some(3), None), ("kill -KILL $$", None, Some(9))] {
        let status = end("long", script, late);
        assert_eq!((status.code(), status.signal(), status.cause()), (code, signal, None));
    }
    let mut child = start("sh", FOREVER, late);
    child.kill().expect("it is alive");
    let status = child.wait().expect("it ends");
    assert_eq!((status.signal(), status.cause()), (Some(9), Some(Cause::Killed)));
    child.kill().expect("no error when it has ended");
    assert_eq!(child.wait().expect("it has ended"), status);
}
