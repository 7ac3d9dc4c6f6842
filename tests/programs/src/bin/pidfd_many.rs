//! Waiting for many children at once.

use offspring_guest::{Child, Stdio, wait_any};
use test_programs::sh;

fn main() {
    let start = |code: usize| {
        let mut script = sh("read go; exit \"$1\"");
        let script = script.arg(code.to_string()).stdin(Stdio::piped()).stdout(Stdio::null());
        (code, script.stderr(Stdio::null()).spawn().expect("it starts"))
    };
    let mut children: Vec<(usize, Child)> = (0..20).map(start).collect();
    // Each is let go by itself, the last of them first.
    while let Some((_, child)) = children.last_mut() {
        drop(child.stdin.take());
        let pidfds: Vec<_> = children.iter().map(|(_, child)| child.pidfd()).collect();
        let (index, status) = wait_any(&pidfds).expect("there are some");
        assert_eq!(index, children.len() - 1, "the others wait");
        let (code, _) = children.remove(index);
        assert_eq!(status.code(), i32::try_from(code).ok());
    }
    assert!(wait_any(&[]).is_err());
}
