//! What one spawn takes: its system calls on both sides of the clone, and the
//! instructions of the caller. A change here is a change of what every spawn
//! costs, and is explained where it is made.

mod support;

use std::time::Duration;

use offspring_spawn::{Command, Kernel, Sandbox, Stdio};
use support::isolation::{helper, is_helper, isolated, skip};
use support::place::directory;
use support::tracer::{Marks, Watch, Watched, watch};
use support::{program, status_line};

/// What the caller does, from a command that was spawned before to an exit that
/// was waited for.
const CALLER: [&str; 6] =
    ["rt_sigprocmask", "clone3", "rt_sigprocmask", "waitid", "waitid", "close"];

/// The same where the spawn waits for the end, too, and where it does so without a limit.
const PATIENT_CALLER: [&str; 6] =
    ["rt_sigprocmask", "clone3", "rt_sigprocmask", "ppoll", "waitid", "close"];
const ENDLESS_CALLER: [&str; 6] =
    ["rt_sigprocmask", "clone3", "rt_sigprocmask", "waitid", "waitid", "close"];

/// The same where another thread makes the child: the caller asks whether its ids are
/// still those of that thread, wakes it, and sleeps until it is told that there is a child.
const CARRIED_CALLER: [&str; 9] =
    ["getuid", "geteuid", "getgid", "getegid", "getpid", "futex", "ppoll", "waitid", "close"];

/// What the child does before it executes its program.
const CHILD: [&str; 8] = [
    "close_range",
    "dup3",
    "dup3",
    "dup3",
    "close_range",
    "rt_sigaction",
    "rt_sigprocmask",
    "execveat",
];

/// What the caller does besides for a pipe, which is made and closed at both
/// ends, and for a group, which is killed.
const CALLER_OF_HOST: [&str; 10] = [
    "pipe2",
    "rt_sigprocmask",
    "clone3",
    "rt_sigprocmask",
    "close",
    "waitid",
    "waitid",
    "pidfd_send_signal",
    "close",
    "close",
];

/// The same on kernels before 6.9, up to the kill: a group is killed by the number of
/// its leader, which is read before, in as many pieces as the text is long, and proven
/// to be held after.
const CALLER_OF_OLD_HOST: [&str; 13] = [
    "pipe2",
    "rt_sigprocmask",
    "clone3",
    "rt_sigprocmask",
    "close",
    "waitid",
    "waitid",
    "ioctl",
    "openat",
    "statx",
    "read",
    "close",
    "kill",
];

/// What the child does for a group, no privileges and a directory of its own,
/// with a pipe among its streams.
const CHILD_OF_HOST: [&str; 11] = [
    "close_range",
    "dup3",
    "dup3",
    "dup3",
    "close_range",
    "setpgid",
    "prctl",
    "fchdir",
    "rt_sigaction",
    "rt_sigprocmask",
    "execveat",
];

/// What a child does besides to enter a sandbox: before its attributes, and
/// behind them. In between, if it may, it asks for each capability whether it
/// could get it, gives up those that it could, and locks how root is treated.
const SANDBOX_FIRST: [&str; 1] = ["prctl"];
const SANDBOX_LAST: [&str; 6] =
    ["prlimit64", "keyctl", "prctl", "capset", "landlock_restrict_self", "seccomp"];

/// How many instructions the caller of a bare spawn takes outside the kernel at
/// most, in a build without optimisation and with its checks, and in another.
/// One compiler makes a few per cent more of them than another.
const INSTRUCTIONS: [u64; 2] = [60_000, 4_000];

/// The system calls that have a name here; the others are numbers.
const NAMES: [(i64, &str); 32] = [
    (libc::SYS_capset, "capset"),
    (libc::SYS_clone, "clone"),
    (libc::SYS_clone3, "clone3"),
    (libc::SYS_close, "close"),
    (libc::SYS_close_range, "close_range"),
    (libc::SYS_dup3, "dup3"),
    (libc::SYS_execveat, "execveat"),
    (libc::SYS_fchdir, "fchdir"),
    (libc::SYS_fcntl, "fcntl"),
    (libc::SYS_futex, "futex"),
    (libc::SYS_getegid, "getegid"),
    (libc::SYS_geteuid, "geteuid"),
    (libc::SYS_getgid, "getgid"),
    (libc::SYS_getpid, "getpid"),
    (libc::SYS_getuid, "getuid"),
    (libc::SYS_ioctl, "ioctl"),
    (libc::SYS_keyctl, "keyctl"),
    (libc::SYS_kill, "kill"),
    (libc::SYS_landlock_restrict_self, "landlock_restrict_self"),
    (libc::SYS_openat, "openat"),
    (libc::SYS_pidfd_send_signal, "pidfd_send_signal"),
    (libc::SYS_pipe2, "pipe2"),
    (libc::SYS_ppoll, "ppoll"),
    (libc::SYS_prctl, "prctl"),
    (libc::SYS_prlimit64, "prlimit64"),
    (libc::SYS_read, "read"),
    (libc::SYS_rt_sigaction, "rt_sigaction"),
    (libc::SYS_rt_sigprocmask, "rt_sigprocmask"),
    (libc::SYS_seccomp, "seccomp"),
    (libc::SYS_setpgid, "setpgid"),
    (libc::SYS_statx, "statx"),
    (libc::SYS_waitid, "waitid"),
];

