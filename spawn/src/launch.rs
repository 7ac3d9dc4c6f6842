//! From a command to a child: everything that can fail is done before the
//! clone, and everything after it cannot.

mod orders;

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, fstatfs, openat};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, getpid, pidfd_open};

use crate::abort::SpawnAbort;
use crate::attributes::Group;
use crate::birth::Birth;
use crate::carrier::{self, Taken};
use crate::cgroup::CGROUP2_SUPER_MAGIC;
use crate::check;
use crate::child::Child;
use crate::clone::{Clone, Method};
use crate::command::Command;
use crate::dumpable;
use crate::error::{SpawnError, Stage};
use crate::kernel::Kernel;
use crate::namespace::Namespace;
use crate::pidfd::PidFd;
use crate::stack::Stack;
use crate::stdio::{Direction, Stream, above_stdio, moved_above_stdio};
use crate::wait::{self, Reap};
use crate::window::Lent;

/// What is opened and found out for one child.
#[derive(Debug)]
struct Prepared {
    stdio: [Stream; 3],
    cgroup_procs: Option<OwnedFd>,
    /// The group to be in, by its leader's number; 0 for one of its own.
    group: Option<i32>,
    /// This process, for a child that cannot see it.
    parent: Option<PidFd>,
    /// The low numbers of what has high ones.
    lent: Lent,
    /// Whether a child needs nothing of this but its streams, its program and a directory.
    is_plain: bool,
}

pub(crate) fn launch(command: &Command, abort: Option<&SpawnAbort>) -> Result<Child, SpawnError> {
    let kernel = Kernel::get()
        .map_err(|unsupported| SpawnError { stage: Stage::Kernel, errno: unsupported.errno() })?;
    check::identity(command)?;
    let prepared = Prepared::open(command, kernel)?;
    if command.view.is_some() {
        check::leads_nowhere(command, &prepared.stdio)?;
    }
    let made = match carrier::take(command, kernel) {
        Some(carrier) => match prepared.make(command, kernel, abort, Some(&carrier)) {
            // Something that needs a right which the carrier has not: it is done here, or
            // fails for what it is. A program is executed with the same rights by both.
            Err(error) if error.stage != Stage::Exec => {
                abort.map_or(Ok(()), SpawnAbort::again)?;
                prepared.make(command, kernel, abort, None)
            }
            made => made,
        },
        None => prepared.make(command, kernel, abort, None),
    };
    let Made { pidfd, number, ended, aborted } = made?;
    let streams = prepared.stdio.map(|stream| stream.parent);
    let child = Child::new(
        PidFd::from(moved_above_stdio(pidfd)),
        number,
        command.attributes.leads_group(),
        kernel.has_group_signals(),
        streams,
    )
    .head(command.attributes.namespaces.contains(Namespace::Pid))
    .ended(ended);
    match aborted {
        // Killed before it executed its program, or a moment after; then its
        // group goes too.
        true => Err(SpawnAbort::error()),
        false => Ok(child),
    }
}

/// A child that executes its program.
#[derive(Debug)]
struct Made {
    pidfd: OwnedFd,
    number: Option<u32>,
    /// Whether it is known to have ended.
    ended: bool,
    /// Whether it is to be no more.
    aborted: bool,
}

