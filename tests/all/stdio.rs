//! Standard streams.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use offspring_spawn::Signal;
use offspring_tests::*;
use wasmtime_wasi::FsPerms::{ReadOnly, ReadWrite};

use crate::assert_test_exists;
use crate::isolation::{helper, is_helper, isolated};
use crate::place::Place;
use crate::run::{Run, grant};
use crate::runtime::everywhere;

for_each_stdio_program!(assert_test_exists);

#[test]
fn stdio_inherit() {
    let guest = || Run::new(STDIO_INHERIT).allow(&["cat", "sh"]).sync().success();
    if is_helper(&guest) {
        guest();
        return;
    }
    let mut host = helper(&guest);
    host.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut host = host.spawn().unwrap();
    host.stdin.take().unwrap().write_all(b"through the host\n").unwrap();
    let output = host.wait_with_output().unwrap();
    let [stdout, stderr] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.contains("through the host\n"), "{stdout}");
    assert!(stderr.contains("to the error\n"), "{stderr}");
}

#[test]
fn stdio_null() {
    everywhere(|| Run::new(STDIO_NULL).allow(&["sh"]));
}

#[test]
fn stdio_files() {
    let (read, write) = (Place::new(), Place::new());
    fs::write(read.path("in"), "from the host\n").unwrap();
    let run = Run::new(STDIO_FILES).allow(&["cat", "sh"]);
    run.dir(read.root(), "/ro", ReadOnly).dir(write.root(), "/rw", ReadWrite).sync().success();
}

#[test]
fn stdio_order() {
    everywhere(|| Run::new(STDIO_ORDER).allow(&["sh"]));
}

#[test]
fn stdio_unread_input() {
    everywhere(|| Run::new(STDIO_UNREAD_INPUT).allow(&["true"]));
}

#[test]
fn stdio_half_close() {
    everywhere(|| Run::new(STDIO_HALF_CLOSE).allow(&["cat", "sh"]));
}

#[test]
fn stdio_bulk() {
    isolated(|| {
        let run = |size: usize| {
            let run = Run::new(STDIO_BULK).allow(&["sh"]).args(&[&size.to_string()]);
            run.sync().success();
        };
        run(1 << 20);
        let before = peak_memory();
        run(64 << 20);
        let grown = peak_memory() - before;
        assert!(grown < 16 << 20, "the host kept {grown} bytes of what only went through");
    });
}

/// What only goes through the host is not kept by it, however much it is.
#[test]
fn stdio_gigabyte() {
    isolated(|| {
        let run = |size: u64| {
            let run = Run::new(STDIO_GIGABYTE).allow(&["head"]).args(&[&size.to_string()]);
            run.sync().success();
        };
        run(16 << 20);
        let before = peak_memory();
        run(1 << 30);
        let grown = peak_memory() - before;
        assert!(grown < 4 << 20, "the host kept {grown} bytes of what only went through");
    });
}

#[test]
fn stdio_duplex() {
    everywhere(|| Run::new(STDIO_DUPLEX).allow(&["cat"]));
}

/// What joined children exchange stays in the kernel: this process neither reads
/// nor writes it.
#[test]
fn stdio_pipeline() {
    isolated(|| {
        const SIZE: u64 = 256 << 20;
        let through_us = |guest| {
            let run = Run::new(guest).allow(&["cat", "head", "wc"]).args(&[&SIZE.to_string()]);
            let before = transferred();
            run.sync().success();
            transferred() - before
        };
        // Also for what is done once, such as compiling a guest.
        let read = through_us(STDIO_GIGABYTE);
        assert!(read >= SIZE, "only {read} bytes are counted");
        through_us(STDIO_PIPELINE);
        let joined = through_us(STDIO_PIPELINE);
        assert!(joined < SIZE / 1000, "{joined} bytes went through the host");
    });
}

/// How much the threads of this process have read and written, by any system
/// call. What the process as a whole has counts the children that it waited for.
fn transferred() -> u64 {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let io = threads.map(|thread| fs::read_to_string(thread.unwrap().path().join("io")).unwrap());
    let io = io.collect::<String>();
    let lines = io.lines().filter_map(|line| line.split_once("char: "));
    lines.map(|(_, count)| count.parse::<u64>().unwrap()).sum()
}

/// The most memory that this process ever had.
pub fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn stdio_unread_output() {
    everywhere(|| Run::new(STDIO_UNREAD_OUTPUT).allow(&["sh"]));
}

#[test]
fn stdio_both_full() {
    everywhere(|| Run::new(STDIO_BOTH_FULL).allow(&["sh"]));
}

#[test]
fn stdio_joined() {
    everywhere(|| Run::new(STDIO_JOINED).allow(&["cat", "head", "sh"]));
}

#[test]
fn stdio_bytes() {
    everywhere(|| Run::new(STDIO_BYTES).allow(&["cat"]));
}

#[test]
fn stdio_room() {
    let shell = grant("sh").signals([Signal::CONT]);
    Run::new(STDIO_ROOM).grant(shell).sync().success();
}
