//! Random bytes are others in each process.

use std::io::{Read, Write};

use offspring_guest::fork::{self, Forked};
use offspring_guest::pipe;
use wasip2::random::{insecure, random};

const LENGTH: u64 = 32;

fn bytes() -> Vec<u8> {
    [random::get_random_bytes(LENGTH), insecure::get_insecure_random_bytes(LENGTH)].concat()
}

fn main() {
    let before = bytes();
    let mut all = vec![before];
    for _ in 0..3 {
        let (mut reader, mut writer) = pipe().expect("a pipe");
        match fork::fork().expect("it forks") {
            Forked::Child => return writer.write_all(&bytes()).expect("it is read"),
            Forked::Parent(child) => {
                drop(writer);
                let mut theirs = Vec::new();
                reader.read_to_end(&mut theirs).expect("all of it");
                assert!(child.wait().expect("it ends").success());
                all.push(theirs);
                all.push(bytes());
            }
        }
    }
    let half = usize::try_from(LENGTH).expect("it is small");
    let mut halves: Vec<_> = all.iter().flat_map(|bytes| bytes.chunks(half)).collect();
    assert_eq!(halves.len(), 14);
    halves.sort();
    halves.dedup();
    assert_eq!(halves.len(), 14);
}
