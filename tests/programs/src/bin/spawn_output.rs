//! A program's output and status come back.

use offspring_guest::Command;

fn main() {
    let output = Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]).output();
    let output = output.expect("it starts");
    assert_eq!(output.stdout, b"out\n");
    assert_eq!(output.stderr, b"err\n");
    assert_eq!(output.status.code(), Some(3));
    assert!(!output.status.success());
}
