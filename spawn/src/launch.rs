//! From a command to a child: everything that can fail is done before the
//! clone, and everything after it cannot.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use rustix::fs::{FsWord, Mode, OFlags, fstatfs, openat};
use rustix::io::Errno;

use crate::child::Child;
use crate::clone::{Clone, Method};
use crate::command::Command;
use crate::cstrings::Pointers;
use crate::error::{SpawnError, Stage};
use crate::inside::{Failure, NO_FD, Orders};
use crate::kernel::Kernel;
use crate::pidfd::PidFd;
use crate::stack::Stack;
use crate::stdio::{Direction, Stream, above_stdio, above_stdio_shared, moved_above_stdio};
use crate::wait::{self, Reap};

const SIGCHLD: u8 = 17;

/// What a file system of cgroups, version 2, says that it is.
const CGROUP2_SUPER_MAGIC: FsWord = 0x6367_7270;

/// The descriptors that a child needs besides its program, all at least 3.
#[derive(Debug)]
struct Descriptors {
    stdio: [Stream; 3],
    cwd: Option<Arc<OwnedFd>>,
    cgroup_procs: Option<OwnedFd>,
}

pub(crate) fn launch(command: &Command) -> Result<Child, SpawnError> {
    let kernel = Kernel::get().map_err(|unsupported| SpawnError {
        stage: Stage::Kernel,
        errno: unsupported.errno(),
    })?;
    let fds = Descriptors::open(command, kernel.method)?;
    let orders = fds.orders(command, kernel.method);
    let clone = Clone {
        method: kernel.method,
        exit_signal: SIGCHLD,
        cgroup: match kernel.method {
            Method::Clone3 => command.cgroup.as_deref().map(AsFd::as_fd),
            Method::Clone => None,
        },
    };

    let stack = Stack::take()?;
    let made = clone.spawn(&stack, &orders);
    stack.give_back();
    let pidfd = made.map_err(|errno| SpawnError {
        stage: match clone.cgroup.is_some() && is_about_cgroup(errno) {
            true => Stage::Cgroup,
            false => Stage::Clone,
        },
        errno,
    })?;

    if let Some(error) = orders.failure.get() {
        // It has ended and only waits to be waited for.
        let _ = wait::wait(pidfd.as_fd(), Reap::Yes);
        return Err(error);
    }
    let streams = fds.stdio.map(|stream| stream.parent);
    Ok(Child::new(
        PidFd::new(moved_above_stdio(pidfd)),
        command.new_group,
        kernel.has_group_signals(),
        streams,
    ))
}

impl Descriptors {
    fn open(command: &Command, method: Method) -> Result<Descriptors, SpawnError> {
        let at = || SpawnError::at(Stage::Descriptors);
        let [stdin, stdout, stderr] = &command.stdio;
        Ok(Descriptors {
            stdio: [
                stdin.open(0, Direction::In).map_err(at())?,
                stdout.open(1, Direction::Out).map_err(at())?,
                stderr.open(2, Direction::Out).map_err(at())?,
            ],
            cwd: command
                .cwd
                .as_ref()
                .map(above_stdio_shared)
                .transpose()
                .map_err(at())?,
            cgroup_procs: match (&command.cgroup, method) {
                (Some(cgroup), Method::Clone) => Some(open_procs(cgroup)?),
                (Some(_), Method::Clone3) | (None, _) => None,
            },
        })
    }

    fn orders<'a>(&self, command: &'a Command, method: Method) -> Orders<'a> {
        let number = |fd: Option<RawFd>| fd.unwrap_or(NO_FD);
        let mut orders = Orders {
            cut: NO_FD,
            stdio: self.stdio.each_ref().map(|stream| stream.child.as_raw_fd()),
            program: command.program.as_fd().as_raw_fd(),
            script: command.program.is_script(),
            cwd: number(self.cwd.as_ref().map(AsRawFd::as_raw_fd)),
            cgroup_procs: number(self.cgroup_procs.as_ref().map(AsRawFd::as_raw_fd)),
            clear_handlers: method == Method::Clone,
            new_group: command.new_group,
            parent_death_signal: command
                .parent_death_signal
                .map_or(0, |signal| signal.as_raw()),
            parent: rustix::process::getpid().as_raw_pid(),
            no_new_privileges: command.no_new_privileges,
            argv: Pointers::to(&command.argv),
            envp: Pointers::to(&command.envp),
            failure: Failure::default(),
        };
        let [stdin, stdout, stderr] = orders.stdio;
        let needed = [
            stdin,
            stdout,
            stderr,
            orders.program,
            orders.cwd,
            orders.cgroup_procs,
        ];
        orders.cut = needed.into_iter().fold(NO_FD, RawFd::max).saturating_add(1);
        orders
    }
}

/// Whether clone3 says this only of the cgroup that it was given.
fn is_about_cgroup(errno: Errno) -> bool {
    use Errno as E;
    matches!(
        errno,
        E::BADF | E::NOENT | E::NODEV | E::ACCESS | E::BUSY | E::OPNOTSUPP
    )
}

/// What a child writes to in order to join a cgroup by itself. What is not the
/// directory of one is `EBADF`, as clone3 has it.
fn open_procs(cgroup: &OwnedFd) -> Result<OwnedFd, SpawnError> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let open = || match fstatfs(cgroup)?.f_type == CGROUP2_SUPER_MAGIC {
        true => openat(cgroup, c"cgroup.procs", flags, Mode::empty()).and_then(above_stdio),
        false => Err(Errno::BADF),
    };
    open()
        .map_err(|errno| match errno {
            Errno::NOTDIR => Errno::BADF,
            errno => errno,
        })
        .map_err(SpawnError::at(Stage::Cgroup))
}
