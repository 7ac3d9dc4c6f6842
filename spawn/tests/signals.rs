//! Signals: what a child starts with, and what never happens to it.

mod support;

use std::process;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use offspring_spawn::{Command, Errno, ExitStatus, Signal, SignalSet};
use rustix::process::{Signal as Raw, kill_current_process_group, setpgid};
use support::isolation::isolated;
use support::place::Place;
use support::refusal::refuse;
use support::traces::assert_no_children;
use support::{bit, find_signals, program, sh, status_line, text};

#[expect(unsafe_code, reason = "signals are set up as a C program would")]
mod host {
    use std::mem::MaybeUninit;

    /// Sets what this process does on a signal: `SIG_IGN` or a handler.
    pub fn on(signal: i32, action: libc::sighandler_t) {
        // SAFETY: the action is a constant or a handler that only loads and
        // stores atomics and makes one system call.
        let before = unsafe { libc::signal(signal, action) };
        assert_ne!(before, libc::SIG_ERR);
    }

    /// Blocks every signal of this thread.
    pub fn block_all() {
        let mut all = MaybeUninit::uninit();
        // SAFETY: this fills the set.
        unsafe { libc::sigfillset(all.as_mut_ptr()) };
        // SAFETY: the set is filled; the old one is not asked for.
        let failed =
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), std::ptr::null_mut()) };
        assert_eq!(failed, 0);
    }
}

/// The process whose handler [`handler`] is.
static HOST: AtomicU32 = AtomicU32::new(0);
/// How often the handler ran there, and elsewhere.
static AT_HOME: AtomicU32 = AtomicU32::new(0);
static ABROAD: AtomicU32 = AtomicU32::new(0);

extern "C" fn handler(_: i32) {
    let at_home = process::id() == HOST.load(Ordering::Relaxed);
    let count = if at_home { &AT_HOME } else { &ABROAD };
    count.fetch_add(1, Ordering::Relaxed);
}

/// Handles a signal in this process, in a group of its own.
fn handle(signal: i32) {
    setpgid(None, None).unwrap();
    HOST.store(process::id(), Ordering::Relaxed);
    let handler: extern "C" fn(i32) = handler;
    host::on(signal, handler as libc::sighandler_t);
}

/// Runs something while this process's group gets a signal as often as can be.
fn under_storm(signal: Raw, body: impl FnOnce()) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                kill_current_process_group(signal).unwrap();
            }
        });
        body();
        over.store(true, Ordering::Relaxed);
    });
    assert!(AT_HOME.load(Ordering::Relaxed) > 0);
    assert_eq!(ABROAD.load(Ordering::Relaxed), 0);
}

fn mask() -> String {
    status_line("thread-self", "SigBlk")
}

#[test]
fn a_child_starts_with_none_blocked() {
    isolated(|| {
        host::block_all();
        host::on(libc::SIGUSR1, libc::SIG_IGN);
        host::on(libc::SIGUSR2, handler as extern "C" fn(i32) as libc::sighandler_t);
        let ours = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let ignored = find_signals(&ours, "SigIgn");
        assert_ne!(find_signals(&ours, "SigBlk"), 0);
        assert_ne!(ignored & bit(Signal::PIPE), 0, "Rust ignores SIGPIPE");
        let asked = SignalSet::ignored().iter().map(bit);
        assert_eq!(asked.fold(0, |set, bit| set | bit), ignored);

        let child = text(Command::new(&program("cat")).arg("/proc/self/status"));
        assert_eq!(find_signals(&child, "SigBlk"), 0);
        assert_eq!(find_signals(&child, "SigCgt"), 0);
        assert_eq!(find_signals(&child, "SigIgn"), ignored & !bit(Signal::PIPE));
        assert_ne!(ignored & bit(Signal::USR1), 0);
    });
}

#[test]
fn the_mask_of_the_host_stays() {
    isolated(|| {
        let place = Place::new();
        let empty = place.script("empty", "");
        let check = || {
            let before = mask();
            assert!(sh("exit 0").spawn().unwrap().wait().is_ok());
            assert_eq!(mask(), before);
            assert!(Command::new(&empty).spawn().is_err());
            assert_eq!(mask(), before);
        };
        check();
        host::block_all();
        assert_ne!(mask(), "0".repeat(16));
        check();
    });
}

/// Starts children under a storm; each must end in one of these ways.
fn spawn_under_storm(signal: Raw, ends: &[ExitStatus]) {
    handle(signal.as_raw());
    let command = sh("exit 5");
    under_storm(signal, || {
        for _ in 0..200 {
            let status = command.spawn().unwrap().wait().unwrap().status;
            assert!(ends.contains(&status), "{status}");
        }
    });
    assert_no_children();
}

/// Ignored by default: no child must notice it.
const HARMLESS: (Raw, &[ExitStatus]) = (Raw::URG, &[ExitStatus::Exited(5)]);

