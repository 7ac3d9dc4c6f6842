//! What cannot be executed is an error of `spawn`, not an exit code.

use std::io::ErrorKind;

use offspring_guest::{Command, ErrorCode, Stage};
use test_programs::refused;

fn main() {
    let cases = [
        ("empty", ErrorKind::InvalidData, ErrorCode::NotExecutable, "ENOEXEC"),
        ("text", ErrorKind::InvalidData, ErrorCode::NotExecutable, "ENOEXEC"),
        ("lost-loader", ErrorKind::NotFound, ErrorCode::NotFound, "ENOENT"),
        ("forbidden", ErrorKind::PermissionDenied, ErrorCode::AccessDenied, "EACCES"),
    ];
    for (program, kind, code, errno) in cases {
        let (found, error) = refused(Command::new(program).output());
        assert_eq!((found, error.code, error.stage), (kind, code, Stage::Exec), "{program}");
        assert_eq!(error.errno.as_deref(), Some(errno));
    }
    let output = Command::new("script").args(["an argument"]).output().expect("it starts");
    assert_eq!(output.stdout, b"script: an argument\n");
}
