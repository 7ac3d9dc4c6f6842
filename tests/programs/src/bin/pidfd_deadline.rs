//! A deadline counts for the group also when the process itself has ended, as
//! long as its handle is held.

use std::io::Read;
use std::time::Duration;

use offspring_guest::Stdio;
use test_programs::sh;

fn main() {
    let mut script = sh("sleep 100000 & echo on");
    let script = script.stdin(Stdio::null()).stdout(Stdio::piped());
    let script = script.stderr(Stdio::null()).deadline(Duration::from_millis(300));
    let mut child = script.spawn().expect("it starts");
    let mut stdout = child.stdout.take().expect("it is piped");
    child.wait().expect("it ends");
    // What it left in the background has its output too.
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).expect("the end");
    drop(child);
}
