//! A child can have the host's own streams.

use offspring_guest::{Command, Stdio};
use test_programs::sh;

fn main() {
    let status = Command::new("cat").status().expect("it starts");
    assert!(status.success());
    let mut errors = sh("echo to the error >&2");
    errors.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
    assert!(errors.status().expect("it starts").success());
}
