//! Much more than both pipes hold, through one child and back, by a guest that
//! writes when there is room and reads when there is something.

use std::io::ErrorKind;

use offspring_guest::poll;
use test_programs::cat;

const SIZE: usize = 16 << 20;

fn main() {
    let mut child = cat();
    let mut stdin = child.stdin.take();
    let stdout = child.stdout.take().expect("it is piped");
    let data: Vec<u8> = (0..=250).cycle().take(50_200).collect();
    let (mut written, mut read) = (0, 0);
    let mut buffer = vec![0; 40_000];
    while read < SIZE {
        if let Some(pipe) = &stdin {
            let start = written % 251;
            let end = data.len().min(start + SIZE - written);
            match pipe.try_write(&data[start..end]) {
                Ok(count) => written += count,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            if written == SIZE && pipe.try_flush().is_ok() {
                stdin = None;
            }
        }
        match stdout.try_read(&mut buffer) {
            Ok(0) => panic!("it ends behind {read}"),
            Ok(count) => {
                let right = (read..).zip(&buffer[..count]);
                assert!(right.into_iter().all(|(place, &byte)| usize::from(byte) == place % 251));
                read += count;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                let readable = stdout.pollable();
                match &stdin {
                    Some(pipe) => drop(poll(&[&readable, &pipe.pollable()])),
                    None => readable.block(),
                }
            }
        }
    }
    assert!(child.wait().expect("it ends").success());
}
