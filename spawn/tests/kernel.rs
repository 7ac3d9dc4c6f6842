//! What becomes of a spawn when the kernel refuses what it needs.

mod support;

use std::sync::Arc;

use offspring_spawn::{
    Errno, ExitStatus, FileActions, Kernel, Mode, OFlags, Signal, SpawnError, Stage, Stdio,
    Unsupported,
};
use rustix::process::{WaitOptions, wait};
use support::cgroup::Cgroup;
use support::isolation::{isolated, skip};
use support::place::{Place, inheritable};
use support::proc::hide_proc;
use support::refusal::{end_if, refuse, refuse_if};
use support::traces::{Traces, assert_no_children};
use support::{assert_ends, find_signals, killed, program, read, read_line, sh, sleeper, text};

/// `PIDFD_GET_INFO`, and the flag that signals a group.
const GET_INFO: u64 = 0xC040_FF0B;
const PROCESS_GROUP: u64 = 4;

/// What the process exits with that finds out what the kernel offers.
const PROBE_EXIT: u64 = 127;

/// All that a child can be asked for, by way of clone instead of clone3.
fn everything_works(name: &str) {
    assert!(!Kernel::get().unwrap().has_clone3());
    let mut child = support::cat().stdout(Stdio::Piped).spawn().unwrap();
    support::write(child.stdin.take(), "through");
    assert_eq!(read(child.stdout.take()), "through");
    assert!(child.wait().unwrap().status.success());

    let place = Place::new();
    let empty = place.script("empty", "");
    Traces::unchanged(|| {
        let error = offspring_spawn::Command::new(&empty).spawn().unwrap_err();
        assert_eq!((error.stage, error.errno), (Stage::Exec, Errno::NOEXEC));
        let child = sleeper().new_process_group(true).spawn().unwrap();
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().status, killed(Signal::KILL));
    });

    let ours = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = find_signals(&ours, "SigIgn") & !support::bit(Signal::PIPE);
    let mut cat = offspring_spawn::Command::new(&program("cat"));
    let child = text(cat.arg("/proc/self/status"));
    assert_eq!(find_signals(&child, "SigBlk"), 0);
    assert_eq!(find_signals(&child, "SigIgn"), ignored);

    cgroups_work(name);
    assert_no_children();
}

/// The child joins its group itself; what is none is refused in the same words.
fn cgroups_work(name: &str) {
    let error_of = |fd| sh("").cgroup(fd).spawn().unwrap_err();
    let (stage, errno) = (Stage::Cgroup, Errno::BADF);
    let place = Place::new();
    // Were this written to, the test would show it.
    place.file("cgroup.procs", 0o666, "");
    let none = support::place::directory(place.root());
    assert_eq!(error_of(none), SpawnError { stage, errno });

    let Some(group) = Cgroup::new(name) else {
        return;
    };
    let directory = group.directory();
    let printed = text(sh("exec cat /proc/self/cgroup").cgroup(group.directory()));
    let line = format!("0::{}", group.name);
    assert!(printed.lines().any(|other| other == line), "{printed}");
    let file = std::fs::File::open(group.file("cgroup.procs")).unwrap();
    assert_eq!(error_of(file.into()), SpawnError { stage, errno });
    drop(group);
    let errno = Errno::NOENT;
    assert_eq!(error_of(directory), SpawnError { stage, errno });
}

#[test]
fn clone3_unknown() {
    isolated(|| {
        refuse(libc::SYS_clone3, Errno::NOSYS);
        everything_works("clone3_unknown");
    });
}

#[test]
fn clone3_forbidden() {
    isolated(|| {
        refuse(libc::SYS_clone3, Errno::PERM);
        everything_works("clone3_forbidden");
    });
}

#[test]
fn no_clone_at_all() {
    isolated(|| {
        refuse(libc::SYS_clone3, Errno::NOSYS);
        refuse(libc::SYS_clone, Errno::PERM);
        let command = sh("");
        Traces::unchanged(|| {
            let error = command.spawn().unwrap_err();
            assert_eq!((error.stage, error.errno), (Stage::Kernel, Errno::NOSYS));
        });
        assert_eq!(Kernel::get(), Err(Unsupported::Clone(Errno::PERM)));
        let words = Kernel::get().unwrap_err().to_string();
        assert!(words.contains("clone must be allowed"), "{words}");
    });
}

#[test]
fn killed_while_finding_out() {
    isolated(|| {
        // A filter is its thread's: the process that this one makes does not reach its end.
        let killed = || {
            for call in [libc::SYS_exit, libc::SYS_exit_group] {
                end_if(call, 0, PROBE_EXIT);
            }
            Kernel::get()
        };
        let unknown = std::thread::spawn(killed).join().unwrap().unwrap_err();
        assert_eq!(unknown, Unsupported::Killed(Signal::SYS));
        assert_eq!(unknown.errno(), Errno::AGAIN);
        let words = unknown.to_string();
        assert!(words.ends_with("the process that tried it was ended by SIGSYS"), "{words}");
        // It is nothing that is remembered.
        assert_eq!(sh("exit 5").spawn().unwrap().wait().unwrap().status, ExitStatus::Exited(5));
    });
}

#[test]
fn no_close_range() {
    isolated(|| {
        refuse(libc::SYS_close_range, Errno::PERM);
        assert!(!Kernel::get().unwrap().has_close_range());
        works_without_close_range();
    });
}

#[test]
fn no_close_range_and_no_clone3() {
    isolated(|| {
        refuse(libc::SYS_close_range, Errno::NOSYS);
        refuse(libc::SYS_clone3, Errno::NOSYS);
        works_without_close_range();
        everything_works("no_close_range_and_no_clone3");
    });
}

