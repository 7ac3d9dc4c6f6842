//! A child belongs to its handle.

mod support;

use std::io::{BufRead, BufReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio as StdStdio;
use std::sync::Barrier;
use std::thread;

use offspring_spawn::{Child, Command, Errno, ExitStatus, Program, Signal, Stdio};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{
    Pid, PidfdFlags, WaitId, WaitIdOptions, WaitOptions, pidfd_open, wait, waitid,
};
use support::isolation::{helper, is_helper, isolated};
use support::place::Place;
use support::traces::{Traces, assert_no_children};
use support::{assert_ends, cat, killed, program, read, read_line, sh, sleeper};

/// Another descriptor of the same process.
fn second_pidfd(child: &Child) -> OwnedFd {
    fcntl_dupfd_cloexec(child, 3).unwrap()
}

/// A group: a shell that waits for its standard input to end, and a process in
/// the background. Both hold the standard output.
fn group() -> (Child, OwnedFd) {
    let mut command = sh("sleep 300 & echo ready; read line; exit 4");
    command.stdin(Stdio::Piped).stdout(Stdio::Piped).new_process_group(true);
    let mut child = command.spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    assert_eq!(read_line(&stdout), "ready");
    (child, stdout)
}

#[test]
fn kill() {
    let child = sleeper().spawn().unwrap();
    child.kill().unwrap();
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().status, killed(Signal::KILL));
    child.kill().unwrap();
    assert!(!child.leads_group());
    assert_eq!(child.signal_group(Signal::TERM), Err(Errno::SRCH));
}

#[test]
fn kill_takes_the_group() {
    let (child, stdout) = group();
    assert!(child.leads_group());
    child.kill().unwrap();
    // Ends only when the last of the group has.
    assert_ends(&stdout);
    assert_eq!(child.wait().unwrap().status, killed(Signal::KILL));
    child.kill().unwrap();
}

#[test]
fn signals_to_a_group_also_after_its_leader() {
    let (mut child, stdout) = group();
    child.stdin = None;
    assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(4));
    child.signal_group(Signal::TERM).unwrap();
    assert_ends(&stdout);
}

#[test]
fn a_drop_kills_and_reaps() {
    isolated(|| {
        drop(sleeper().spawn().unwrap());
        Traces::unchanged(|| {
            let child = sleeper().spawn().unwrap();
            let pidfd = second_pidfd(&child);
            drop(child);
            assert_ends(&pidfd);
        });
        Traces::unchanged(|| drop(sh("exit 0").spawn().unwrap()));
        Traces::unchanged(|| {
            let child = sh("exit 0").spawn().unwrap();
            child.wait().unwrap();
        });
    });
}

#[test]
fn a_drop_kills_the_group() {
    let (child, stdout) = group();
    drop(child);
    assert_ends(&stdout);
}

#[test]
fn a_drop_kills_the_group_after_its_leader() {
    isolated(|| {
        let (mut child, stdout) = group();
        child.stdin = None;
        child.wait().unwrap();
        drop(child);
        assert_ends(&stdout);
        assert_no_children();
    });
}

#[test]
fn what_is_detached_lives_on() {
    isolated(|| {
        let mut child = cat().stdout(Stdio::Piped).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let pidfd = child.detach();
        support::write(stdin, "alive");
        assert_eq!(read(stdout), "alive");
        let status = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
        assert_eq!(status.unwrap().unwrap().exit_status(), Some(0));
        assert_no_children();
    });
}

#[test]
fn what_is_detached_can_still_be_killed() {
    let pidfd = sleeper().spawn().unwrap().detach();
    pidfd.send_signal(Signal::KILL).unwrap();
    let fd = OwnedFd::from(pidfd);
    let status = waitid(WaitId::PidFd(fd.as_fd()), WaitIdOptions::EXITED);
    assert!(status.unwrap().unwrap().killed());
}

