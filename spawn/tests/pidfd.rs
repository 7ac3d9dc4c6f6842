//! Processes by their descriptors: numbers, signals, and what is known of them.

mod support;

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use offspring_spawn::{Command, Errno, ExitStatus, PidFd, Program, Signal, Stdio};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{
    PidfdFlags, WaitId, WaitIdOptions, getegid, geteuid, getgid, getpid, getuid, pidfd_open, waitid,
};
use support::isolation::{helper, is_helper, isolated, skip};
use support::refusal::refuse_if;
use support::{cat, killed, pid, program, sh, sleeper};

/// `PIDFD_GET_INFO`
const GET_INFO: u64 = 0xC040_FF0B;

/// Runs the body of a test as it is, and where the kernel does not tell, so
/// that numbers come from `/proc`.
fn both_ways(body: impl Fn()) {
    body();
    refuse_if(libc::SYS_ioctl, 1, GET_INFO, Errno::NOTTY);
    body();
}

fn other(file: impl Into<OwnedFd>) -> PidFd {
    PidFd::from(file.into())
}

#[test]
fn pf_2_what_is_no_pidfd() {
    isolated(|| {
        both_ways(|| {
            let (reader, writer) = std::io::pipe().unwrap();
            for fd in [
                other(fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3).unwrap()),
                other(File::open("/dev/null").unwrap()),
                other(File::open("/proc/self/status").unwrap()),
                other(support::place::directory("/".as_ref())),
                other(reader),
                other(writer),
            ] {
                assert_eq!(fd.getpid(), Err(Errno::BADF));
                assert_eq!(fd.send_signal(Signal::CONT), Err(Errno::BADF));
            }
        });
    });
}

#[test]
fn pf_4_a_process_that_runs_or_was_not_waited_for() {
    isolated(|| {
        both_ways(|| {
            let mut child = cat().spawn().unwrap();
            let number = pid(&child);
            let raw = rustix::process::Pid::from_raw(number.cast_signed()).unwrap();
            let opened = other(pidfd_open(raw, PidfdFlags::empty()).unwrap());
            assert_eq!(opened.getpid(), Ok(number));
            child.stdin = None;
            assert_eq!(child.pidfd().poll(Duration::MAX), Ok(true));
            assert_eq!(opened.getpid(), Ok(number));
            child.wait().unwrap();
        });
    });
}

#[test]
fn pf_5_waiting_by_pidfd() {
    let child = sh("exit 0").spawn().unwrap();
    let number = pid(&child);
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    let status = waitid(WaitId::PidFd(child.as_fd()), options).unwrap().unwrap();
    assert_eq!(status.exit_status(), Some(0));
    assert_eq!(pid(&child), number);
    assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(0));
}

#[test]
fn pf_6_a_process_that_was_waited_for() {
    isolated(|| {
        both_ways(|| {
            let child = sh("exit 0").spawn().unwrap();
            child.wait().unwrap();
            assert_eq!(child.pidfd().getpid(), Err(Errno::SRCH));
        });
    });
}

#[test]
fn pf_9_a_live_process() {
    isolated(|| {
        both_ways(|| {
            let own = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
            assert_eq!(other(own).getpid(), Ok(std::process::id()));
        });
    });
}

#[test]
fn pf_10_a_signal_arrives() {
    let mut command = sh("trap 'echo got; exit 4' USR1; echo ready; while :; do sleep 0.01; done");
    let mut child = command.stdout(Stdio::Piped).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    assert_eq!(support::read_line(&stdout), "ready");
    child.pidfd().send_signal(Signal::USR1).unwrap();
    assert_eq!(support::read_line(&stdout), "got");
    assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(4));
}

#[test]
fn pf_13_a_kill_by_pidfd() {
    let child = sleeper().spawn().unwrap();
    child.pidfd().send_signal(Signal::KILL).unwrap();
    assert_eq!(child.wait().unwrap().status, killed(Signal::KILL));
}

/// Whether the kernel tells by `PIDFD_GET_INFO`.
fn has_info(name: &str) -> bool {
    let own = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    let has = !matches!(other(own).info(), Err(Errno::NOTTY | Errno::INVAL));
    if !has {
        skip(name, "this kernel tells nothing of pidfds");
    }
    has
}

#[test]
fn gi_1_information_of_a_process() {
    if has_info("gi_1_information_of_a_process") {
        let child = sleeper().spawn().unwrap();
        assert!(child.pidfd().info().is_ok());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(child.pidfd().info(), Err(Errno::SRCH));
    }
}

