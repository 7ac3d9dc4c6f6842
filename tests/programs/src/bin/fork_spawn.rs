//! A fork starts programs as its parent does, and talks to them.

use offspring_guest::{Command, Stdio};
use test_programs::{cat, forked, sh, text};

fn look() {
    assert_eq!(text(Command::new("sh").args(["-c", "echo hello"])), "hello\n");
    assert!(cat().wait().expect("it ends").success());
    let status = sh("exit 3").status().expect("it starts");
    assert_eq!(status.code(), Some(3));
    // Left behind: ends with the process.
    let mut left = Command::new("cat");
    std::mem::forget(left.stdin(Stdio::piped()).spawn().expect("it starts"));
}

fn main() {
    look();
    forked(|| {
        look();
        forked(look);
    });
    // A pipe from before the fork, to a program that was started before it.
    let mut before = cat();
    forked(|| {
        use std::io::Write;
        let mut stdin = before.stdin.take().expect("it is piped");
        stdin.write_all(b"from the child").expect("it is read");
    });
    let output = before.wait_with_output().expect("it ends");
    assert_eq!(output.stdout, b"from the child");
}
