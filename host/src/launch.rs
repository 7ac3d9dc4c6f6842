//! From what a guest asked to a child: the one way to start a process.

mod error;

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};

use offspring_spawn::{
    Directory, Errno, Mark, Resource, Sandbox, Signal, SignalSet, SpawnError, generation, spare,
};

use crate::apart::Apart;
use crate::attributes;
use crate::bounds;
use crate::cgroup::{Leaf, Node};
use crate::child::{Child, Exit, Origin};
use crate::command::{Command, Stream};
use crate::ctx::{Granted, ProcessCtx};
use crate::held::Narrowed;
use crate::path;
use crate::pipe::{PipeReader, PipeWriter, Room};
use crate::plain::Plain;
use crate::plan::{Plan, PlanCwd};
use crate::policy::FileAction;
use crate::process::{Alive, ChildProcess, Counted};
use crate::pty::Terminal;
use crate::quota::Share;
use crate::rate::TooOften;
use crate::ready::Ready;
use crate::recorder::Recorder;
use crate::request::StdioKind;

pub(crate) use error::LaunchError;

/// A child and the guest's ends of its pipes.
#[derive(Debug)]
pub(crate) struct Launched {
    pub(crate) child: Child,
    pub(crate) stdin: Option<PipeWriter>,
    pub(crate) stdout: Option<PipeReader>,
    pub(crate) stderr: Option<PipeReader>,
}

/// Everything that one spawn needs, checked, counted and opened.
#[derive(Debug)]
pub(crate) struct Prepared {
    ready: Box<Ready>,
    process: Arc<ChildProcess>,
    place: u64,
    pipes: [Option<Share>; 3],
    narrowed: Narrowed,
    recorder: Arc<Recorder>,
    begun: Instant,
    room: Room,
    terminal: Option<Arc<Terminal>>,
}

impl ProcessCtx {
    /// Checks what the guest asks for against the policy and makes it ready to
    /// start.
    pub(crate) fn prepare(&self, command: &Command) -> Result<Prepared, LaunchError> {
        if !command.is_counted() {
            return Err(LaunchError::LimitReached {
                rule: "limits.max-argument-bytes",
                message: "there are too many commands already".to_owned(),
            });
        }
        let now = Instant::now();
        let standard = attributes::standard_signals(now);
        match self.kept(command, standard)? {
            Some(ready) => self.prepare_kept(ready, command.group.as_ref(), now),
            None => self.prepare_anew(command, standard, now),
        }
    }

    /// The same of what a guest says in one call.
    pub(crate) fn prepare_plain(&self, plain: &Plain) -> Result<Prepared, LaunchError> {
        let now = Instant::now();
        let standard = attributes::standard_signals(now);
        match self.kept_plain(plain, standard)? {
            Some(ready) => self.prepare_kept(ready, None, now),
            None => {
                // Not counted among the guest's: it is gone when this returns.
                let command = Command::of(plain.request(), &self.command_bytes);
                self.prepare_anew(&command, standard, now)
            }
        }
    }

    fn prepare_kept(
        &self,
        ready: Box<Ready>,
        group: Option<&Arc<Node>>,
        now: Instant,
    ) -> Result<Prepared, LaunchError> {
        let granted = &self.granted[ready.plan.grant];
        let admitted = self.admit(&ready.plan, granted, &Narrowed::default(), now)?;
        self.enroll(ready, admitted, group, now)
    }

    fn prepare_anew(
        &self,
        command: &Command,
        standard: SignalSet,
        now: Instant,
    ) -> Result<Prepared, LaunchError> {
        let plan = self.plan(command)?;
        let granted = &self.granted[plan.grant];
        let admitted = self.admit(&plan, granted, &command.narrowed, now)?;
        let engine = self.engine(command, &plan, granted, standard)?;
        let ready = Ready::new(command, plan, engine, granted, standard);
        let mut prepared = self.enroll(ready, admitted, command.group.as_ref(), now)?;
        prepared.narrowed = command.narrowed.clone();
        prepared.terminal = command.terminal.clone();
        Ok(prepared)
    }