#[test]
fn a_child_dies_with_its_parent() {
    let body = || {
        let mut child = sleeper();
        let child = child.parent_death_signal(Some(Signal::TERM)).spawn().unwrap();
        // Behind a line of the test harness that has no end yet.
        println!("\n{}", support::pid(&child));
        // Until it is killed, or the test is no more.
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    };
    if is_helper(&body) {
        return body();
    }
    let mut parent =
        helper(&body).stdin(StdStdio::piped()).stdout(StdStdio::piped()).spawn().unwrap();
    let lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let mut numbers = lines.filter_map(|line| line.unwrap().parse::<i32>().ok());
    let number = Pid::from_raw(numbers.next().unwrap()).unwrap();
    let child = pidfd_open(number, PidfdFlags::empty()).unwrap();
    parent.kill().unwrap();
    parent.wait().unwrap();
    assert_ends(child);
}

#[test]
fn a_child_outlives_the_thread_that_started_it() {
    let mut child = thread::spawn(|| cat().spawn().unwrap()).join().unwrap();
    assert_eq!(child.try_wait().unwrap(), None);
    child.stdin = None;
    assert!(child.wait().unwrap().status.success());
}

#[test]
fn a_panic_takes_its_child_with_it() {
    isolated(|| {
        let panicked = thread::spawn(|| {
            let _child = sleeper().spawn().unwrap();
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert_no_children();
    });
}

/// One of several ways to start and end a process.
fn one_way(number: usize, broken: &Program) {
    match number % 6 {
        0 => assert!(sh("exit 0").spawn().unwrap().wait().unwrap().status.success()),
        1 => assert!(Command::new(broken).spawn().is_err()),
        2 => assert!(Program::open("/missing/program").is_err()),
        3 => drop(sleeper().spawn().unwrap()),
        4 => {
            let mut child = cat().stdout(Stdio::Piped).stderr(Stdio::Piped).spawn().unwrap();
            support::write(child.stdin.take(), "some");
            assert_eq!(read(child.stdout.take()), "some");
            child.wait().unwrap();
        }
        _ => {
            let child = sleeper().new_process_group(true).spawn().unwrap();
            child.kill().unwrap();
            assert_eq!(child.wait().unwrap().status, killed(Signal::KILL));
        }
    }
}

#[test]
fn many_threads_leave_nothing() {
    isolated(|| {
        let place = Place::new();
        let broken = place.script("broken", "");
        program("true");
        let run = |times: usize| {
            thread::scope(|scope| {
                for first in 0..8 {
                    let broken = &broken;
                    scope.spawn(move || (first..first + times).for_each(|n| one_way(n, broken)));
                }
            });
        };
        run(6);
        Traces::unchanged(|| run(200));
    });
}

#[test]
fn pipes_are_not_held_by_other_children() {
    // A child that held another's pipe would keep its reader waiting.
    let sleepers: Vec<Child> = thread::scope(|scope| {
        let start = || -> Vec<Child> { (0..50).map(|_| sleeper().spawn().unwrap()).collect() };
        let sleepers = scope.spawn(start);
        for _ in 0..50 {
            let mut child = cat().stdout(Stdio::Piped).spawn().unwrap();
            drop(child.stdin.take());
            let mut stdout = std::fs::File::from(child.stdout.take().unwrap());
            assert_eq!(stdout.read_to_end(&mut Vec::new()).unwrap(), 0);
        }
        sleepers.join().unwrap()
    });
    drop(sleepers);
}

#[test]
fn g3_a_child_without_a_handle_leaves_no_descriptor() {
    isolated(|| {
        let command = sh("exit 0");
        drop(command.spawn().unwrap());
        Traces::unchanged(|| {
            drop(command.spawn().unwrap().detach());
            wait(WaitOptions::empty()).unwrap();
        });
    });
}

#[test]
fn ex1_one_process_of_many_threads() {
    isolated(|| {
        let over = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| over.wait());
            let mut command = sh("echo $$");
            let mut child = command.stdout(Stdio::Piped).spawn().unwrap();
            let number = support::pid(&child);
            let printed = read(child.stdout.take());
            assert_eq!(printed, format!("{number}\n"));
            assert!(child.wait().unwrap().status.success());
            over.wait();
        });
    });
}
