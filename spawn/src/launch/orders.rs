//! What a child is told, and where its descriptors will be.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use rustix::process::{getgid, getpid, getuid};
use smallvec::{SmallVec, smallvec};

use super::Prepared;
use crate::action::{Action, Directory};
use crate::carrier::{Carriers, Taken};
use crate::clone::Method;
use crate::command::Command;
use crate::cstrings::Pointers;
use crate::inside::{Failure, NO_FD, Orders};
use crate::kernel::Kernel;
use crate::layout::{Layout, Numbers, Wanted};
use crate::namespace::{IdMaps, Namespace, Namespaces};
use crate::sandbox::Sandbox;
use crate::window::Lent;

impl Prepared {
    /// The low numbers of what the child needs of our descriptors.
    pub(super) fn lent(&self, command: &Command) -> Lent {
        if !self.is_plain {
            return Lent::to(&self.sources(command));
        }
        let [stdin, stdout, stderr] = self.stdio.each_ref().map(|stream| stream.child.as_fd());
        let program = command.program.as_fd();
        match command.cwd.as_ref().and_then(Directory::held) {
            Some(cwd) => Lent::to(&[program, stdin, stdout, stderr, cwd]),
            None => Lent::to(&[program, stdin, stdout, stderr]),
        }
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
    pub(super) fn orders<'a>(
        &self,
        command: &'a Command,
        kernel: Kernel,
        carrier: Option<&Taken<'_>>,
    ) -> Orders<'a> {
        let plain = if self.is_plain { self.plain_orders(command, kernel) } else { None };
        plain.unwrap_or_else(|| self.all_orders(command, kernel, carrier))
    }

    /// The same where that is soon said, if all descriptors stay where they are until the
    /// streams are in place: most spawns need no more, and what is not run does not have to
    /// be fetched into a cache that the last child has filled.
    fn plain_orders<'a>(&self, command: &'a Command, kernel: Kernel) -> Option<Orders<'a>> {
        let at = |fd: BorrowedFd<'_>| self.lent.at(fd.as_raw_fd());
        let program = at(command.program.as_fd());
        let cwd = command.cwd.as_ref().and_then(Directory::held).map(at);
        let streams = self.stdio.each_ref().map(|stream| at(stream.child.as_fd()));
        let layout = Layout::of_streams(streams, &[Some(program), cwd])?;
        let cwd = cwd.unwrap_or(NO_FD);
        let highest = streams.into_iter().fold(program.max(cwd), RawFd::max);
        let argv = Pointers::to(command.all_args());
        Some(Orders {
            cut: highest.saturating_add(1),
            program,
            cwd,
            ..self.common_orders(command, kernel, layout, argv)
        })
    }

    /// What needs no descriptor.
    fn common_orders<'a>(
        &self,
        command: &'a Command,
        kernel: Kernel,
        layout: Layout,
        argv: Pointers<'a>,
    ) -> Orders<'a> {
        let attributes = &command.attributes;
        Orders {
            close_range: kernel.close_range,
            cut: 0,
            layout,
            program: NO_FD,
            cgroup_procs: NO_FD,
            namespaces: Namespaces::NONE,
            id_maps: None,
            view: None,
            joined: None,
            cwd: NO_FD,
            cwd_path: command.cwd.as_ref().and_then(Directory::path),
            terminal: NO_FD,
            group: self.group,
            leader: NO_FD,
            attributes,
            ids: None,
            parent: match attributes.parent_death_signal {
                Some(_) => getpid().as_raw_pid(),
                None => 0,
            },
            parent_pidfd: NO_FD,
            sandbox: None,
            key: None,
            ruleset: NO_FD,
            opened: &[],
            actions: Vec::new(),
            clear_handlers: kernel.method == Method::Clone,
            argv,
            envp: Pointers::to(&command.envp),
            failure: Failure::default(),
        }
    }

    fn all_orders<'a>(
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
        let is_short = kernel.close_range && command.chooses_no_number() && scripts.is_empty();
        let short = if is_short { Layout::of_streams(streams, &hidden) } else { None };
        let layout = short.unwrap_or_else(|| {
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
        let argv = match command.program.interpreted(&layout.scripts) {
            None => Pointers::to(command.all_args()),
            Some(front) => Pointers::behind(front, command.all_args().get(1..).unwrap_or_default()),
        };
        Orders {
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
            terminal: find(terminal),
            leader: find(leader),
            ids: attributes.reset_ids.then(|| [getuid().as_raw(), getgid().as_raw()]),
            sandbox: command.sandbox.as_ref().map(Sandbox::measures),
            key: carrier.map(Taken::key),
            ruleset: find(ruleset),
            parent_pidfd: find(parent),
            opened: &command.opened,
            actions: match command.actions.is_empty() {
                true => Vec::new(),
                false => command.actions.iter().zip(directories().map(find)).collect(),
            },
            ..self.common_orders(command, kernel, layout, argv)
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
