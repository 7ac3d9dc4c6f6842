//! A handle never means another process, also when its number does. The host has
//! few numbers, so that they come back soon.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::time::Duration;

use offspring_guest::{Child, ErrorCode, Signal};
use test_programs::{cat, failed};

/// Nothing that is done by the handle of a process that was waited for reaches
/// anybody.
fn disturb(ended: &[Child]) {
    for child in ended {
        let pidfd = child.pidfd();
        for signal in [Signal::TERM, Signal::KILL] {
            assert_eq!(failed(pidfd.send_signal(signal)), ErrorCode::NoSuchProcess);
            assert_eq!(failed(pidfd.send_thread_signal(signal)), ErrorCode::NoSuchProcess);
            assert_eq!(failed(pidfd.send_group_signal(signal)), ErrorCode::NoSuchProcess);
        }
        assert_eq!(failed(pidfd.getpid()), ErrorCode::NoSuchProcess);
        pidfd.kill().expect("no error when it has ended");
        pidfd.terminate(Duration::ZERO).expect("no error when it has ended");
    }
}

fn main() {
    // Linux gives the first 300 numbers once only.
    while cat().id() <= 300 {}
    let mut numbers = BTreeSet::new();
    let mut ended = Vec::new();
    for _ in 0..40 {
        let mut child = cat();
        numbers.insert(child.id());
        assert!(child.wait().expect("it ends").success());
        ended.push(child);
    }
    let (mut living, mut reused) = (Vec::<Child>::new(), 0);
    for round in 0..3000 {
        let mut child = cat();
        if numbers.contains(&child.id()) {
            reused += 1;
            living.push(child);
        } else {
            assert!(child.wait().expect("it ends").success());
        }
        if round % 50 == 0 || living.len() == 5 {
            disturb(&ended);
        }
        if living.len() == 5 {
            break;
        }
    }
    assert!(reused > 0, "no number came back");
    disturb(&ended);
    drop(ended);
    for child in &mut living {
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin.write_all(b"alive").expect("it reads");
        drop(stdin);
        let mut text = String::new();
        child.stdout.take().expect("it is piped").read_to_string(&mut text).expect("it writes");
        assert_eq!(text, "alive");
        assert!(child.wait().expect("it ends").success());
    }
    println!("{reused} numbers came back");
}
