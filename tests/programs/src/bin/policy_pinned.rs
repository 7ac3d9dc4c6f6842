//! What was pinned runs as it was, however its files were written over; what was not is
//! refused. Each argument is a program and what it exits with, or `refused`.

use std::io::ErrorKind;

use offspring_guest::{Command, Stage};
use test_programs::refused;

fn main() {
    for argument in std::env::args().skip(1) {
        let (program, code) = argument.split_once('=').expect("a program and a code");
        if code == "refused" {
            let (kind, error) = refused(Command::new(program).args(["-c", "exit 7"]).output());
            assert_eq!(kind, ErrorKind::PermissionDenied);
            assert_eq!(error.stage, Stage::Policy("path".into()), "{error}");
            continue;
        }
        let output = Command::new(program).args(["-c", "exit 7"]).output().expect(program);
        assert_eq!(output.status.code(), code.parse().ok(), "{program}: {output:?}");
    }
}
