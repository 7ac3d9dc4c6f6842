//! A full pipe takes no more, and says when it does again.

use std::io::{ErrorKind, Read};

use offspring_guest::pipe;

fn main() {
    let (mut reader, writer) = pipe().expect("a pipe");
    let mut total = 0;
    let error = loop {
        match writer.try_write(&[7; 5000]) {
            Ok(written) => total += written,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert!(total >= 4096, "a pipe holds at least a page: {total}");
    assert!(!writer.pollable().ready());

    let mut data = vec![0; total];
    reader.read_exact(&mut data[..total / 2]).expect("it is there");
    writer.pollable().block();
    // What the pipe had no room for yet follows now.
    writer.try_flush().expect("there is room");
    reader.read_exact(&mut data[total / 2..]).expect("it is there");
    assert!(data.iter().all(|byte| *byte == 7));
    let nothing = reader.try_read(&mut [0]).expect_err("it is empty");
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
}
