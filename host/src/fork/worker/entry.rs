//! The other side: the process of a worker or a zygote.

use std::convert::Infallible;
use std::env;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use offspring_spawn::{Fork, Sibling, Signal, exit_process};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{getppid, setpgid};
use rustix::stdio::{dup2_stdin, stdin};

use super::job::{Setup, Work};
use super::message::{Kind, Message, nonsense};
use crate::fork::{expect_more, flush};

/// Names what a process was started for, and by which process: a variable may be
/// inherited by others, which were not.
pub(super) const ROLE: &str = "OFFSPRING_FORK_WORKER";

/// What a program was started for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Worker,
    Zygote,
}

/// What a worker exits with that could not begin, as `offspring run` does.
const FAILURE: u8 = 125;

/// What it exits with after a panic, as Rust programs do.
const PANICKED: u8 = 101;

impl Role {
    /// The value of the variable for a child of this process.
    pub(super) fn words(self, parent: u32) -> String {
        match self {
            Role::Worker => format!("worker:{parent}"),
            Role::Zygote => format!("zygote:{parent}"),
        }
    }

    fn of_this_process() -> Option<Role> {
        let words = env::var(ROLE).ok()?;
        let parent = getppid().map_or(0, |pid| pid.as_raw_pid().unsigned_abs());
        [Role::Worker, Role::Zygote].into_iter().find(|role| role.words(parent) == words)
    }
}

/// Makes a program one of workers: to be called at the very beginning of `main`,
/// before there is a thread, a runtime or a look at the arguments.
///
/// In a process that a [`Launcher`](super::Launcher) has started it does not
/// return. There it calls `prepare` once, for what all workers of the program have
/// in common: an engine, a component, a linker. What that returns is called for
/// each [`Work`]: in this process, or, in a zygote, in a new one each time, which
/// has a copy of all that was prepared. The process then exits with its code, or
/// with 101 after a panic, without anything else of the program running: no
/// destructor, no `atexit`.
///
/// In every other process it returns at once.
///
/// For guests that fork, neither may make a thread: the engine compiles without
/// ([`parallel_compilation`](wasmtime::Config::parallel_compilation) is off), and
/// the guest is run by [`fork::Runtime::run`](crate::fork::Runtime::run), as the
/// [module](crate::fork) says.
pub fn worker_main<R, E>(prepare: impl FnOnce(Setup) -> Result<R, E>)
where
    R: Fn(Work) -> u8,
    E: Display,
{
    let Some(role) = Role::of_this_process() else {
        return;
    };
    let ended = catch_unwind(AssertUnwindSafe(|| begin(role, prepare)));
    let code = match ended {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => {
            eprintln!("worker: {error}");
            FAILURE
        }
        Err(_) => PANICKED,
    };
    flush();
    exit_process(code)
}

fn begin<R, E>(role: Role, prepare: impl FnOnce(Setup) -> Result<R, E>) -> io::Result<u8>
where
    R: Fn(Work) -> u8,
    E: Display,
{
    let socket = fcntl_dupfd_cloexec(stdin(), 3)?;
    dup2_stdin(File::open("/dev/null")?)?;
    let Message { kind: Kind::Setup, bytes, files } = received(&socket)? else {
        return Err(nonsense());
    };
    let run = match prepare(Setup { bytes, files }) {
        Ok(run) => run,
        Err(error) => {
            Message::new(Kind::Failed, error.to_string()).send(&socket)?;
            return Ok(FAILURE);
        }
    };
    match role {
        Role::Worker => work(socket, &run),
        Role::Zygote => {
            Message::new(Kind::Ready, []).send(&socket)?;
            match zygote(socket, &run) {
                // It is no longer wanted.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(0),
                Err(error) => Err(error),
            }
        }
    }
}

/// Does the job that comes over this socket.
fn work(socket: OwnedFd, run: &impl Fn(Work) -> u8) -> io::Result<u8> {
    let job = received(&socket)?;
    match job.kind {
        Kind::Job => Ok(run(Work::begin(job, socket)?)),
        _ => Err(nonsense()),
    }
}

/// Forks a worker whenever it is told to. Returns no code: a worker exits.
fn zygote(control: OwnedFd, run: &impl Fn(Work) -> u8) -> io::Result<Infallible> {
    loop {
        let Message { kind: Kind::Start, files, .. } = received(&control)? else {
            return Err(nonsense());
        };
        let mut files = files.into_iter();
        let socket = files.next().ok_or_else(nonsense)?;
        let mut fork = Fork::new();
        fork.parent_death_signal(Some(Signal::KILL));
        if let Some(group) = files.next() {
            fork.cgroup(group);
        }
        expect_more();
        let answer = match fork.fork_sibling() {
            Ok(Sibling::New) => {
                drop((control, fork, files));
                // Ours to be killed with. Nothing refuses it to a new process.
                setpgid(None, None)?;
                let code = work(socket, run)?;
                flush();
                exit_process(code)
            }
            Ok(Sibling::Old(pidfd)) => {
                let mut made = Message::new(Kind::Made, []);
                made.files.push(pidfd.into());
                made
            }
            Err(error) => Message::new(Kind::Failed, error.to_string()),
        };
        // Whoever wanted it may have gone meanwhile; then it ends by itself, for
        // want of a job.
        let _ = answer.send(&socket);
    }
}

fn received(socket: &OwnedFd) -> io::Result<Message> {
    Message::receive(socket)?.ok_or_else(|| ErrorKind::UnexpectedEof.into())
}
