//! What was pinned runs as it was, however its files were written over. Each
//! argument is a program and what it exits with.

use offspring_guest::Command;

fn main() {
    for argument in std::env::args().skip(1) {
        let (program, code) = argument.split_once('=').expect("a program and a code");
        let output = Command::new(program).args(["-c", "exit 7"]).output().expect(program);
        assert_eq!(output.status.code(), code.parse().ok(), "{program}: {output:?}");
    }
}