    /// Makes the child one of the guest's, in its cgroup.
    fn enroll(
        &self,
        mut ready: Box<Ready>,
        Admitted { held, alive, pipes }: Admitted,
        group: Option<&Arc<Node>>,
        begun: Instant,
    ) -> Result<Prepared, LaunchError> {
        let Ready { plan, engine, .. } = &mut *ready;
        // What lives on is in the host's own.
        let place = self.place.as_ref().filter(|_| !plan.detach);
        let tree = match self.groups.leaf(&plan.group, group)? {
            None => place.map(|place| Leaf::in_place(place, &self.spares)).transpose()?,
            leaf => leaf,
        };
        if let Some(cgroup) = tree.as_ref().and_then(Leaf::cgroup) {
            engine.cgroup(cgroup);
        }
        let is_marked = tree.is_none() && !plan.detach && !plan.limits(Resource::Locks);
        let mark = if is_marked { Mark::new() } else { None };
        if let Some(mark) = &mark {
            mark.set(engine);
        }
        let (grace, detach, deadline) = (plan.grace, plan.detach, plan.deadline);
        if mark.is_some() {
            ready.serves_once();
        }

        let place = alive.membership.id();
        let children = self.children.clone();
        let process = ChildProcess::new(alive, held, tree, grace, detach, children);
        let process = Arc::new(process.marked(mark));
        if !self.children.starting(place, &process) {
            return Err(LaunchError::ShutDown);
        }
        if let Some(after) = deadline {
            process.set_deadline(after).map_err(|error| {
                LaunchError::Deadline(Errno::from_io_error(&error).unwrap_or(Errno::AGAIN))
            })?;
        }
        Ok(Prepared {
            ready,
            process,
            place,
            pipes,
            narrowed: Narrowed::default(),
            recorder: Arc::clone(&self.recorder),
            begun,
            room: self.pipes.clone(),
            terminal: None,
        })
    }

    /// Checks what the guest asks for against the policy.
    fn plan(&self, command: &Command) -> Result<Plan, LaunchError> {
        command.request.validate(&self.policy.get_limits())?;
        let mut plan = self.policy.check_narrowed(&command.request, command.narrowed.rules())?;
        if let (Some(within), Some(group)) = (&command.narrowed.within, &command.group)
            && !group.is_within(within)
        {
            return Err(self.policy.grants()[plan.grant].refuse_outside_group().into());
        }
        if self.policy.grants()[plan.grant].is_bounded(&plan) {
            let own = bounds::own().map_err(LaunchError::Bounds)?;
            self.policy.grants()[plan.grant].confine(&mut plan, &own)?;
        }
        Ok(plan)
    }

    /// Takes what the child will need of the guest's limits, if its program is what was
    /// granted still.
    fn admit(
        &self,
        plan: &Plan,
        granted: &Granted,
        narrowed: &Narrowed,
        now: Instant,
    ) -> Result<Admitted, LaunchError> {
        if !granted.program.is_as_opened()? {
            return Err(LaunchError::Rewritten);
        }
        let full = |rule, message| LaunchError::LimitReached { rule, message };
        let held = self.held.take().ok_or_else(|| {
            let max = self.held.max();
            full(
                "limits.max-children",
                format!("{max} children are held already, those that have ended included"),
            )
        })?;
        let live = self.children.take(&granted.live).ok_or_else(|| {
            let max = granted.live.max();
            full("max-children", format!("{max} children of this grant live already"))
        })?;
        let places = narrowed.take_places(&self.children)?;
        let membership = self.children.join().ok_or(LaunchError::ShutDown)?;
        let pipe = |kind| match kind {
            StdioKind::Piped => self.pipes.ends.take().map(Some).ok_or_else(|| {
                full(
                    "limits.max-pipes",
                    format!("{} pipe ends are held already", self.pipes.ends.max()),
                )
            }),
            StdioKind::Null
            | StdioKind::Inherit
            | StdioKind::Pipe
            | StdioKind::File
            | StdioKind::Terminal => Ok(None),
        };
        let pipes = [pipe(plan.stdin)?, pipe(plan.stdout)?, pipe(plan.stderr)?];
        self.take_spawn(granted, narrowed, now)?;
        let alive = Alive { membership, _counted: Counted::Grant(live, places) };
        Ok(Admitted { held, alive, pipes })
    }

