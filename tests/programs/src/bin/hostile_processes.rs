//! Spawns in a host that may have no processes left: then exits with 10.

use std::io::ErrorKind;

use offspring_guest::{Command, ErrorCode, Stage, exit};
use test_programs::refused;

fn main() {
    let result = Command::new("true").output();
    if let Ok(output) = &result {
        assert!(output.status.success());
        exit(0);
    }
    let (kind, error) = refused(result);
    assert_eq!((kind, error.code), (ErrorKind::WouldBlock, ErrorCode::TooManyProcesses));
    assert_eq!((error.stage, error.errno.as_deref()), (Stage::Clone, Some("EAGAIN")));
    exit(10);
}
