//! A pipe that is found full is made larger, as long as the host has room for it:
//! for one.

use std::io::ErrorKind;

use offspring_guest::{PipeReader, PipeWriter, limits, pipe};

/// What a pipe is at most, and what it is by itself with what the host keeps.
const LARGE: usize = 1 << 20;
const SMALL: usize = 2 * 65_536;

/// A pipe and how much it took.
fn full() -> (PipeReader, PipeWriter, usize) {
    let (reader, writer) = pipe().expect("a pipe");
    let mut total = 0;
    loop {
        match writer.try_write(&[7; 16_384]) {
            Ok(written) => total += written,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                return (reader, writer, total);
            }
        }
    }
}

fn main() {
    assert_eq!(limits().max_buffered_bytes, 1_000_000);
    let (first_reader, first_writer, first) = full();
    assert!(first >= LARGE, "{first}");
    let (_reader, _writer, second) = full();
    assert!(second <= SMALL, "there is room for one: {second}");
    // Each end may have made it large, so both go.
    drop((first_reader, first_writer));
    let (_reader, _writer, third) = full();
    assert!(third >= LARGE, "there is room again: {third}");
}
