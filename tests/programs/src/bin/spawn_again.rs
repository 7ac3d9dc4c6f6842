//! A command can be spawned any number of times, also at once.

use std::io::{ErrorKind, Read, Write};

use offspring_guest::{Command, Stdio, pipe};
use test_programs::refused;

fn main() {
    let mut command = Command::new("cat");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut children = [command.spawn().expect("first"), command.spawn().expect("second")];
    for (index, child) in children.iter_mut().enumerate() {
        let mut stdin = child.stdin.take().expect("it is piped");
        write!(stdin, "{index}").expect("it is read");
    }
    for (index, mut child) in children.into_iter().enumerate() {
        let mut text = String::new();
        child.stdout.take().expect("it is piped").read_to_string(&mut text).expect("text");
        assert_eq!(text, index.to_string());
        assert!(child.wait().expect("it ends").success());
    }

    // A pipe end goes to the first child only.
    let (reader, writer) = pipe().expect("a pipe");
    drop(writer);
    command.stdin(reader);
    assert_eq!(command.output().expect("it starts").stdout, b"");
    let (kind, _) = refused(command.output());
    assert_eq!(kind, ErrorKind::InvalidInput);
}