#[test]
fn gi_2_it_is_what_system_calls_say() {
    if has_info("gi_2_it_is_what_system_calls_say") {
        let own = other(pidfd_open(getpid(), PidfdFlags::empty()).unwrap());
        let info = own.info().unwrap();
        assert_eq!(info.pid, std::process::id());
        assert_eq!(info.parent, std::os::unix::process::parent_id());
        let [user, effective, _] = info.users;
        assert_eq!([user, effective], [getuid(), geteuid()].map(|id| id.as_raw()));
        let [group, effective, _] = info.groups;
        assert_eq!([group, effective], [getgid(), getegid()].map(|id| id.as_raw()));
        assert_ne!(info.cgroup, Some(0));
        let child = sleeper().spawn().unwrap();
        let info = child.pidfd().info().unwrap();
        assert_eq!((info.pid, info.parent), (pid(&child), std::process::id()));
    }
}

#[test]
fn pm_2_no_signal_after_a_wait() {
    let child = sleeper().spawn().unwrap();
    child.pidfd().send_signal(Signal::KILL).unwrap();
    assert_eq!(child.wait().unwrap().status, killed(Signal::KILL));
    let sent = child.pidfd().send_signal(Signal::TERM);
    assert_eq!(sent, Err(Errno::SRCH));
}

/// What [`g12_a_process_of_another_namespace`]'s helper was given.
const GIVEN: i32 = 7;

#[test]
#[expect(unsafe_code, reason = "an inherited descriptor has no owner yet")]
fn g12_a_process_of_another_namespace() {
    use std::os::fd::FromRawFd;
    let name = "g12_a_process_of_another_namespace";
    let body = || {
        // SAFETY: the test that started this process passed it, to nobody else.
        let given = other(unsafe { OwnedFd::from_raw_fd(GIVEN) });
        assert_eq!(given.getpid(), Err(Errno::REMOTE));
        refuse_if(libc::SYS_ioctl, 1, GET_INFO, Errno::NOTTY);
        assert_eq!(given.getpid(), Err(Errno::REMOTE));
        // Ours are not remote.
        let own = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
        assert_eq!(other(own).getpid(), Ok(std::process::id()));
    };
    if is_helper(&body) {
        return body();
    }
    if !geteuid().is_root() {
        return skip(name, "only root makes process-id namespaces");
    }
    let Ok(unshare) = Program::search("unshare", "/bin:/usr/bin".as_ref()) else {
        return skip(name, "there is no unshare");
    };
    let again = helper(&body);
    let mut command = Command::new(&unshare);
    command.args(["--fork", "--pid", "--mount-proc"]);
    command.arg(again.get_program()).args(again.get_args());
    for (key, value) in again.get_envs() {
        if let Some(value) = value {
            command.env(key, value);
        }
    }
    let own = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    command.pass(own, GIVEN).unwrap();
    command.stderr(Stdio::Inherit);
    let (text, status) = support::output(&mut command);
    assert!(status.success(), "{status} {text}");
    assert!(text.contains("test result: ok. 1 passed"), "{text}");
}

#[test]
fn g13_a_status_that_somebody_else_waited_for() {
    isolated(|| {
        let name = "g13_a_status_that_somebody_else_waited_for";
        if !support::keeps_exit_info(name) {
            return;
        }
        let child = sh("exit 9").spawn().unwrap();
        let status = waitid(WaitId::All, WaitIdOptions::EXITED).unwrap();
        assert_eq!(status.unwrap().exit_status(), Some(9));
        assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(9));
    });
}

#[test]
fn g14_readable_is_not_gone() {
    let mut child = cat().spawn().unwrap();
    let events = |fd: &offspring_spawn::Child| {
        let mut fds = [PollFd::new(fd, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec::default())).unwrap();
        fds[0].revents()
    };
    assert_eq!(events(&child), PollFlags::empty());
    child.stdin = None;
    assert_eq!(child.pidfd().poll(Duration::MAX), Ok(true));
    assert_eq!(events(&child), PollFlags::IN);
    // Ended, and still to be waited for: its number is its own.
    assert!(child.pidfd().getpid().is_ok());
    assert!(child.wait().unwrap().status.success());
    assert!(events(&child).contains(PollFlags::IN));
    assert_eq!(child.pidfd().getpid(), Err(Errno::SRCH));
}

#[test]
fn g15_a_group_after_its_leader_was_waited_for() {
    let mut command = sh("sleep 300 & echo $!; read line");
    command.stdin(Stdio::Piped).stdout(Stdio::Piped);
    let mut child = command.new_process_group(true).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    support::read_line(&stdout);
    child.stdin = None;
    child.wait().unwrap();
    child.signal_group(Signal::KILL).unwrap();
    support::assert_ends(&stdout);
}

#[test]
fn a_pidfd_can_be_passed_on() {
    let child = sleeper().spawn().unwrap();
    let copy = Arc::new(fcntl_dupfd_cloexec(&child, 3).unwrap());
    let mut command = Command::new(&program("cat"));
    command.arg("/proc/self/fdinfo/9").pass(copy, 9).unwrap();
    let text = support::text(&mut command);
    assert_eq!(support::find_line(&text, "Pid"), pid(&child).to_string());
}
