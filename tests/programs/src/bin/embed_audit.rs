//! Does one of everything that a host keeps a record of. With a number as its
//! argument, starts so many children instead and says the number of each.

use std::io::ErrorKind;
use std::time::Duration;

use offspring_guest::{Command, Signal, Stdio};
use test_programs::{cat, refused, sh};

fn main() {
    if let Some(count) = std::env::args().nth(1) {
        return many(count.parse().expect("a number"));
    }
    let (kind, _) = refused(Command::new("missing").arg("argument").spawn());
    assert_eq!(kind, ErrorKind::PermissionDenied);

    let mut script = sh("exit 3");
    script.env("SECRET", "hunter2").stdin(Stdio::null()).stdout(Stdio::null());
    let status = script.stderr(Stdio::null()).status().expect("it starts");
    assert_eq!(status.code(), Some(3));

    let mut killed = cat();
    killed.pidfd().send_signal(Signal::HUP).expect_err("it is not allowed");
    killed.kill().expect("it always is");
    killed.wait().expect("it ends");

    // Its input stays open until it is gone: it must not end by itself.
    let mut dropped = cat();
    let input = dropped.stdin.take();
    drop(dropped);
    drop(input);

    let mut late = Command::new("cat");
    late.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut late = late.deadline(Duration::from_millis(500)).spawn().expect("it starts");
    late.pidfd().wait().expect("it ends");
    drop(late.stdin.take());
    drop(late);

    // Left to the end of the store, which closes its streams first or last.
    let mut left = sh("exec sleep 100000");
    let left = left.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    std::mem::forget(left.spawn().expect("it starts"));
}

/// Children that end by themselves, waited for or not.
fn many(count: usize) {
    for number in 0..count {
        let mut command = Command::new("true");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        println!("{}", child.id());
        if number % 2 == 0 {
            child.wait().expect("it ends");
        }
    }
}