impl Prepared {
    /// Makes the child, by the calling thread or by a carrier.
    fn make(
        &self,
        command: &Command,
        kernel: Kernel,
        abort: Option<&SpawnAbort>,
        carrier: Option<&Taken<'_>>,
    ) -> Result<Made, SpawnError> {
        let attributes = &command.attributes;
        let orders = self.orders(command, kernel, carrier);
        let changes_ids = attributes.reset_ids || attributes.identity.is_some();
        let clone = Clone {
            method: kernel.method,
            share_table: kernel.close_range,
            exit_signal: match attributes.exit_signal {
                Some(signal) => signal.as_raw().to_le_bytes()[0],
                None => 0,
            },
            cgroup: match kernel.method {
                Method::Clone3 => command.cgroup.as_deref().map(AsFd::as_fd),
                Method::Clone => None,
            },
            namespaces: orders.at_birth(),
            // Somebody must be able to read what it writes, and this process cannot be
            // looked at meanwhile.
            patience: match self.stdio.iter().any(|stream| stream.parent.is_some()) || changes_ids {
                true => Duration::ZERO,
                false => command.patience,
            },
        };
        let stack = Stack::take()?;
        let dumpable = changes_ids.then(dumpable::Kept::keep);
        let make = |birth: &Birth| {
            let pidfd = match carrier {
                Some(carrier) => carrier.spawn(&clone, &stack, &orders, birth)?,
                None => clone.spawn(&stack, &orders, birth)?,
            };
            Ok((pidfd, birth.number(clone.method), birth.has_ended()))
        };
        let made = match abort {
            Some(abort) => abort.watch(make),
            None => Ok((make(&Birth::default()), false)),
        };
        stack.give_back();
        drop(dumpable);
        let (made, aborted) = made?;
        let (pidfd, number, ended) = made.map_err(|errno| SpawnError {
            stage: match errno {
                errno if clone.cgroup.is_some() && is_about_cgroup(errno) => Stage::Cgroup,
                errno if clone.namespaces != 0 && is_about_namespaces(errno) => Stage::Namespaces,
                _ => Stage::Clone,
            },
            errno,
        })?;
        if let Some(error) = orders.failure.get() {
            // It has ended and only waits to be waited for.
            let _ = wait::wait(pidfd.as_fd(), Reap::Yes);
            return Err(error);
        }
        Ok(Made { pidfd, number, ended, aborted })
    }

    fn open(command: &Command, kernel: Kernel) -> Result<Prepared, SpawnError> {
        let at = || SpawnError::at(Stage::Descriptors);
        let attributes = &command.attributes;
        let [stdin, stdout, stderr] = &command.stdio;
        let mut prepared = Prepared {
            stdio: [
                stdin.open(0, Direction::In).map_err(at())?,
                stdout.open(1, Direction::Out).map_err(at())?,
                stderr.open(2, Direction::Out).map_err(at())?,
            ],
            cgroup_procs: match (&command.cgroup, kernel.method) {
                (Some(cgroup), Method::Clone) => Some(open_procs(cgroup)?),
                (Some(_), Method::Clone3) | (None, _) => None,
            },
            group: match &attributes.group {
                Group::Inherited => None,
                Group::New => Some(0),
                Group::Joined(leader) => {
                    let number = leader.getpid();
                    let number = number.map_err(SpawnError::at(Stage::ProcessGroup))?;
                    Some(number.cast_signed())
                }
            },
            parent: match attributes.parent_death_signal {
                Some(_) if attributes.namespaces.contains(Namespace::Pid) => {
                    let own = pidfd_open(getpid(), PidfdFlags::empty());
                    Some(PidFd::from(own.and_then(above_stdio).map_err(at())?))
                }
                Some(_) | None => None,
            },
            lent: Lent::default(),
            is_plain: false,
        };
        prepared.is_plain =
            kernel.close_range && prepared.cgroup_procs.is_none() && command.is_plain();
        if kernel.close_range {
            prepared.lent = prepared.lent(command);
        }
        Ok(prepared)
    }
}

/// Whether clone3 says this only of the cgroup that it was given.
pub(crate) fn is_about_cgroup(errno: Errno) -> bool {
    use Errno as E;
    matches!(errno, E::BADF | E::NOENT | E::NODEV | E::ACCESS | E::BUSY | E::OPNOTSUPP)
}

/// Whether clone says this of namespaces rather than of processes.
fn is_about_namespaces(errno: Errno) -> bool {
    matches!(errno, Errno::PERM | Errno::NOSPC | Errno::USERS | Errno::INVAL)
}

