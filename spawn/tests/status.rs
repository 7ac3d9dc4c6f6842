//! How a child ended and what it used.

mod support;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use offspring_spawn::{Errno, ExitStatus, PeakMemory, Signal, SignalSet, Stdio};
use rustix::process::{Resource, WaitOptions, wait};
use support::isolation::{isolated, skip};
use support::traces::assert_no_children;
use support::{cat, killed, pid, sh, sleeper};

const MIB: u64 = 1024 * 1024;

#[test]
fn codes() {
    for code in [0, 1, 2, 3, 42, 126, 127, 128, 129, 254, 255] {
        let child = sh(&format!("exit {code}")).spawn().unwrap();
        let status = child.wait().unwrap().status;
        assert_eq!(status, ExitStatus::Exited(code));
        assert_eq!(status.success(), code == 0);
    }
}

#[test]
fn deaths_by_signals() {
    // All whose default action is to end a process, and leaves no core.
    for number in [1, 2, 9, 10, 12, 13, 14, 15, 16, 26, 27, 29, 30, 32, 33, 34, 64] {
        let signal = Signal::from_raw(number).unwrap();
        // Also what we were started with ignored.
        let child = sleeper().default_signals(SignalSet::ALL).spawn().unwrap();
        child.pidfd().send_signal(signal).unwrap();
        assert_eq!(child.wait().unwrap().status, killed(signal));
    }
}

#[test]
fn deaths_with_and_without_a_core() {
    for signal in [Signal::QUIT, Signal::ABRT, Signal::SEGV, Signal::SYS] {
        let mut command = sh("ulimit -c 0; kill -$0 $$");
        let command = command.arg(signal.as_raw().to_string());
        let child = command.default_signals(SignalSet::ALL).spawn().unwrap();
        assert_eq!(child.wait().unwrap().status, killed(signal));
    }
}

#[test]
fn a_core_is_told_of() {
    isolated(|| {
        let name = "a_core_is_told_of";
        let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern");
        if !matches!(pattern.as_deref().map(str::trim), Ok("core")) {
            return skip(name, "cores do not go to a file core in the working directory");
        }
        let mut limit = rustix::process::getrlimit(Resource::Core);
        limit.current = limit.maximum;
        if limit.maximum == Some(0) {
            return skip(name, "no cores are allowed");
        }
        rustix::process::setrlimit(Resource::Core, limit).unwrap();
        let place = support::place::Place::new();
        let there = support::place::directory(place.root());
        let child = sh("kill -ABRT $$").current_dir(there).spawn().unwrap();
        let status = child.wait().unwrap().status;
        assert_eq!(status, ExitStatus::Signaled { signal: Signal::ABRT, core_dumped: true });
        assert_eq!(status.to_string(), "signal: 6 (SIGABRT) (core dumped)");
    });
}

#[test]
fn waiting_without_blocking() {
    let mut child = cat().spawn().unwrap();
    assert_eq!(child.try_wait().unwrap(), None);
    assert_eq!(child.pidfd().poll(Duration::ZERO), Ok(false));
    child.stdin = None;
    assert_eq!(child.pidfd().poll(Duration::MAX), Ok(true));
    let exit = child.try_wait().unwrap().unwrap();
    assert!(exit.status.success());
    assert_eq!(child.try_wait().unwrap(), Some(exit));
    assert_eq!(child.wait().unwrap(), exit);
    assert_eq!(child.pidfd().poll(Duration::MAX), Ok(true));
}

#[test]
fn many_waits_give_the_same() {
    let mut child = cat().spawn().unwrap();
    let stdin = child.stdin.take();
    let child = Arc::new(child);
    let wait = || {
        let child = Arc::clone(&child);
        thread::spawn(move || child.wait().unwrap())
    };
    let waits: Vec<_> = (0..8).map(|_| wait()).collect();
    drop(stdin);
    let first = child.wait().unwrap();
    assert!(first.usage.is_some());
    for wait in waits {
        assert_eq!(wait.join().unwrap(), first);
    }
}

#[test]
fn somebody_else_waits() {
    isolated(|| {
        if !support::keeps_exit_info("somebody_else_waits") {
            return;
        }
        for (script, expected) in
            [("exit 9", ExitStatus::Exited(9)), ("kill -9 $$", killed(Signal::KILL))]
        {
            let child = sh(script).spawn().unwrap();
            assert!(wait(WaitOptions::empty()).unwrap().is_some());
            let exit = child.wait().unwrap();
            assert_eq!((exit.status, exit.usage), (expected, None));
            assert_eq!(child.try_wait().unwrap(), Some(exit));
            child.kill().unwrap();
        }
        assert_no_children();
    });
}

#[test]
fn the_number_of_a_process() {
    let mut child =
        sh("echo $$; read line").stdin(Stdio::Piped).stdout(Stdio::Piped).spawn().unwrap();
    let number = support::read_line(child.stdout.as_ref().unwrap());
    assert_eq!(number, pid(&child).to_string());
    child.stdin = None;
    assert_eq!(child.pidfd().poll(Duration::MAX), Ok(true));
    // It has ended, but was not waited for.
    assert_eq!(number, pid(&child).to_string());
    child.pidfd().send_signal(Signal::TERM).unwrap();
    child.wait().unwrap();
    assert_eq!(child.pidfd().getpid(), Err(Errno::SRCH));
    assert_eq!(child.pidfd().send_signal(Signal::TERM), Err(Errno::SRCH));
    child.kill().unwrap();
}

#[test]
fn time_is_counted() {
    let busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
    let usage = sh(busy).spawn().unwrap().wait().unwrap().usage.unwrap();
    assert!(usage.user_time > Duration::ZERO);
    assert!(usage.user_time < Duration::from_secs(600));
    assert!(usage.minor_faults > 0);
}

#[test]
fn memory_of_a_large_child_is_exact() {
    isolated(|| {
        let size = 200 * MIB;
        let script = format!("head -c {size} /dev/zero | tail -c {size} >/dev/null");
        let usage = sh(&script).spawn().unwrap().wait().unwrap().usage.unwrap();
        let PeakMemory::Exact(bytes) = usage.peak_memory else {
            panic!("{usage:?}");
        };
        assert!((size..2 * size).contains(&bytes), "{bytes}");
    });
}

#[test]
fn memory_of_a_small_child_of_a_fat_host_is_a_bound() {
    isolated(|| {
        let fat = vec![1_u8; 64 << 20];
        let usage = sh("exit 0").spawn().unwrap().wait().unwrap().usage.unwrap();
        let PeakMemory::AtMost(bytes) = usage.peak_memory else {
            panic!("{usage:?}");
        };
        assert!(bytes >= 64 * MIB && fat.iter().all(|byte| *byte == 1), "{bytes}");
    });
}
