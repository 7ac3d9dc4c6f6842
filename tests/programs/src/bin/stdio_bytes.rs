//! One byte at a time, in both directions.

use std::io::{Read, Write};

use test_programs::cat;

fn main() {
    let mut child = cat();
    let mut stdin = child.stdin.take().expect("it is piped");
    let data: Vec<u8> = (0..=u8::MAX).collect();
    for byte in &data {
        stdin.write_all(&[*byte]).expect("it is read");
    }
    drop(stdin);
    let mut stdout = child.stdout.take().expect("it is piped");
    let mut read = Vec::new();
    let mut byte = [0];
    while stdout.read(&mut byte).expect("it can be read") == 1 {
        read.extend(byte);
    }
    assert_eq!(read, data);
}