    /// Takes one of the spawns that the guest and the grant have in a second.
    fn take_spawn(
        &self,
        granted: &Granted,
        narrowed: &Narrowed,
        now: Instant,
    ) -> Result<(), LaunchError> {
        let full = |rule, often: TooOften| LaunchError::LimitReached {
            rule,
            message: format!("too many spawns: {often}"),
        };
        self.spawns.take(now).map_err(|often| full("limits.spawns-per-second", often))?;
        granted.spawns.take(now).map_err(|often| {
            self.spawns.give_back();
            full("spawns-per-second", often)
        })?;
        narrowed.take_spawns(now).inspect_err(|_| {
            self.spawns.give_back();
            granted.spawns.give_back();
        })
    }

    /// Where the child runs: in its view, if it has one.
    fn cwd(
        &self,
        command: &Command,
        plan: &Plan,
        granted: &Granted,
    ) -> Result<Directory, LaunchError> {
        let view = granted.apart.view.as_deref();
        match (&plan.cwd, &command.cwd, view, &granted.cwd) {
            (PlanCwd::Guest, Some(directory), view, _) => {
                let opened = directory.open().map_err(|errno| match errno {
                    Errno::XDEV => LaunchError::LeadsOut,
                    errno => LaunchError::Resolve(errno),
                })?;
                match view {
                    Some(view) => view.directory(opened).map_err(LaunchError::not_in_view),
                    None => Ok(opened.into()),
                }
            }
            (PlanCwd::Fixed(path), _, Some(_), _) => {
                Directory::at(path).map_err(LaunchError::Resolve)
            }
            (_, _, Some(view), _) => view.initial().map_err(LaunchError::Resolve),
            (PlanCwd::Fixed(_), _, None, Some(fixed)) => Ok(Arc::clone(fixed).into()),
            (PlanCwd::Initial | PlanCwd::Guest | PlanCwd::Fixed(_), _, None, _) => {
                Ok(Arc::clone(&self.initial_cwd).into())
            }
        }
    }

    /// The sandbox of one more child.
    pub(crate) fn sandbox<'a>(&self, granted: &'a Granted, terminal: bool) -> Option<&'a Sandbox> {
        // A process that forks has one thread.
        let carried = self.carriers && self.forks.is_none() && generation() == 0;
        granted.sandbox.as_ref().map(|sandbox| sandbox.for_child(terminal, carried))
    }

    /// Puts the plan into the engine's words.
    fn engine(
        &self,
        command: &Command,
        plan: &Plan,
        granted: &Granted,
        standard: SignalSet,
    ) -> Result<offspring_spawn::Command, LaunchError> {
        let Apart { identity, namespaces, view } = &granted.apart;
        let cwd = self.cwd(command, plan, granted)?;
        let chosen = command.cwd.as_ref().filter(|_| plan.cwd == PlanCwd::Guest);
        let paths = path::resolve(plan, &self.preopens, chosen, view.is_some())?;
        let stdio = |stream, kind| command.stdio(stream, kind).map_err(LaunchError::Descriptors);
        let mut engine = offspring_spawn::Command::new(&granted.program);
        if let (true, Some(terminal)) = (plan.terminal, &command.terminal) {
            terminal.lend(&mut engine).map_err(LaunchError::Descriptors)?;
        }
        if plan.stdin != StdioKind::Terminal {
            engine.stdin(stdio(Stream::In, plan.stdin)?);
        }
        if plan.stdout != StdioKind::Terminal {
            engine.stdout(stdio(Stream::Out, plan.stdout)?);
        }
        if plan.stderr != StdioKind::Terminal {
            engine.stderr(stdio(Stream::Err, plan.stderr)?);
        }
        // A background process group cannot read from a terminal.
        let reads_terminal = plan.stdin == StdioKind::Inherit && std::io::stdin().is_terminal();
        let has_session = plan.attributes.session || plan.terminal;
        let in_hosts_group = reads_terminal && plan.attributes.process_group.is_none();
        if plan.file_actions.contains(&FileAction::Tcsetpgrp) && !has_session && !in_hosts_group {
            return Err(self.policy.grants()[plan.grant].refuse_foreground().into());
        }
        engine
            .argv(paths.argv(plan))
            .current_dir(cwd)
            .new_process_group(!reads_terminal)
            .default_signals(standard)
            .parent_death_signal(match generation() {
                0 => self.parent_death_signal,
                // A fork, which has one thread.
                _ => Some(Signal::KILL),
            })
            .no_new_privileges(true);
        if let Some(sandbox) = self.sandbox(granted, plan.terminal) {
            engine.sandbox(sandbox);
        }
        for (name, value) in &plan.env {
            engine.env(name, value);
        }
        attributes::set_rlimits(&mut engine, &plan.rlimits);
        attributes::set(&mut engine, &plan.attributes, standard, plan.terminal, &command.leader)?;
        command.give(&mut engine, view.as_deref())?;
        engine.namespaces(*namespaces);
        if let Some(identity) = identity {
            engine.identity(identity.clone());
        }
        if let Some(view) = view {
            engine.view(view.prepared());
        }
        if plan.detach {
            engine.new_process_group(false).new_session(true).parent_death_signal(None);
        }
        Ok(engine)
    }
}

