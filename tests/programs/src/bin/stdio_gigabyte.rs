//! Reads as many bytes as its argument says, and keeps none of them.

use std::io::Read;

use offspring_guest::{Command, Stdio};

fn main() {
    let size = std::env::args().next_back().expect("a number");
    let mut head = Command::new("head");
    let head = head.args(["-c", &size, "/dev/zero"]).stdin(Stdio::null());
    let mut child = head.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let mut stdout = child.stdout.take().expect("it is piped");
    let mut buffer = vec![0; 65_536];
    let mut total = 0;
    loop {
        match stdout.read(&mut buffer).expect("it can be read") {
            0 => break,
            count => total += count,
        }
    }
    assert_eq!(total.to_string(), size);
    assert!(child.wait().expect("it ends").success());
}
