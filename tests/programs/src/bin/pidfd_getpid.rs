//! The number of a process, for messages.

use offspring_guest::ErrorCode;
use test_programs::{failed, sh, started};

fn main() {
    let (mut child, line) = started(&mut sh("echo $$; exec sleep 100000"));
    let pid = child.pidfd().getpid().expect("it is alive");
    assert_eq!(line, pid.to_string());
    assert_eq!(child.id(), pid);
    child.kill().expect("it is alive");
    child.wait().expect("it ends");
    assert_eq!(failed(child.pidfd().getpid()), ErrorCode::NoSuchProcess);
    assert_eq!(child.id(), 0);
}