/// The child closes what it was not given, and the host keeps it.
fn works_without_close_range() {
    let place = Place::new();
    let script = place.script("script", "#!/bin/sh\nexit 6\n");
    let files: Vec<_> = (0..300).map(|_| inheritable(3)).collect();
    let mut actions = FileActions::new();
    actions.open(90, "/dev/null", OFlags::RDONLY, Mode::empty()).unwrap();
    actions.dup2(90, 120).unwrap().close_from(100).unwrap();
    let mut list = sh("ls /proc/self/fd");
    let list =
        text(list.file_actions(actions).current_dir(support::place::directory("/".as_ref())));
    // The list itself is open too.
    assert_eq!(list.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3", "90"]);
    let mut command = offspring_spawn::Command::new(&script);
    Traces::unchanged(|| {
        let status = command.spawn().unwrap().wait().unwrap().status;
        assert_eq!(status, ExitStatus::Exited(6));
    });
    command.pass(Arc::new(files.into_iter().next().unwrap()), 3).unwrap();
    let status = command.spawn().unwrap().wait().unwrap().status;
    assert_eq!(status, ExitStatus::Exited(6));
}

#[test]
fn no_close_range_any_more() {
    isolated(|| {
        let command = sh("");
        command.spawn().unwrap().wait().unwrap();
        refuse(libc::SYS_close_range, Errno::NOSYS);
        Traces::unchanged(|| {
            let (stage, errno) = (Stage::DescriptorTable, Errno::NOSYS);
            assert_eq!(command.spawn().unwrap_err(), SpawnError { stage, errno });
        });
    });
}

#[test]
fn no_proc() {
    isolated(|| {
        let pidfd = sh("").spawn().unwrap().detach();
        if let Err(error) = hide_proc() {
            return skip("no_proc", format_args!("cannot hide /proc: {error}"));
        }
        assert!(std::fs::read_dir("/proc/self").is_err());
        let child = sh("exit 5").spawn().unwrap();
        // Before Linux 6.13 only /proc tells the number.
        let tells = child.pidfd().info().is_ok();
        let number = child.pidfd().getpid();
        assert!(if tells { number.is_ok() } else { number == Err(Errno::BADF) }, "{number:?}");
        assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(5));
        refuse_if(libc::SYS_ioctl, 1, GET_INFO, Errno::NOTTY);
        assert_eq!(pidfd.getpid(), Err(Errno::BADF));
    });
}

#[test]
fn neither_proc_nor_close_range() {
    isolated(|| {
        let command = sh("");
        if let Err(error) = hide_proc() {
            let name = "neither_proc_nor_close_range";
            return skip(name, format_args!("cannot hide /proc: {error}"));
        }
        refuse(libc::SYS_close_range, Errno::PERM);
        let error = command.spawn().unwrap_err();
        assert_eq!((error.stage, error.errno), (Stage::Kernel, Errno::NOSYS));
        assert_eq!(Kernel::get(), Err(Unsupported::Descriptors(Errno::PERM)));
        let words = Kernel::get().unwrap_err().to_string();
        assert!(words.contains("close_range must be allowed"), "{words}");
        assert!(matches!(wait(WaitOptions::NOHANG), Err(Errno::CHILD)));
    });
}

#[test]
fn no_waitid() {
    isolated(|| {
        refuse(libc::SYS_waitid, Errno::PERM);
        let error = sh("").spawn().unwrap_err();
        assert_eq!((error.stage, error.errno), (Stage::Kernel, Errno::NOSYS));
        assert_eq!(Kernel::get(), Err(Unsupported::Wait(Errno::PERM)));
        let words = Kernel::get().unwrap_err().to_string();
        assert!(words.contains("waitid must be allowed"), "{words}");
        assert_eq!(support::traces::children(), "");
    });
}

#[test]
fn no_signals_to_groups() {
    isolated(|| {
        let call = libc::SYS_pidfd_send_signal;
        refuse_if(call, 3, PROCESS_GROUP, Errno::INVAL);
        assert!(!Kernel::get().unwrap().has_group_signals());
        let start = || {
            let mut command = sh("sleep 300 & echo ready; read line; exit 4");
            command.stdin(Stdio::Piped).stdout(Stdio::Piped).new_process_group(true);
            let mut child = command.spawn().unwrap();
            let stdout = child.stdout.take().unwrap();
            assert_eq!(read_line(&stdout), "ready");
            (child, stdout)
        };
        let (mut child, stdout) = start();
        child.stdin = None;
        let exit = child.wait().unwrap();
        assert_eq!(exit.status, ExitStatus::Exited(4));
        assert!(exit.usage.is_some());
        child.signal_group(Signal::TERM).unwrap();
        assert_ends(&stdout);
        assert_eq!(child.wait().unwrap(), exit);
        assert_eq!(child.try_wait().unwrap(), Some(exit));
        drop(child);
        assert_no_children();

        let (child, stdout) = start();
        drop(child);
        assert_ends(&stdout);
        assert_no_children();
    });
}

#[test]
fn no_information_of_pidfds() {
    isolated(|| {
        refuse_if(libc::SYS_ioctl, 1, GET_INFO, Errno::NOTTY);
        assert!(!Kernel::get().unwrap().has_exit_info());
        let child = sh("exit 3").spawn().unwrap();
        let number = child.pidfd().getpid().unwrap();
        let (waited, _) = wait(WaitOptions::empty()).unwrap().unwrap();
        assert_eq!(i64::from(waited.as_raw_nonzero().get()), i64::from(number));
        assert_eq!(child.pidfd().getpid(), Err(Errno::SRCH));
        let exit = child.wait().unwrap();
        assert_eq!((exit.status, exit.usage), (ExitStatus::Lost, None));
        assert!(!exit.status.success());
    });
}