fn name(number: i64) -> String {
    let known = NAMES.iter().find(|(known, _)| *known == number);
    known.map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned())
}

fn names(numbers: &[i64]) -> Vec<String> {
    numbers.iter().copied().map(name).collect()
}

/// Spawns and waits some times, and the last time is watched.
fn spawn(command: &Command) {
    let marks = Marks::new();
    for round in 0..5 {
        if round == 4 {
            marks.begin();
        }
        let exit = command.spawn().map(|child| child.wait());
        if round == 4 {
            marks.end();
        }
        assert!(exit.unwrap().unwrap().status.success());
    }
}

/// Watches this test spawn in a process of its own; `None` where that is not
/// allowed.
fn watched<F>(body: &F, what: Watch) -> Option<Watched> {
    match watch(helper(body), what) {
        Ok(watched) => Some(watched),
        Err(error) => {
            skip("cost", format_args!("cannot watch a process: {error}"));
            None
        }
    }
}

/// The system calls of the caller, and those of the only child that there was.
fn sides(watched: &Watched) -> (Vec<String>, Vec<String>) {
    let mut caller = names(&watched.calls[&watched.caller]);
    // A build with debug assertions looks whether what it closes is open.
    caller.retain(|name| !(cfg!(debug_assertions) && name == "fcntl"));
    // Asked for when a child used more memory than was known of us.
    caller.retain(|name| *name != libc::SYS_getrusage.to_string());
    let mut others = watched
        .calls
        .iter()
        .filter(|(other, calls)| **other != watched.caller && calls.contains(&libc::SYS_execveat));
    let (_, child) = others.next().expect("a child");
    assert!(others.next().is_none());
    let executed = child.iter().position(|number| *number == libc::SYS_execveat);
    (caller, names(&child[..=executed.unwrap()]))
}

fn bare() -> Command {
    Command::new(&program("true"))
}

/// As the host of a guest spawns, with one pipe.
fn of_host() -> Command {
    let mut command = bare();
    let root = directory("/".as_ref());
    command.new_process_group(true).no_new_privileges(true).current_dir(root);
    command.stdout(Stdio::Piped);
    command
}

#[test]
fn the_system_calls_of_a_spawn() {
    let body = || {};
    if is_helper(&body) {
        return spawn(&bare());
    }
    isolated(|| {
        let Some(watched) = watched(&body, Watch::Calls) else { return };
        let (caller, child) = sides(&watched);
        assert_eq!(caller, CALLER);
        assert_eq!(child, CHILD);
    });
}

#[test]
fn the_system_calls_of_a_patient_spawn() {
    let body = || {};
    if is_helper(&body) {
        return spawn(bare().patience(Duration::from_secs(60)));
    }
    isolated(|| {
        let Some(watched) = watched(&body, Watch::Calls) else { return };
        let (caller, child) = sides(&watched);
        assert_eq!(caller, PATIENT_CALLER);
        assert_eq!(child, CHILD);
    });
}

#[test]
fn the_system_calls_of_an_endlessly_patient_spawn() {
    let body = || {};
    if is_helper(&body) {
        return spawn(bare().patience(Duration::MAX));
    }
    isolated(|| {
        let Some(watched) = watched(&body, Watch::Calls) else { return };
        let (caller, child) = sides(&watched);
        assert_eq!(caller, ENDLESS_CALLER);
        assert_eq!(child, CHILD);
    });
}

