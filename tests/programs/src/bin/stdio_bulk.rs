//! Much output, read slowly, and much input: as many bytes as this guest's
//! argument says, each of them right.

use std::io::{Read, Write};
use std::time::Duration;

use offspring_guest::Stdio;
use test_programs::sh;

const LINE: &[u8] = b"0123456789abcde\n";

fn main() {
    let size: usize = std::env::args().next_back().and_then(|size| size.parse().ok()).expect("n");
    read(size);
    write(size / 4);
}

fn read(size: usize) {
    let mut script = sh("yes 0123456789abcde | head -c \"$1\"");
    let script = script.arg(size.to_string()).stdin(Stdio::null()).stderr(Stdio::null());
    let mut child = script.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut stdout = child.stdout.take().expect("it is piped");

    // A size that fits neither the lines nor the pipe.
    let mut buffer = vec![0; 50_001];
    let (mut place, mut naps) = (0, 0);
    loop {
        let count = stdout.read(&mut buffer).expect("it can be read");
        if count == 0 {
            break;
        }
        let right = (place..).zip(&buffer[..count]).all(|(i, &byte)| byte == LINE[i % LINE.len()]);
        assert!(right, "a wrong byte behind {place}");
        place += count;
        if place * 16 / size > naps {
            naps += 1;
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    assert_eq!(place, size);
    assert!(child.wait().expect("it ends").success());
}

fn write(size: usize) {
    let mut script = sh("cksum; sleep 0");
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    let data: Vec<u8> = LINE.iter().copied().cycle().take(100_000).collect();
    let mut left = size;
    while left > 0 {
        let part = left.min(data.len());
        stdin.write_all(&data[..part]).expect("it is read");
        left -= part;
    }
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let words = String::from_utf8(output.stdout).expect("text");
    assert_eq!(words.split_whitespace().nth(1), Some(size.to_string().as_str()), "{words}");
}