/// What a child writes to in order to join a cgroup by itself. What is not the
/// directory of one is `EBADF`, as clone3 has it.
pub(crate) fn open_procs(cgroup: &OwnedFd) -> Result<OwnedFd, SpawnError> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let open = || match fstatfs(cgroup)?.f_type == CGROUP2_SUPER_MAGIC {
        true => openat(cgroup, c"cgroup.procs", flags, Mode::empty()),
        false => Err(Errno::BADF),
    };
    open()
        .map_err(|errno| match errno {
            Errno::NOTDIR => Errno::BADF,
            errno => errno,
        })
        .map_err(SpawnError::at(Stage::Cgroup))
}

#[cfg(all(test, not(miri)))]
mod tests {
    use std::io::Write;

    use rustix::fs::CWD;
    use rustix::process::{Resource, Rlimit};

    use super::*;
    use crate::clone::tests::obey_in_a_copy;
    use crate::{FileActions, Program, SignalSet};

    /// Sees to everything that the command below asks for, and exits with 42.
    const SCRIPT: &str = "
        test \"$0 $1\" = 'zero one' || exit 1
        test \"$VARIABLE\" = value || exit 2
        for fd in 0 1 2 7 9; do test -e /proc/$$/fd/$fd || exit 3; done
        for fd in 3 4 5 6 8 20; do test ! -e /proc/$$/fd/$fd || exit 4; done
        test \"$(umask)\" = 0027 || exit 5
        test \"$(ulimit -t)\" = 123 || exit 6
        test \"$PWD\" = /proc || exit 7
        read -r _ _ _ _ group session _ < /proc/$$/stat
        test \"$group $session\" = \"$$ $$\" || exit 8
        exit 42";

    fn command(open_beneath: bool) -> Command {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = || openat(CWD, "/", flags, Mode::empty()).unwrap();
        let (read, none) = (OFlags::RDONLY, Mode::empty());
        let mut actions = FileActions::new();
        match open_beneath {
            true => actions.open_beneath(8, root(), "dev/null", read, none).unwrap(),
            false => actions.open(8, "/dev/null", read, none).unwrap(),
        };
        actions.open(7, "/dev/zero", read, none).unwrap();
        actions.dup2(8, 9).unwrap().dup2(7, 7).unwrap().close(8).unwrap();
        actions.open(20, "/", read, none).unwrap().close_from(20).unwrap();
        actions.chdir("/proc").unwrap();
        let limit = Rlimit { current: Some(123), maximum: Some(123) };
        let program = Program::search("sh", "/bin:/usr/bin".as_ref()).unwrap();
        let mut command = Command::new(&program);
        command
            .argv(["sh", "-c", SCRIPT, "zero", "one"])
            .env("VARIABLE", "value")
            .current_dir(root())
            .file_actions(actions)
            .new_session(true)
            .nice(19)
            .umask(0o27)
            .limit(Resource::Cpu, limit)
            .no_new_privileges(true)
            .default_signals(SignalSet::ALL);
        command
    }

    fn obey(command: &Command, close_range: bool) -> Result<Option<i32>, SpawnError> {
        let kernel = Kernel::least(close_range);
        let prepared = Prepared::open(command, kernel).unwrap();
        obey_in_a_copy(prepared.orders(command, kernel, None))
    }

    /// All that a child does, up to its program, where a child cannot share our
    /// memory: on an emulated processor, and under Valgrind, which looks at
    /// every address that the child gives to the kernel.
    #[test]
    fn orders_are_obeyed_in_a_copy_of_memory_too() {
        let skip = |what| writeln!(std::io::stderr(), "SKIPPED {what}: emulated without it");
        for close_range in [true, false] {
            let mut obeyed = obey(&command(true), close_range);
            let missing = |stage| Err(SpawnError { stage, errno: Errno::NOSYS });
            if obeyed == missing(Stage::FileAction(0)) {
                let _ = skip("openat2");
                obeyed = obey(&command(false), close_range);
            }
            match obeyed {
                Ok(code) => assert_eq!(code, Some(42)),
                error if error == missing(Stage::Exec) => drop(skip("execveat")),
                error => panic!("{error:?}"),
            }
        }
    }
}
