//! Three children joined to each other, with as many bytes between them as its
//! argument says.

use offspring_guest::{Command, Stdio};

fn main() {
    let size = std::env::args().next_back().expect("a number");
    let mut first = Command::new("head");
    let first = first.args(["-c", &size, "/dev/zero"]).stdin(Stdio::null());
    let mut first = first.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let mut second = Command::new("cat");
    let second = second.stdin(first.stdout.take().expect("it is piped")).stdout(Stdio::piped());
    let mut second = second.stderr(Stdio::null()).spawn().expect("it starts");
    let mut third = Command::new("wc");
    let third = third.arg("-c").stdin(second.stdout.take().expect("it is piped"));
    let output = third.output().expect("it starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), size);
    for mut child in [first, second] {
        assert!(child.wait().expect("it ends").success());
    }
}
