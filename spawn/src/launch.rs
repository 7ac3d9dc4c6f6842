//! From a command to a child: everything that can fail is done before the
//! clone, and everything after it cannot.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, fstatfs, openat};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, getgid, getpid, getuid, pidfd_open};
use smallvec::{SmallVec, smallvec};

use crate::abort::SpawnAbort;
use crate::action::{Action, Directory};
use crate::attributes::Group;
use crate::birth::Birth;
use crate::carrier::{self, Carriers, Taken};
use crate::cgroup::CGROUP2_SUPER_MAGIC;
use crate::check;
use crate::child::Child;
use crate::clone::{Clone, Method};
use crate::command::Command;
use crate::cstrings::Pointers;
use crate::dumpable;
use crate::error::{SpawnError, Stage};
use crate::inside::{Failure, NO_FD, Orders};
use crate::kernel::Kernel;
use crate::layout::{Layout, Numbers, Wanted};
use crate::namespace::{IdMaps, Namespace};
use crate::pidfd::PidFd;
use crate::sandbox::Sandbox;
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
        };
        if kernel.close_range {
            let lent = Lent::to(&prepared.sources(command));
            prepared.lent = lent;
        }
        Ok(prepared)
    }

    /// All that the child needs of our descriptors.
    fn sources<'a>(&'a self, command: &'a Command) -> SmallVec<[BorrowedFd<'a>; 16]> {
        let (program, scripts) = command.program.executed();
        let [stdin, stdout, stderr] = &self.stdio;
        let mut sources: SmallVec<_> =
            smallvec![program, stdin.child.as_fd(), stdout.child.as_fd(), stderr.child.as_fd()];
        let joined = command.joined();
        let others = [
            command.cwd.as_ref().and_then(Directory::held),
            self.parent.as_ref().map(AsFd::as_fd),
            joined.and_then(|joined| joined.user),
            joined.map(|joined| joined.mount),
            command.attributes.terminal.as_ref().map(AsFd::as_fd),
            command.attributes.group.leader().map(AsFd::as_fd),
            self.cgroup_procs.as_ref().map(AsFd::as_fd),
            command.sandbox.as_ref().and_then(Sandbox::ruleset),
            command.sandbox.as_ref().and_then(Sandbox::carriers).and_then(Carriers::domain),
        ];
        for other in others.into_iter().flatten() {
            sources.push(other);
        }
        if !(command.chooses_no_number() && scripts.is_empty()) {
            sources.extend(scripts);
            sources.extend(command.passed.iter().map(|(fd, _)| fd.as_fd()));
            sources.extend(command.actions.iter().filter_map(Action::source));
        }
        sources
    }

    /// Everything that the child is to do. Where its descriptors will be is
    /// decided here.
    fn orders<'a>(
        &self,
        command: &'a Command,
        kernel: Kernel,
        carrier: Option<&Taken<'_>>,
    ) -> Orders<'a> {
        let attributes = &command.attributes;
        let namespaces = command.all_namespaces();
        let at = |fd: BorrowedFd<'_>| self.lent.at(fd.as_raw_fd());
        let (program, scripts) = command.program.executed();
        let (program, scripts) = (at(program), numbers(&scripts, at));
        let cwd = command.cwd.as_ref().and_then(Directory::held).map(at);
        let joined = command.joined();
        let user_namespace = joined.and_then(|joined| joined.user).map(at);
        let mount_namespace = joined.map(|joined| at(joined.mount));
        let parent = self.parent.as_ref().map(|parent| at(parent.as_fd()));
        let terminal = attributes.terminal.as_ref().map(|terminal| at(terminal.as_fd()));
        let leader = attributes.group.leader().map(|leader| at(leader.as_fd()));
        let cgroup_procs = self.cgroup_procs.as_ref().map(|procs| at(procs.as_fd()));
        let ruleset = match carrier {
            Some(carrier) => carrier.ruleset(),
            None => command.sandbox.as_ref().and_then(Sandbox::ruleset),
        };
        let ruleset = ruleset.map(at);
        let directories = || command.actions.iter().map(|action| action.source().map(at));

        let streams = self.stdio.each_ref().map(|stream| at(stream.child.as_fd()));
        let hidden = [
            (!scripts.contains(&program)).then_some(program),
            cwd,
            terminal,
            leader,
            parent,
            ruleset,
            user_namespace,
            mount_namespace,
        ];
        let needed = streams.into_iter().chain(hidden.into_iter().flatten()).chain(cgroup_procs);
        let mut highest = needed.fold(NO_FD, RawFd::max);
        // What is closed at exec needs no list.
        let is_plain = kernel.close_range && command.chooses_no_number() && scripts.is_empty();
        let plain = if is_plain { Layout::of_streams(streams, &hidden) } else { None };
        let layout = plain.unwrap_or_else(|| {
            let passed = command.passed.iter().map(|(fd, number)| (at(fd.as_fd()), *number));
            let mut wanted = Wanted {
                places: streams.into_iter().zip(0..).chain(passed).collect(),
                hidden: hidden.into_iter().chain(directories()).flatten().collect(),
                scripts: scripts.clone(),
                named: command.actions.iter().flat_map(Action::named).collect(),
                listed: !kernel.close_range || !command.actions.is_empty(),
            };
            for (_, number) in &command.opened {
                wanted.named.push(*number);
            }
            let places = wanted.places.iter().map(|(source, _)| source);
            let needed = places.chain(&wanted.hidden).chain(&wanted.scripts).copied();
            highest = needed.fold(highest, RawFd::max);
            Layout::new(&wanted)
        });
        let find = |fd: Option<RawFd>| fd.map_or(NO_FD, |fd| layout.find(fd));
        Orders {
            close_range: kernel.close_range,
            cut: highest.saturating_add(1),
            program: match scripts.iter().position(|script| *script == program) {
                Some(index) => layout.scripts[index],
                None => layout.find(program),
            },
            cgroup_procs: cgroup_procs.unwrap_or(NO_FD),
            namespaces,
            id_maps: (joined.is_none() && namespaces.contains(Namespace::User)).then(IdMaps::own),
            view: command.view.as_ref().map(|view| &*view.steps),
            joined: joined.map(|_| [find(user_namespace), find(mount_namespace)]),
            cwd: find(cwd),
            cwd_path: command.cwd.as_ref().and_then(Directory::path),
            terminal: find(terminal),
            group: self.group,
            leader: find(leader),
            attributes,
            ids: attributes.reset_ids.then(|| [getuid().as_raw(), getgid().as_raw()]),
            parent: match attributes.parent_death_signal {
                Some(_) => getpid().as_raw_pid(),
                None => 0,
            },
            sandbox: command.sandbox.as_ref().map(Sandbox::measures),
            key: carrier.map(Taken::key),
            ruleset: find(ruleset),
            parent_pidfd: find(parent),
            opened: &command.opened,
            actions: match command.actions.is_empty() {
                true => Vec::new(),
                false => command.actions.iter().zip(directories().map(find)).collect(),
            },
            clear_handlers: kernel.method == Method::Clone,
            argv: match command.program.interpreted(&layout.scripts) {
                None => Pointers::to(command.all_args()),
                Some(front) => {
                    Pointers::behind(front, command.all_args().get(1..).unwrap_or_default())
                }
            },
            envp: Pointers::to(&command.envp),
            failure: Failure::default(),
            layout,
        }
    }
}

/// Where these are for a spawn. Most have none of them.
fn numbers(of: &[BorrowedFd<'_>], at: impl Fn(BorrowedFd<'_>) -> RawFd) -> Numbers {
    match of {
        [] => Numbers::new(),
        some => some.iter().map(|fd| at(*fd)).collect(),
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