/// Deadly by default: a death before the program is an end, and no error.
const DEADLY: (Raw, &[ExitStatus]) =
    (Raw::USR1, &[ExitStatus::Exited(5), support::killed(Signal::USR1)]);

#[test]
fn handlers_of_the_host_run_only_there() {
    isolated(|| spawn_under_storm(HARMLESS.0, HARMLESS.1));
}

#[test]
fn g10_a_deadly_signal_before_the_program_is_an_end() {
    isolated(|| spawn_under_storm(DEADLY.0, DEADLY.1));
}

#[test]
fn handlers_of_the_host_run_only_there_without_clone3() {
    isolated(|| {
        refuse(libc::SYS_clone3, Errno::NOSYS);
        spawn_under_storm(HARMLESS.0, HARMLESS.1);
    });
}

#[test]
fn a_deadly_signal_before_the_program_without_clone3() {
    isolated(|| {
        refuse(libc::SYS_clone3, Errno::NOSYS);
        spawn_under_storm(DEADLY.0, DEADLY.1);
    });
}

#[test]
fn an_ignored_sigchld_loses_no_status() {
    isolated(|| {
        if !support::keeps_exit_info("an_ignored_sigchld_loses_no_status") {
            return;
        }
        host::on(libc::SIGCHLD, libc::SIG_IGN);
        for code in [0, 7, 255] {
            let exit = sh(&format!("exit {code}")).spawn().unwrap().wait().unwrap();
            assert_eq!(exit.status, ExitStatus::Exited(code));
            assert_eq!(exit.usage, None);
        }
        let child = support::sleeper().spawn().unwrap();
        assert_eq!(child.try_wait().unwrap(), None);
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().status, support::killed(Signal::KILL));
        let place = Place::new();
        let error = Command::new(&place.script("empty", "")).spawn().unwrap_err();
        assert_eq!(error.errno, Errno::NOEXEC);
        assert_no_children();
    });
}

/// What a child ignores when this process does this with USR1 and USR2, and
/// has all other signals at their default.
fn ignored_by_child(action: libc::sighandler_t, defaults: &[Signal]) -> u64 {
    for number in 1..=64 {
        if ![libc::SIGKILL, libc::SIGSTOP, 32, 33].contains(&number) {
            host::on(number, libc::SIG_DFL);
        }
    }
    host::on(libc::SIGUSR1, action);
    host::on(libc::SIGUSR2, action);
    let mut command = support::print_own("status");
    if !defaults.is_empty() {
        command.default_signals(defaults.iter().copied().collect());
    }
    let status = text(&mut command);
    assert_eq!(find_signals(&status, "SigCgt"), 0);
    // What a C library keeps for itself stays as we got it.
    find_signals(&status, "SigIgn") & !(3 << 31)
}

#[test]
fn sp7_1_defaults_stay() {
    isolated(|| assert_eq!(ignored_by_child(libc::SIG_DFL, &[]), 0));
}

#[test]
fn sp7_2_handlers_become_defaults() {
    isolated(|| {
        let handler: extern "C" fn(i32) = handler;
        assert_eq!(ignored_by_child(handler as libc::sighandler_t, &[]), 0);
    });
}

#[test]
fn sp7_3_what_is_ignored_stays_ignored() {
    isolated(|| {
        let both = bit(Signal::USR1) | bit(Signal::USR2);
        assert_eq!(ignored_by_child(libc::SIG_IGN, &[]), both);
    });
}

#[test]
fn sp7_4_unless_it_is_to_be_the_default() {
    isolated(|| {
        let both = [Signal::USR1, Signal::USR2];
        assert_eq!(ignored_by_child(libc::SIG_IGN, &both), 0);
        let second = bit(Signal::USR2);
        assert_eq!(ignored_by_child(libc::SIG_IGN, &both[..1]), second);
    });
}

#[test]
fn sp7_5_such_children_end_well() {
    isolated(|| {
        let mut command = sh("exit 0");
        // Two of them have no other action, which is no error.
        let child = command.default_signals(SignalSet::ALL).spawn().unwrap();
        assert!(child.wait().unwrap().status.success());
    });
}

#[test]
fn g16_the_mask_of_a_child() {
    isolated(|| {
        let blocked = |set: Option<SignalSet>| {
            let mut command = support::print_own("status");
            if let Some(set) = set {
                command.signal_mask(set);
            }
            find_signals(&text(&mut command), "SigBlk")
        };
        let set = [Signal::TERM, Signal::KILL].into_iter().collect();
        assert_eq!(blocked(Some(set)), bit(Signal::TERM));
        host::block_all();
        assert_eq!(blocked(None), 0);
        // What posix_spawn does.
        let ours = u64::from_str_radix(&mask(), 16).unwrap();
        assert_ne!(ours, 0);
        assert_eq!(blocked(Some(SignalSet::blocked())), ours);
    });
}
