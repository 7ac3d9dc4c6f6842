//! Starts so many children in a sandbox that it is worth a thread of the host's, and
//! prints what the host's threads are called.

use offspring_guest::{Command, Stdio};
use test_programs::text;

fn main() {
    let start = || Command::new("cat").stdin(Stdio::piped()).spawn().expect("it starts");
    let children: Vec<_> = (0..6).map(|_| start()).collect();
    let mut list = Command::new("sh");
    print!("{}", text(list.args(["-c", "cat /proc/$PPID/task/*/comm"])));
    drop(children);
}
