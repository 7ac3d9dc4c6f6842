//! A pipe that the guest itself uses: its end and its break.

use std::io::{ErrorKind, Read, Write};

use offspring_guest::pipe;
use test_programs::broken;

fn main() {
    let (mut reader, mut writer) = pipe().expect("a pipe");
    let nothing = reader.try_read(&mut [0; 8]).map_err(|error| error.kind());
    assert_eq!(nothing, Err(ErrorKind::WouldBlock));
    writer.write_all(b"through").expect("there is room");
    assert!(reader.pollable().ready());
    assert_eq!(reader.read(&mut []).expect("nothing is asked for"), 0);
    let mut word = [0; 7];
    reader.read_exact(&mut word).expect("it is there");
    assert_eq!(&word, b"through");
    assert!(!reader.pollable().ready());
    drop(writer);
    reader.pollable().block();
    assert_eq!(reader.read(&mut word).expect("the end"), 0);

    let (reader, mut writer) = pipe().expect("a pipe");
    drop(reader);
    assert_eq!(broken(&writer), ErrorKind::BrokenPipe);
    assert!(writer.pollable().ready(), "the break is worth waking for");
    let again =
        [writer.write(b"x").map(drop), writer.try_write(b"x").map(drop), writer.try_flush()];
    for result in again {
        assert_eq!(result.expect_err("it is broken").kind(), ErrorKind::BrokenPipe);
    }
}
