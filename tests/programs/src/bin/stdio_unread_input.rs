//! A child that ends without reading its input breaks the pipe, and no more.

use std::io::ErrorKind;

use offspring_guest::{Command, Stdio};
use test_programs::broken;

fn main() {
    let mut command = Command::new("true");
    let command = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    for _ in 0..3 {
        assert_eq!(broken(&mut stdin), ErrorKind::BrokenPipe);
    }
    assert!(child.wait().expect("it ends").success());
}
