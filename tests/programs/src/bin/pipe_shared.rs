//! A guest that uses the end that its child has too changes nothing for it.

use std::io::{ErrorKind, Read, Write};
use std::thread::sleep;
use std::time::Duration;

use offspring_guest::{Command, Stdio, pipe};
use test_programs::{broken, sh};

/// More than any pipe holds.
const SIZE: usize = 2_000_000;

fn main() {
    // The child waits for room in its output, instead of failing.
    let (mut reader, writer) = pipe().expect("a pipe");
    let mut script = sh("read go; exec head -c \"$1\" /dev/zero");
    let script = script.arg(SIZE.to_string()).stdin(Stdio::piped()).stdout(&writer);
    let mut child = script.stderr(Stdio::null()).spawn().expect("it starts");
    (&writer).write_all(b"mine").expect("there is room");
    writeln!(child.stdin.take().expect("it is piped"), "go").expect("it is read");
    drop(writer);
    sleep(Duration::from_millis(50));
    let mut data = Vec::new();
    reader.read_to_end(&mut data).expect("it can be read");
    assert!(child.wait().expect("it ends").success(), "{} bytes came", data.len());
    assert_eq!((&data[..4], data.len()), (&b"mine"[..], SIZE + 4));

    // A pipe that nobody reads is broken, also for one that is given away.
    let (reader, writer) = pipe().expect("a pipe");
    let mut unused = sh("exit");
    unused.stdin(Stdio::null()).stderr(Stdio::null()).stdout(&writer);
    drop(unused.spawn().expect("it starts"));
    drop(reader);
    assert_eq!(broken(&writer), ErrorKind::BrokenPipe);

    // The child waits for its input, instead of failing.
    let (reader, mut writer) = pipe().expect("a pipe");
    let mut command = Command::new("cat");
    let command = command.stdin(reader.try_clone().expect("a handle")).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).spawn().expect("it starts");
    assert!(reader.try_read(&mut [0]).is_err(), "there is nothing yet");
    let ended = child.pidfd().wait_timeout(Duration::from_millis(50));
    assert_eq!(ended.expect("it can be asked"), None, "it waits");
    drop(reader);
    writer.write_all(b"late").expect("it is read");
    drop(writer);
    let output = child.stdout.take().map(|mut stdout| {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    assert_eq!(output.expect("it is piped").expect("text"), "late");
    assert!(child.wait().expect("it ends").success());
}
