//! A guest that does not read its child's output makes it wait; one that
//! drops the pipe ends it.

use std::io::Read;
use std::time::Duration;

use offspring_guest::Stdio;
use test_programs::sh;

fn main() {
    let mut script = sh("exec head -c 16777216 /dev/zero");
    let script = script.stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::piped());
    let mut child = script.spawn().expect("it starts");
    let mut stdout = child.stdout.take().expect("it is piped");
    assert_eq!(stdout.read(&mut [0]).expect("it can be read"), 1);
    // Nothing is read ahead: it never ends by itself, however long one waits.
    let ended = child.pidfd().wait_timeout(Duration::from_millis(200));
    assert_eq!(ended.expect("it can be asked"), None);

    drop(stdout);
    let status = child.wait().expect("it ends");
    assert_eq!(status.signal(), Some(13));
    assert_eq!(status.cause(), None);

    // Left as it is, to be ended with the guest.
    let unread = script.spawn().expect("it starts");
    std::mem::forget(unread);
}
