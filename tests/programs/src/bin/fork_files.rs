//! Files from before a fork and from after it, by every way to use them.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};

use test_programs::forked;

const OLD: &str = "/dir/old";
const NEW: &str = "/dir/new";
const LOG: &str = "/dir/log";

fn create(path: &str) -> File {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true).open(path).expect(path)
}

fn look(file: &mut File) {
    assert_eq!(file.metadata().expect("it is there").len(), 10);
    let mut text = String::new();
    file.seek(SeekFrom::Start(5)).expect("it can be sought");
    file.read_to_string(&mut text).expect("it can be read");
    assert_eq!(text, "fghij");
}

/// Through a stream, without blocking: by a thread of the host's own.
fn by_stream(path: &str, content: &[u8]) {
    use wasip2::filesystem::{preopens, types};
    let (root, _) = preopens::get_directories().remove(0);
    let name = path.rsplit('/').next().expect("a name");
    let flags = types::DescriptorFlags::READ | types::DescriptorFlags::WRITE;
    let file = root
        .open_at(types::PathFlags::empty(), name, types::OpenFlags::CREATE, flags)
        .expect("it opens");
    let stream = file.write_via_stream(0).expect("a stream");
    stream.subscribe().block();
    assert!(stream.check_write().expect("it is open") >= content.len() as u64);
    stream.write(content).expect("it is written");
    stream.flush().expect("it is flushed");
    stream.subscribe().block();
    stream.check_write().expect("it was written");
    let stream = file.read_via_stream(0).expect("a stream");
    let mut read = Vec::new();
    while read.len() < content.len() {
        read.extend(stream.read(100).expect("it can be read"));
        stream.subscribe().block();
    }
    assert_eq!(read, content);
}

fn main() {
    let mut old = create(OLD);
    old.write_all(b"abcdefghij").expect("it is written");
    by_stream(LOG, b"before");
    forked(|| {
        look(&mut old);
        let mut new = create(NEW);
        new.write_all(b"abcdefghij").expect("it is written");
        look(&mut new);
        by_stream(LOG, b"child!");
        assert_eq!(fs::read_dir("/dir").expect("it can be listed").count(), 3);
        forked(|| look(&mut new));
    });
    look(&mut old);
    look(&mut File::open(NEW).expect("the child made it"));
    by_stream(LOG, b"parent");
    fs::remove_file(NEW).expect("it can be removed");

    // Each process has a position of its own, but not where it appends.
    let mut shared = create(NEW);
    let mut log = OpenOptions::new().append(true).open(LOG).expect(LOG);
    log.set_len(0).expect("it can be cut");
    shared.write_all(b"12").expect("it is written");
    forked(|| {
        shared.write_all(b"child").expect("it is written");
        log.write_all(b"child,").expect("it is written");
    });
    shared.write_all(b"PA").expect("it is written");
    log.write_all(b"parent").expect("it is written");
    assert_eq!(fs::read(NEW).expect("it can be read"), b"12PAild");
    assert_eq!(fs::read(LOG).expect("it can be read"), b"child,parent");
}
