//! Output and error through one pipe keep their order.

use std::io::Read;

use offspring_guest::{Stdio, pipe};
use test_programs::sh;

fn main() {
    let (mut reader, writer) = pipe().expect("a pipe");
    let script = "for i in 1 2 3; do echo out $i; echo err $i >&2; done";
    let mut script = sh(script);
    let script = script.stdin(Stdio::null()).stdout(&writer).stderr(&writer);
    let mut child = script.spawn().expect("it starts");
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("text");
    assert_eq!(text, "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n");
    assert!(child.wait().expect("it ends").success());
}
