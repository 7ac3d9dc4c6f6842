//! Children joined to children: nothing passes through the component.

use offspring_guest::{Command, Stdio};
use test_programs::sh;

fn main() {
    let mut count = sh("i=0; while [ $i -lt 10000 ]; do echo $i; i=$((i+1)); done");
    let count = count.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut count = count.spawn().expect("it starts");
    let mut copy = Command::new("cat");
    let copy = copy.stdin(count.stdout.take().expect("it is piped"));
    let copy = copy.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut copy = copy.spawn().expect("it starts");
    // The end comes through both as soon as the first one ends.
    let mut last = sh("wc -l");
    let last = last.stdin(copy.stdout.take().expect("it is piped")).output().expect("it starts");
    assert_eq!(String::from_utf8_lossy(&last.stdout).trim(), "10000");
    for child in [&mut count, &mut copy] {
        assert!(child.wait().expect("it ends").success());
    }

    // A reader that goes away ends what writes to it.
    let mut endless = sh("exec cat /dev/zero");
    let endless = endless.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut endless = endless.spawn().expect("it starts");
    let mut first = Command::new("head");
    let first = first.args(["-c", "10"]).stdin(endless.stdout.take().expect("it is piped"));
    assert_eq!(first.output().expect("it starts").stdout, [0; 10]);
    assert_eq!(endless.wait().expect("it ends").signal(), Some(13));
}
