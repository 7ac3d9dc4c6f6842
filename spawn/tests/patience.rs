//! Spawns that wait for the end of the process, too.

mod support;

use std::fs;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use offspring_spawn::{
    Command, Errno, Exit, ExitStatus, Kernel, Program, Signal, SpawnAbort, SpawnError, Stage, Stdio,
};
use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{self, Pid, kill_process};
use support::cgroup::Cgroup;
use support::isolation::{isolated, skip};
use support::place::Place;
use support::refusal::refuse;
use support::sandbox::sandbox;
use support::traces::{Traces, assert_no_children};
use support::{error_of, killed, program, sh, sleeper};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    pipe_with(PipeFlags::CLOEXEC)
}

/// How the process of this command had ended when its spawn came back.
fn ended(command: &mut Command) -> Option<Exit> {
    command.patience(LONG).spawn().unwrap().try_wait().unwrap()
}

fn status(command: &mut Command) -> Option<ExitStatus> {
    ended(command).map(|exit| exit.status)
}

/// What holds of every way to make a child.
fn is_patient(change: impl Fn(&mut Command)) {
    let sh = |script| {
        let mut command = sh(script);
        change(&mut command);
        command
    };
    assert_eq!(status(&mut sh("exit 7")), Some(ExitStatus::Exited(7)));
    let child = sh("sleep 0.02; exit 8").patience(Duration::MAX).spawn().unwrap();
    assert_eq!(child.try_wait().unwrap().unwrap().status, ExitStatus::Exited(8));
    let child = sh("exit 9").patience(Duration::MAX).spawn().unwrap();
    assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(9));
    let exit = ended(&mut sh("kill -TERM $$")).unwrap();
    assert_eq!(exit.status, killed(Signal::TERM));
    assert!(exit.usage.unwrap().user_time < LONG);

    // Its time is over.
    let (reader, writer) = pipe().unwrap();
    let mut command = sh("read _");
    let child = command.stdin(reader).patience(Duration::from_millis(20)).spawn().unwrap();
    assert_eq!(child.try_wait().unwrap(), None);
    drop((command, writer));
    assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(1));

    // Somebody must be able to write.
    let mut child = sh("read _").stdin(Stdio::Piped).patience(LONG).spawn().unwrap();
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(1));
}

#[test]
fn by_the_calling_thread() {
    isolated(|| {
        is_patient(|_| {});
        Traces::unchanged(|| is_patient(|_| {}));
    });
}

#[test]
fn by_a_carrier() {
    isolated(|| {
        if !Kernel::get().unwrap().has_clone3() {
            return skip("by_a_carrier", "clone3 is refused");
        }
        let sandbox = sandbox(&program("sh")).build().unwrap();
        sandbox.carry(1).unwrap();
        is_patient(|command| {
            command.sandbox(&sandbox);
        });
        assert_no_children();
    });
}

/// Where the kernel cannot say that memory is not used any more.
#[test]
fn without_clone3() {
    isolated(|| {
        refuse(libc::SYS_clone3, Errno::NOSYS);
        is_patient(|_| {});
        Traces::unchanged(|| is_patient(|_| {}));
    });
}

#[test]
fn what_fails_is_told_as_ever() {
    isolated(|| {
        let place = Place::new();
        let empty = Program::open(place.file("empty", 0o755, "")).unwrap();
        let all = || {
            let mut command = Command::new(&empty);
            assert_eq!(error_of(command.patience(LONG)), (Stage::Exec, Errno::NOEXEC));
            let file = fs::File::open(place.path("empty")).unwrap();
            let mut command = sh("exit");
            command.current_dir(OwnedFd::from(file));
            let error = error_of(command.patience(LONG));
            assert_eq!(error, (Stage::WorkingDirectory, Errno::NOTDIR));
        };
        all();
        Traces::unchanged(all);
    });
}

/// A stack and orders are used again at once, and must not be while a child has them.
#[test]
fn no_patience_to_speak_of() {
    isolated(|| {
        let run = || {
            for round in 0..500_u32 {
                let patience = Duration::from_nanos(1 << (round % 20));
                let mut command = Command::new(&program("true"));
                command.arg(round.to_string()).patience(patience);
                let child = command.spawn().unwrap();
                assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(0));
            }
        };
        run();
        Traces::unchanged(run);
    });
}

