//! What the host opened is what runs, whatever became of its path.

use offspring_guest::Command;

fn main() {
    for program in ["replaced", "deleted", "replaced-script", "deleted-script"] {
        let output = Command::new(program).args(["-c", "exit 7"]).output().expect(program);
        assert_eq!(output.status.code(), Some(7), "{program}: {output:?}");
    }
}
