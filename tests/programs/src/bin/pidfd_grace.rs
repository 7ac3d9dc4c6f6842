//! Grace periods of grants: `long` has one of hours, `short` one of 20 ms.

use std::io::Read;
use std::time::Duration;

use offspring_guest::{Cause, Child, Command, Stdio};
use test_programs::{line, started};

fn command(program: &str, trap: &str) -> Command {
    let mut command = Command::new(program);
    let script = format!("trap {trap} TERM; echo ready; while :; do sleep 0.01; done");
    command.args(["-c", &script]).stdin(Stdio::null()).stdout(Stdio::piped());
    command.stderr(Stdio::null());
    command
}

fn start(program: &str, trap: &str) -> Child {
    started(&mut command(program, trap)).0
}

/// Starts it with a deadline that it is just ready before.
fn start_within(program: &str, trap: &str) -> Child {
    let mut deadline = Duration::from_millis(50);
    loop {
        if let Ok(mut child) = command(program, trap).deadline(deadline).spawn()
            && line(child.stdout.as_mut().expect("it is piped")) == "ready"
        {
            return child;
        }
        deadline *= 2;
    }
}

/// What a child still says when its handle is gone.
fn last_words(mut child: Child) -> String {
    let mut stdout = child.stdout.take().expect("it is piped");
    drop(child);
    let mut words = String::new();
    stdout.read_to_string(&mut words).expect("the end");
    words
}

fn main() {
    let status = start_within("long", "'exit 7'").wait().expect("it ends");
    assert_eq!((status.code(), status.cause()), (Some(7), Some(Cause::Deadline)));
    let status = start_within("short", "''").wait().expect("it ends");
    assert_eq!((status.signal(), status.cause()), (Some(9), Some(Cause::Deadline)));

    assert_eq!(last_words(start("long", "'echo bye; exit'")), "bye\n");
    assert_eq!(last_words(start("short", "''")), "");
    // Killed before it is dropped, it has no time left.
    let mut child = start("long", "''");
    child.kill().expect("it is alive");
    assert_eq!(last_words(child), "");

    // At the end of this guest, those that it leaves have their time too.
    let path = std::env::args().nth(1).expect("the path of a file");
    let mut command = Command::new("long");
    let script = "exec 9>\"$0\"; trap 'echo bye >&9; exit' TERM; echo ready; \
                  while :; do sleep 0.01; done";
    std::mem::forget(started(command.args(["-c", script, &path])).0);
}