#[test]
fn interrupted_by_signals() {
    isolated(|| {
        extern "C" fn nothing(_: i32) {}
        let nothing: extern "C" fn(i32) = nothing;
        // SAFETY: the handler does nothing.
        unsafe { libc::signal(libc::SIGUSR1, nothing as libc::sighandler_t) };
        let own = std::process::id();
        // SAFETY: it is the calling thread's own number.
        let thread = unsafe { libc::gettid() };
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    // SAFETY: the call takes numbers; the thread lives as long as the scope.
                    unsafe { libc::syscall(libc::SYS_tgkill, own, thread, libc::SIGUSR1) };
                    thread::sleep(Duration::from_micros(200));
                }
            });
            for _ in 0..20 {
                assert_eq!(status(&mut sh("sleep 0.02; exit 3")), Some(ExitStatus::Exited(3)));
            }
            // They do not make it longer.
            let start = Instant::now();
            let child = sleeper().patience(Duration::from_millis(50)).spawn().unwrap();
            assert!(start.elapsed() >= Duration::from_millis(50));
            assert_eq!(child.try_wait().unwrap(), None);
            over.store(true, Ordering::Relaxed);
        });
        assert_no_children();
    });
}

/// A program that runs is not made unmade.
#[test]
fn an_abort_of_what_runs() {
    isolated(|| {
        let place = Place::new();
        let fifo = place.path("runs");
        mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
        let abort = SpawnAbort::default();
        let mut command = sh("echo runs > \"$0\"; read _");
        let (reader, writer) = pipe().unwrap();
        command.arg(&fifo).stdin(reader).patience(Duration::from_millis(300));
        let spawned = thread::scope(|scope| {
            let by = abort.clone();
            scope.spawn(move || {
                assert_eq!(fs::read_to_string(&fifo).unwrap(), "runs\n");
                by.abort();
            });
            command.spawn_abortable(&abort)
        });
        if Kernel::get().unwrap().has_clone3() {
            let child = spawned.unwrap();
            assert_eq!(child.try_wait().unwrap(), None);
            drop(writer);
            assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(1));
        }
    });
}

/// In a frozen cgroup a child does not come to execute its program: patience or not.
#[test]
fn an_abort_of_what_does_not_run_yet() {
    isolated(|| {
        let Some(cgroup) = Cgroup::new("an_abort_of_what_does_not_run_yet") else { return };
        fs::write(cgroup.file("cgroup.freeze"), "1").unwrap();
        let abort = SpawnAbort::default();
        let stuck = thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(30));
                abort.abort();
            });
            let mut command = sleeper();
            command.cgroup(cgroup.directory()).patience(Duration::from_millis(1));
            command.spawn_abortable(&abort)
        });
        let error = SpawnError { stage: Stage::Exec, errno: Errno::CANCELED };
        assert_eq!(stuck.map(drop), Err(error));
        assert_no_children();
    });
}

/// Killed at any moment, also before it executes its program, it is a child that ended.
#[test]
fn killed_from_elsewhere() {
    isolated(|| {
        let own = std::process::id();
        // That one makes a process, too.
        Kernel::get().unwrap();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let children = support::traces::children();
                    for pid in children.split_whitespace().filter_map(|word| word.parse().ok()) {
                        assert_ne!(pid, i32::try_from(own).unwrap());
                        // It is ours, or was a moment ago: no number comes again so soon.
                        let _ = kill_process(Pid::from_raw(pid).unwrap(), process::Signal::KILL);
                    }
                }
            });
            let exits: Vec<_> = (0..300)
                .map(|_| sleeper().patience(LONG).spawn().map(|child| child.try_wait().unwrap()))
                .collect();
            over.store(true, Ordering::Relaxed);
            for exit in exits {
                assert_eq!(exit.unwrap().expect("it sleeps for long").status, killed(Signal::KILL));
            }
        });
        assert_no_children();
    });
}
