//! Dropping a handle kills the child and its group: all that holds the file
//! open which this guest was told of, and the pipe.

use std::io::Read;

use test_programs::{family, sh, started};

fn main() {
    let mut child = family(|_| ());
    let mut stdout = child.stdout.take().expect("it is piped");
    drop(child);
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).expect("the end");
    assert_eq!(rest, b"");

    // Also what is left of its group when the child itself has ended.
    let (mut child, _) = started(&mut sh("sleep 100000 & echo on"));
    let mut stdout = child.stdout.take().expect("it is piped");
    assert!(child.wait().expect("it ends").success());
    drop(child.into_pidfd());
    stdout.read_to_end(&mut rest).expect("the end");
    assert_eq!(rest, b"");
}