impl Launched {
    /// How the process ended, if it has, and nobody has anything to read or to write
    /// any more.
    pub(crate) fn ended(&self) -> Option<Exit> {
        let piped = self.stdin.is_some() || self.stdout.is_some() || self.stderr.is_some();
        // An error is told to who waits for it.
        if piped { None } else { self.child.process().try_wait().ok().flatten() }
    }
}

impl Prepared {
    /// Lets the start wait for the end, so long at most.
    pub(crate) fn patient(mut self, patience: Duration) -> Prepared {
        // What ends it then is not to find it being started, though patience may last twice
        // as long.
        let deadline = self.ready.plan.deadline;
        let patience = deadline.map_or(patience, |deadline| patience.min(deadline / 4));
        self.ready.engine.patience(patience);
        self
    }

    /// Starts the process. The calling thread sleeps until its program is
    /// executed, or somebody ends it.
    pub(crate) fn start(self) -> Result<Launched, LaunchError> {
        let made = self.ready.engine.spawn_abortable(&self.process.abort());
        self.finish(made)
    }

    /// The same on another thread. When this is dropped, nothing is left.
    pub(crate) async fn start_elsewhere(self) -> Result<Launched, LaunchError> {
        // Counted until the thread is back, also when nobody waits for it.
        let process = Arc::clone(&self.process);
        let engine = self.ready.engine.clone();
        let made = engine.spawn_async_abortable(self.process.abort(), process).await;
        self.finish(made)
    }

    fn finish(
        self,
        made: Result<offspring_spawn::Child, SpawnError>,
    ) -> Result<Launched, LaunchError> {
        let Prepared { ready, process, pipes, room, terminal, .. } = self;
        let mut child = made.map_err(|error| match process.cause() {
            Some(cause) if error.errno == Errno::CANCELED => LaunchError::ended(cause),
            // The kernel says alike that it has no process left at all.
            _ if error.errno == Errno::AGAIN && process.finds_no_room() => LaunchError::GroupFull,
            _ => LaunchError::Engine(error),
        })?;
        if let Some(terminal) = terminal {
            terminal.given();
        }
        let ends = [child.stdin.take(), child.stdout.take(), child.stderr.take()];
        if process.detach {
            spare(&child).map_err(LaunchError::not_spared)?;
        }
        let account = self.recorder.spawned(&ready.plan, child.id().ok(), self.begun);
        let origin = Origin::Grant(ready.plan.grant);
        ready.leave();
        process.started(child, Some(account));
        process.children().started(self.place, &process);
        let [stdin, stdout, stderr] = ends;
        let [stdin_share, stdout_share, stderr_share] = pipes;
        Ok(Launched {
            child: Child::new(process, origin, self.narrowed),
            stdin: stdin.zip(stdin_share).map(|(fd, share)| PipeWriter::new(fd, share, &room)),
            stdout: stdout.zip(stdout_share).map(|(fd, share)| PipeReader::new(fd, share, &room)),
            stderr: stderr.zip(stderr_share).map(|(fd, share)| PipeReader::new(fd, share, &room)),
        })
    }
}

/// What a child takes of the guest's limits.
#[derive(Debug)]
struct Admitted {
    held: Share,
    alive: Alive,
    pipes: [Option<Share>; 3],
}
