//! Pseudo-terminals, sessions that they control, and foreground groups.

mod support;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use offspring_spawn::{
    Command, Errno, ExitStatus, Program, Pty, SignalSet, Stage, Stdio, WindowSize,
};
use rustix::io::{FdFlags, fcntl_getfd};
use rustix::process::getpgrp;
use support::isolation::{in_terminal, isolated};
use support::traces::Traces;
use support::{actions, error_of, print_own, sh, sleeper, stat_field};

/// Places of fields in `/proc/self/stat`.
const GROUP: usize = 5;
const TERMINAL: usize = 7;
const FOREGROUND: usize = 8;

/// Group, terminal and foreground group of a child that takes the foreground of
/// the terminal that is our standard input.
fn of_child(prepare: impl Fn(&mut Command)) -> [String; 3] {
    [GROUP, TERMINAL, FOREGROUND].map(|field| {
        let mut command = print_own("stat");
        command.stdin(Stdio::Inherit);
        command.file_actions(actions(|actions| actions.set_foreground(0)));
        prepare(&mut command);
        stat_field(&mut command, field)
    })
}

#[test]
fn sp6_1_the_group_of_the_parent_in_the_foreground() {
    in_terminal(|| {
        let [group, terminal, foreground] = of_child(|_| ());
        assert_eq!(group, getpgrp().as_raw_nonzero().to_string());
        assert_ne!(terminal, "0");
        assert_eq!(foreground, group);
    });
}

#[test]
fn sp6_2_a_new_group_in_the_foreground() {
    in_terminal(|| {
        let mut command = print_own("stat");
        command.stdin(Stdio::Inherit).new_process_group(true);
        command.file_actions(actions(|actions| actions.set_foreground(0)));
        let stat = support::text(&mut command);
        let fields: Vec<&str> = stat.split(' ').collect();
        assert_ne!(fields[GROUP - 1], getpgrp().as_raw_nonzero().to_string());
        assert_eq!(fields[GROUP - 1], fields[0]);
        assert_eq!(fields[FOREGROUND - 1], fields[0]);
    });
}

#[test]
fn sp6_4_a_new_session_has_no_terminal() {
    in_terminal(|| {
        let mut command = sh("exit 0");
        command.stdin(Stdio::Inherit).new_session(true);
        command.file_actions(actions(|actions| actions.set_foreground(0)));
        assert_eq!(error_of(&command), (Stage::FileAction(0), Errno::NOTTY));
        support::traces::assert_no_children();
    });
}

/// Everything that is shown until the child's side is closed.
fn shown(pty: Pty) -> String {
    let mut text = Vec::new();
    let end = File::from(OwnedFd::from(pty)).read_to_end(&mut text);
    assert_eq!(end.unwrap_err().raw_os_error(), Some(libc::EIO));
    String::from_utf8(text).unwrap()
}

#[test]
fn a_child_in_a_terminal() {
    let pty = Pty::open().unwrap();
    assert_eq!(fcntl_getfd(&pty), Ok(FdFlags::CLOEXEC));
    let size = WindowSize { rows: 37, columns: 91 };
    pty.resize(size).unwrap();
    assert_eq!(pty.window_size(), Ok(size));
    let mut command = sh("stty size; read -r _ _ _ _ group session tty front _ \
        < /proc/self/stat; test $group = $front -a $session = $group && echo leads; \
        read -r line < /dev/tty; echo got $line >&2; exit 3");
    let child = command.terminal(&pty).unwrap().spawn().unwrap();
    drop(command);
    assert!(child.leads_group());
    let mut typed = File::from(pty.as_fd().try_clone_to_owned().unwrap());
    typed.write_all(b"words\n").unwrap();
    drop(typed);
    let text = shown(pty);
    for line in ["37 91\r\n", "leads\r\n", "words\r\n", "got words\r\n"] {
        assert!(text.contains(line), "{text}");
    }
    assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(3));
}

#[test]
fn a_resize_is_told() {
    let pty = Pty::open().unwrap();
    let mut command = sh("trap 'stty size; exit 0' WINCH; echo ready; \
        while :; do sleep 0.01; done");
    let child = command.terminal(&pty).unwrap().spawn().unwrap();
    drop(command);
    let fd = pty.as_fd().try_clone_to_owned().unwrap();
    assert_eq!(support::read_line(&fd).trim_end(), "ready");
    drop(fd);
    let (rows, columns) = (11, 22);
    pty.resize(WindowSize { rows, columns }).unwrap();
    assert!(shown(pty).contains("11 22\r\n"));
    assert!(child.wait().unwrap().status.success());
}

#[test]
fn a_terminal_that_is_closed_hangs_up() {
    let pty = Pty::open().unwrap();
    let mut command = sleeper();
    // Also if we were started with SIGHUP ignored.
    command.default_signals(SignalSet::ALL);
    let child = command.terminal(&pty).unwrap().spawn().unwrap();
    drop(command);
    drop(pty);
    let status = child.wait().unwrap().status;
    assert_eq!(status, support::killed(offspring_spawn::Signal::HUP));
}

#[test]
fn what_is_no_terminal_to_take() {
    let null = || OwnedFd::from(File::open("/dev/null").unwrap());
    let mut command = sh("");
    command.new_session(true).controlling_terminal(null());
    let error = error_of(&command);
    assert_eq!(error, (Stage::ControllingTerminal, Errno::NOTTY));
    // A session that is not new leads nothing.
    let pty = Pty::open().unwrap();
    command.terminal(&pty).unwrap().new_session(false);
    let error = error_of(&command);
    assert_eq!(error, (Stage::ControllingTerminal, Errno::PERM));
}

#[test]
fn a_terminal_leaves_nothing_behind() {
    isolated(|| {
        let program = Program::open("/bin/sh").unwrap();
        let once = || {
            let pty = Pty::open().unwrap();
            let mut command = Command::new(&program);
            command.argv(["sh", "-c", "echo hello"]);
            let child = command.terminal(&pty).unwrap().spawn().unwrap();
            drop(command);
            assert_eq!(shown(pty), "hello\r\n");
            child.wait().unwrap();
        };
        once();
        Traces::unchanged(once);
    });
}