#[test]
fn the_system_calls_of_a_carried_spawn() {
    let program = program("true");
    let builder = Sandbox::builder().run_time(true).program(&program);
    let body = || {};
    if is_helper(&body) {
        let sandbox = builder.build().unwrap();
        sandbox.carry(1).unwrap();
        return spawn(bare().sandbox(&sandbox).patience(Duration::from_secs(60)));
    }
    isolated(|| {
        if let Err(missing) = builder.build() {
            return skip("the_system_calls_of_a_carried_spawn", missing);
        }
        let Some(watched) = watched(&body, Watch::Calls) else { return };
        let (mut caller, child) = sides(&watched);
        caller.dedup_by(|next, call| next == call && next == "futex");
        assert_eq!(caller, CARRIED_CALLER);
        // Of its sandbox only the limit of core files is its own.
        let [before @ .., _, _, _] = CHILD;
        let behind = &CHILD[before.len()..];
        assert_eq!(child, [&before[..], &["prlimit64"], behind].concat());
    });
}

#[test]
fn the_system_calls_of_a_hosts_spawn() {
    let body = || {};
    if is_helper(&body) {
        return spawn(&of_host());
    }
    isolated(|| {
        let Some(watched) = watched(&body, Watch::Calls) else { return };
        let (mut caller, child) = sides(&watched);
        match Kernel::get().unwrap().has_group_signals() {
            true => assert_eq!(caller, CALLER_OF_HOST),
            false => {
                caller.dedup_by(|next, call| next == call && next == "read");
                assert_eq!(caller[..CALLER_OF_OLD_HOST.len()], CALLER_OF_OLD_HOST);
            }
        }
        assert_eq!(child, CHILD_OF_HOST);
    });
}

#[test]
fn the_system_calls_of_a_spawn_in_a_sandbox() {
    let program = program("true");
    let builder = Sandbox::builder().run_time(true).program(&program);
    let body = || {};
    if is_helper(&body) {
        return spawn(bare().sandbox(&builder.build().unwrap()));
    }
    isolated(|| {
        if let Err(missing) = builder.build() {
            return skip("the_system_calls_of_a_spawn_in_a_sandbox", missing);
        }
        let Some(watched) = watched(&body, Watch::Calls) else { return };
        let (caller, child) = sides(&watched);
        // All that the caller has to do was done when the sandbox was made.
        assert_eq!(caller, CALLER);
        let has = capabilities("CapBnd").count_ones() as usize;
        assert_eq!(child, in_a_sandbox(has));
    });
}

/// What this process has given up its children need not.
#[test]
fn the_system_calls_of_a_spawn_with_an_empty_bounding_set() {
    let program = program("true");
    let body = || {};
    if is_helper(&body) {
        let _ = Sandbox::empty_bounding_set();
        let sandbox = Sandbox::builder().run_time(true).program(&program);
        return spawn(bare().sandbox(&sandbox.build().unwrap()));
    }
    isolated(|| {
        if let Err(missing) = Sandbox::builder().run_time(true).program(&program).build() {
            return skip("the_system_calls_of_a_spawn_with_an_empty_bounding_set", missing);
        }
        let Some(watched) = watched(&body, Watch::Calls) else { return };
        let (_, child) = sides(&watched);
        assert_eq!(child, in_a_sandbox(0));
    });
}

/// What a child does that enters a sandbox and can get so many capabilities.
fn in_a_sandbox(has: usize) -> Vec<&'static str> {
    const SETPCAP: u64 = 1 << 8;
    let bounds = match capabilities("CapEff") & SETPCAP {
        0 => 0,
        _ => {
            let last = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap();
            let known = last.trim().parse::<usize>().unwrap() + 1;
            known + has + 1
        }
    };
    let [before @ .., _, _, _] = CHILD;
    let behind = &CHILD[before.len()..];
    let bounds = vec!["prctl"; bounds];
    [&before[..], &SANDBOX_FIRST, &bounds, &SANDBOX_LAST, behind].concat()
}

/// A set of this process.
fn capabilities(name: &str) -> u64 {
    u64::from_str_radix(&status_line("self", name), 16).unwrap()
}

#[test]
fn the_instructions_of_a_spawn() {
    let body = || {};
    if is_helper(&body) {
        return spawn(&bare());
    }
    isolated(|| {
        let Some(watched) = watched(&body, Watch::Instructions) else { return };
        let count = watched.instructions;
        let [checked, optimised] = INSTRUCTIONS;
        let most = if cfg!(debug_assertions) { checked } else { optimised };
        assert!((most / 4..most).contains(&count), "{count} instructions");
    });
}
