//! What a parent does to its fork: signals, killing, dropping, a deadline.

use std::io::Read;
use std::time::Duration;

use offspring_guest::fork::{self, Options};
use offspring_guest::{Cause, ErrorCode, PidFd, Signal, pipe, wait_any};
use test_programs::failed;

fn sleeper(options: &Options) -> PidFd {
    let child = options.spawn(|| {
        loop {
            std::thread::sleep(Duration::from_secs(1000));
        }
    });
    child.expect("it forks")
}

fn busy(options: &Options) -> PidFd {
    let child = options.spawn(|| {
        loop {
            std::hint::black_box(0);
        }
    });
    child.expect("it forks")
}

fn main() {
    let plain = Options::new();
    for start in [sleeper, busy] {
        let child = start(&plain);
        child.send_signal(Signal::STOP).expect("it lives");
        assert_eq!(child.try_wait().expect("it can be asked"), None);
        child.send_signal(Signal::CONT).expect("it lives");
        assert_eq!(failed(child.send_group_signal(Signal::TERM)), ErrorCode::Unsupported);
        child.send_signal(Signal::TERM).expect("it lives");
        let status = child.wait().expect("it ends");
        assert_eq!((status.term_signal(), status.cause()), (Some(Signal::TERM), None));
        assert_eq!(failed(child.send_signal(Signal::TERM)), ErrorCode::NoSuchProcess);

        let child = start(&plain);
        child.kill().expect("it lives");
        child.kill().expect("no error when it has ended");
        let status = child.wait().expect("it ends");
        assert_eq!((status.signal(), status.cause()), (Some(9), Some(Cause::Killed)));

        let soon = Options::new().deadline(Duration::from_millis(20));
        let status = start(&soon).wait().expect("it ends");
        assert_eq!((status.signal(), status.cause()), (Some(9), Some(Cause::Deadline)));
    }
    let late = Options::new().deadline(Duration::MAX).spawn(|| 4).expect("it forks");
    let status = late.wait().expect("it ends");
    assert_eq!((status.code(), status.cause()), (Some(4), None));

    // A child goes with its handle, and its own go with it.
    let (mut reader, writer) = pipe().expect("a pipe");
    let child = fork::spawn(|| {
        std::mem::forget(sleeper(&Options::new()));
        sleeper(&Options::new()).wait().map_or(1, |_| 0)
    });
    drop(writer);
    drop(child.expect("it forks"));
    assert_eq!(reader.read(&mut [0]).expect("the end"), 0);

    let children = [sleeper(&plain), fork::spawn(|| 6).expect("it forks"), sleeper(&plain)];
    let (index, status) = wait_any(&children.each_ref()).expect("one ends");
    assert_eq!((index, status.code()), (1, Some(6)));
    let numbers = children.each_ref().map(PidFd::getpid);
    assert_ne!(numbers[0].as_ref().ok(), numbers[2].as_ref().ok());
    assert_eq!(failed(children[1].getpid()), ErrorCode::NoSuchProcess);
}
