//! What a pipe has room for need not be read before the guest goes on.

use std::io::{Read, Write};
use std::time::Duration;

use offspring_guest::{Signal, Stdio};
use test_programs::{line, sh};

/// What a pipe holds.
const ROOM: usize = 65_536;

fn main() {
    // It reads when it is told to go on. Should that not come, it is killed,
    // and writing fails.
    let mut script = sh("echo here; kill -STOP $$; wc -c");
    let script = script.stdin(Stdio::piped()).stdout(Stdio::piped());
    let script = script.stderr(Stdio::null()).deadline(Duration::from_secs(60));
    let mut child = script.spawn().expect("it starts");
    let mut stdout = child.stdout.take().expect("it is piped");
    assert_eq!(line(&mut stdout), "here");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(&[b'x'; ROOM]).expect("there is room");
    drop(stdin);

    let mut count = String::new();
    while count.is_empty() {
        // It may not have stopped yet, so once may be too early.
        child.pidfd().send_signal(Signal::CONT).expect("it is allowed");
        let mut buffer = [0; 16];
        if let Ok(read) = stdout.try_read(&mut buffer) {
            count.push_str(std::str::from_utf8(&buffer[..read]).expect("a number"));
        }
    }
    stdout.read_to_string(&mut count).expect("the rest");
    assert_eq!(count.trim(), ROOM.to_string());
    assert!(child.wait().expect("it ends").success());
}
