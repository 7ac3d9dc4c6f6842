//! The interface `spawn`.

use std::sync::{Arc, Weak};
use std::time::Duration;

use offspring_spawn::{OFlags, Rlimit};
use rustix::fs::fcntl_getfl;
use wasmtime::component::{Resource, ResourceTable, ResourceTableError};
use wasmtime_wasi::filesystem::{Descriptor, OpenMode};

use super::MOMENT;
use super::attributes::{rlimit_resource, scheduler_policy, signals};
use super::convert::{error_code, exit_status, launch_error, refusal, too_many_resources};
use crate::audit::Refusal;
use crate::bindings::spawn::{self, Input, Output, Passed, Ran, Spawned, Streams};
use crate::bindings::types::{ErrorCode, Signal};
use crate::cgroup::Cgroup;
use crate::command::{Command, Directory, Given, NotTaken, PATH_MAX, Stream};
use crate::ctx::ProcessCtx;
use crate::error::{ErrorCodeFailure, Failure, SpawnFailure};
use crate::file_actions::{FileActions, number};
use crate::held::HeldGrant;
use crate::launch::{LaunchError, Launched, Prepared};
use crate::plain::Plain;
use crate::pty::Pty;
use crate::recorder::Recorder;
use crate::request::{Attributes, ExitSignal, ProcessGroup, Request, Scheduler, StdioKind};
use crate::view::ProcessCtxView;

impl spawn::HostCommand for ProcessCtxView<'_> {
    fn new(&mut self, program: String) -> wasmtime::Result<Resource<Command>> {
        self.limit_handles();
        Ok(self.table.push(Command::new(program, &self.ctx.command_bytes))?)
    }

    fn from_grant(&mut self, grant: Resource<HeldGrant>) -> wasmtime::Result<Resource<Command>> {
        self.limit_handles();
        let command = Command::by(self.table.get(&grant)?, &self.ctx.command_bytes);
        Ok(self.table.push(command)?)
    }

    fn args(&mut self, this: Resource<Command>, args: Vec<String>) -> Result<(), ErrorCodeFailure> {
        let max = self.ctx.policy.get_limits().max_argument_bytes;
        let taken = self.table.get_mut(&this)?.set_args(args, max);
        Ok(taken.map_err(|reason| not_taken(&self.ctx.recorder, "command.args", reason))?)
    }

    fn env(
        &mut self,
        this: Resource<Command>,
        vars: Vec<(String, String)>,
    ) -> Result<(), ErrorCodeFailure> {
        let max = self.ctx.policy.get_limits().max_argument_bytes;
        let taken = self.table.get_mut(&this)?.set_env(vars, max);
        Ok(taken.map_err(|reason| not_taken(&self.ctx.recorder, "command.env", reason))?)
    }

    fn cwd(
        &mut self,
        this: Resource<Command>,
        dir: Resource<Descriptor>,
        path: String,
    ) -> Result<(), ErrorCodeFailure> {
        if path.len() > PATH_MAX {
            return Err(ErrorCode::NameTooLong.into());
        }
        let (base, perms) = match self.table.get(&dir)? {
            Descriptor::Dir(dir) => (Arc::clone(&dir.dir), dir.perms),
            Descriptor::File(_) => return Err(ErrorCode::NotDirectory.into()),
        };
        let command = self.table.get_mut(&this)?;
        command.cwd = Some(Directory { base, path, perms });
        command.request.cwd = true;
        Ok(())
    }

    fn stdin(&mut self, this: Resource<Command>, source: Input) -> Result<(), ErrorCodeFailure> {
        let (kind, given) = match source {
            Input::Null => (StdioKind::Null, None),
            Input::Inherit => (StdioKind::Inherit, None),
            Input::Piped => (StdioKind::Piped, None),
            Input::Pipe(reader) => {
                let pipe = self.table.get_mut(&reader)?.give();
                (StdioKind::Pipe, Some(Given::Pipe(pipe)))
            }
            Input::File(file) => {
                (StdioKind::File, Some(self.file("command.stdin", &file, OpenMode::READ)?))
            }
        };
        self.table.get_mut(&this)?.set_stdio(Stream::In, kind, given);
        Ok(())
    }

    fn stdout(&mut self, this: Resource<Command>, target: Output) -> Result<(), ErrorCodeFailure> {
        self.set_output(&this, Stream::Out, target)
    }

    fn stderr(&mut self, this: Resource<Command>, target: Output) -> Result<(), ErrorCodeFailure> {
        self.set_output(&this, Stream::Err, target)
    }

    fn terminal(&mut self, this: Resource<Command>, pty: Resource<Pty>) -> wasmtime::Result<()> {
        let terminal = self.table.get(&pty)?.give();
        self.table.get_mut(&this)?.set_terminal(terminal);
        Ok(())
    }

    fn pass(
        &mut self,
        this: Resource<Command>,
        fd: u32,
        what: Passed,
    ) -> Result<(), ErrorCodeFailure> {
        let number = number(fd).map_err(error_code)?;
        let given = match what {
            Passed::Reader(reader) => Given::Pipe(self.table.get_mut(&reader)?.give()),
            Passed::Writer(writer) => Given::Pipe(self.table.get_mut(&writer)?.give()),
            Passed::Descriptor(descriptor) => self.descriptor(&descriptor)?,
        };
        let passed = self.table.get_mut(&this)?.pass(number, given);
        Ok(passed.map_err(|reason| not_taken(&self.ctx.recorder, "command.pass", reason))?)
    }

    fn file_actions(
        &mut self,
        this: Resource<Command>,
        actions: Resource<FileActions>,
    ) -> wasmtime::Result<()> {
        let list = self.table.get(&actions)?.list();
        self.table.get_mut(&this)?.set_actions(list);
        Ok(())
    }

    fn deadline(&mut self, this: Resource<Command>, after: u64) -> wasmtime::Result<()> {
        self.table.get_mut(&this)?.request.deadline = Some(Duration::from_nanos(after));
        Ok(())
    }

    fn detach(&mut self, this: Resource<Command>, yes: bool) -> wasmtime::Result<()> {
        self.table.get_mut(&this)?.request.detach = yes;
        Ok(())
    }

    fn session(&mut self, this: Resource<Command>, new: bool) -> wasmtime::Result<()> {
        self.attributes(&this)?.session = new;
        Ok(())
    }

    fn process_group(
        &mut self,
        this: Resource<Command>,
        group: spawn::ProcessGroup,
    ) -> wasmtime::Result<()> {
        let (group, leader) = match group {
            spawn::ProcessGroup::New => (ProcessGroup::New, Weak::new()),
            spawn::ProcessGroup::Join(child) => {
                (ProcessGroup::Joined, Arc::downgrade(self.table.get(&child)?.process()))
            }
        };
        let command = self.table.get_mut(&this)?;
        command.request.attributes.process_group = Some(group);
        command.leader = leader;
        Ok(())
    }

    fn signal_mask(
        &mut self,
        this: Resource<Command>,
        blocked: Vec<Signal>,
    ) -> Result<(), ErrorCodeFailure> {
        self.attributes(&this)?.signal_mask = Some(signals(blocked)?);
        Ok(())
    }

    fn default_signals(
        &mut self,
        this: Resource<Command>,
        wanted: Vec<Signal>,
    ) -> Result<(), ErrorCodeFailure> {
        self.attributes(&this)?.default_signals = Some(signals(wanted)?);
        Ok(())
    }

    fn reset_ids(&mut self, this: Resource<Command>, reset: bool) -> wasmtime::Result<()> {
        self.attributes(&this)?.reset_ids = reset;
        Ok(())
    }

    fn scheduler(
        &mut self,
        this: Resource<Command>,
        policy: Option<spawn::SchedulerPolicy>,
        priority: i32,
    ) -> wasmtime::Result<()> {
        let policy = policy.map(scheduler_policy);
        self.attributes(&this)?.scheduler = Some(Scheduler { policy, priority });
        Ok(())
    }

    fn nice(&mut self, this: Resource<Command>, value: i32) -> wasmtime::Result<()> {
        self.attributes(&this)?.nice = Some(value);
        Ok(())
    }

    fn cpu_affinity(
        &mut self,
        this: Resource<Command>,
        processors: Vec<u16>,
    ) -> wasmtime::Result<()> {
        self.attributes(&this)?.cpu_affinity = Some(processors.into_iter().collect());
        Ok(())
    }

    fn umask(&mut self, this: Resource<Command>, mask: u32) -> wasmtime::Result<()> {
        self.attributes(&this)?.umask = Some(mask);
        Ok(())
    }

    fn rlimit(
        &mut self,
        this: Resource<Command>,
        kind: spawn::RlimitKind,
        soft: Option<u64>,
        hard: Option<u64>,
    ) -> wasmtime::Result<()> {
        let limit = Rlimit { current: soft, maximum: hard };
        self.attributes(&this)?.set_rlimit(rlimit_resource(kind), limit);
        Ok(())
    }

    fn exit_signal(
        &mut self,
        this: Resource<Command>,
        signal: spawn::ExitSignal,
    ) -> wasmtime::Result<()> {
        self.attributes(&this)?.exit_signal = Some(match signal {
            spawn::ExitSignal::Chld => ExitSignal::Chld,
            spawn::ExitSignal::None => ExitSignal::None,
        });
        Ok(())
    }

    fn group(&mut self, this: Resource<Command>, group: Resource<Cgroup>) -> wasmtime::Result<()> {
        let group = Arc::clone(self.table.get(&group)?.node());
        self.table.get_mut(&this)?.set_group(group);
        Ok(())
    }

    fn spawn(&mut self, this: Resource<Command>) -> Result<Spawned, SpawnFailure> {
        let command = self.table.get(&this)?;
        let launched = self.ctx.ready(command)?.start();
        let launched = launched.map_err(|error| self.ctx.not_spawned(&command.request, error))?;
        self.hand_out(launched)
    }

    fn run(&mut self, command: Resource<Command>, patience: u64) -> Result<Ran, SpawnFailure> {
        let command = self.table.delete(command)?;
        let launched = self.ctx.ready_to_run(&command, patience)?.start();
        let launched = launched.map_err(|error| self.ctx.not_spawned(&command.request, error))?;
        self.tell(launched)
    }

    fn drop(&mut self, this: Resource<Command>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl ProcessCtx {
    /// Makes everything ready to start.
    pub(super) fn ready(&self, command: &Command) -> Result<Prepared, SpawnFailure> {
        self.prepare(command).map_err(|error| self.not_spawned(&command.request, error))
    }

    /// The same, to be waited for so long.
    pub(super) fn ready_to_run(
        &self,
        command: &Command,
        patience: u64,
    ) -> Result<Prepared, SpawnFailure> {
        self.ready(command).map(|prepared| prepared.patient(moment(patience)))
    }

    /// The same of what a guest says in one call.
    pub(super) fn plain_to_run(
        &self,
        plain: &Plain,
        patience: u64,
    ) -> Result<Prepared, SpawnFailure> {
        let prepared = self.prepare_plain(plain);
        let prepared = prepared.map_err(|error| self.not_spawned(&plain.request(), error))?;
        Ok(prepared.patient(moment(patience)))
    }

    /// Tells why nothing was started, to who looks and to the guest.
    pub(super) fn not_spawned(&self, request: &Request, error: LaunchError) -> SpawnFailure {
        let error = launch_error(error);
        self.recorder.not_spawned(request, refusal(&error));
        Failure::Guest(error)
    }
}

impl ProcessCtxView<'_> {
    /// What a guest says in one call.
    pub(super) fn plain(
        &mut self,
        program: String,
        args: Vec<String>,
        Streams { stdin, stdout, stderr }: Streams,
    ) -> Plain {
        self.limit_handles();
        Plain::new(program, args, [stdin, stdout, stderr].map(kind))
    }

    /// Tells the guest how what was started ended, or gives it what still runs.
    pub(super) fn tell(&mut self, launched: Launched) -> Result<Ran, SpawnFailure> {
        match launched.ended() {
            Some(exit) => Ok(Ran::Ended(exit_status(exit))),
            None => self.hand_out(launched).map(Ran::Running),
        }
    }

    /// Gives the guest what was started.
    pub(super) fn hand_out(&mut self, launched: Launched) -> Result<Spawned, SpawnFailure> {
        // Only a full table can fail from here on: the guest's own limit. Then
        // all that was started goes again.
        let recorder = &self.ctx.recorder;
        let full = || {
            let error = too_many_resources();
            recorder.limited("command.spawn", refusal(&error));
            Failure::Guest(error)
        };
        let pidfd = self.table.push(launched.child).map_err(|_| full())?;
        let stdin = push(self.table, launched.stdin);
        let stdout = push(self.table, launched.stdout);
        let stderr = push(self.table, launched.stderr);
        match (stdin, stdout, stderr) {
            (Ok(stdin), Ok(stdout), Ok(stderr)) => Ok(Spawned { pidfd, stdin, stdout, stderr }),
            (stdin, stdout, stderr) => {
                self.table.delete(pidfd)?;
                take_back(self.table, stdin)?;
                take_back(self.table, stdout)?;
                take_back(self.table, stderr)?;
                Err(full())
            }
        }
    }

    fn attributes(
        &mut self,
        this: &Resource<Command>,
    ) -> Result<&mut Attributes, ResourceTableError> {
        Ok(&mut self.table.get_mut(this)?.request.attributes)
    }

    fn set_output(
        &mut self,
        this: &Resource<Command>,
        stream: Stream,
        target: Output,
    ) -> Result<(), ErrorCodeFailure> {
        let (kind, given) = match target {
            Output::Null => (StdioKind::Null, None),
            Output::Inherit => (StdioKind::Inherit, None),
            Output::Piped => (StdioKind::Piped, None),
            Output::Pipe(writer) => {
                let pipe = self.table.get_mut(&writer)?.give();
                (StdioKind::Pipe, Some(Given::Pipe(pipe)))
            }
            Output::File(file) => {
                let function = match stream {
                    Stream::Err => "command.stderr",
                    Stream::In | Stream::Out => "command.stdout",
                };
                (StdioKind::File, Some(self.file(function, &file, OpenMode::WRITE)?))
            }
        };
        self.table.get_mut(this)?.set_stdio(stream, kind, given);
        Ok(())
    }

    /// A file or a directory as the guest opened it. What it may not do with
    /// the file, the file must not be open for.
    fn descriptor(&self, descriptor: &Resource<Descriptor>) -> Result<Given, ErrorCodeFailure> {
        let file = match self.table.get(descriptor)? {
            Descriptor::File(file) => file,
            Descriptor::Dir(dir) => return Ok(Given::File(Arc::clone(&dir.dir))),
        };
        let open = fcntl_getfl(&file.file).map_err(error_code)? & OFlags::RWMODE;
        let may = |mode| file.open_mode.contains(mode);
        let reads = open != OFlags::WRONLY;
        let writes = open != OFlags::RDONLY;
        let may_write = may(OpenMode::WRITE) && !file.perms.write_not_permitted();
        if reads && !may(OpenMode::READ) || writes && !may_write {
            return Err(not_given(&self.ctx.recorder, "command.pass").into());
        }
        Ok(Given::File(Arc::clone(&file.file)))
    }

    /// A file that the guest opened in this mode, for a child to share.
    fn file(
        &self,
        function: &'static str,
        descriptor: &Resource<Descriptor>,
        mode: OpenMode,
    ) -> Result<Given, ErrorCodeFailure> {
        let file = match self.table.get(descriptor)? {
            Descriptor::File(file) => file,
            Descriptor::Dir(_) => return Err(ErrorCode::InvalidArgument.into()),
        };
        let writes = mode.contains(OpenMode::WRITE);
        if !file.open_mode.contains(mode) || (writes && file.perms.write_not_permitted()) {
            return Err(not_given(&self.ctx.recorder, function).into());
        }
        Ok(Given::File(Arc::clone(&file.file)))
    }
}

/// How long a spawn waits for the end.
fn moment(patience: u64) -> Duration {
    Duration::from_nanos(patience).min(MOMENT)
}

fn kind(stream: spawn::Stdio) -> StdioKind {
    match stream {
        spawn::Stdio::Null => StdioKind::Null,
        spawn::Stdio::Inherit => StdioKind::Inherit,
        spawn::Stdio::Piped => StdioKind::Piped,
    }
}

/// An end of a pipe that there may be, in the table.
type Pushed<T> = Result<Option<Resource<T>>, ResourceTableError>;

fn push<T: Send + 'static>(table: &mut ResourceTable, end: Option<T>) -> Pushed<T> {
    end.map(|end| table.push(end)).transpose()
}

fn take_back<T: 'static>(
    table: &mut ResourceTable,
    end: Pushed<T>,
) -> Result<(), ResourceTableError> {
    if let Ok(Some(end)) = end {
        table.delete(end)?;
    }
    Ok(())
}

/// Tells that the guest would have given a child what it may not do itself.
pub(super) fn not_given(recorder: &Recorder, function: &'static str) -> ErrorCode {
    let message = "the guest itself may not use this in that way";
    let errno = Some("EACCES");
    recorder.limited(function, Refusal { stage: "descriptors", detail: None, errno, message });
    ErrorCode::AccessDenied
}

pub(super) fn not_taken(
    recorder: &Recorder,
    function: &'static str,
    reason: NotTaken,
) -> ErrorCode {
    let (code, message) = match reason {
        NotTaken::TooLong => (ErrorCode::ArgumentListTooLong, "too long for one command"),
        NotTaken::LimitReached => (ErrorCode::LimitReached, "all commands together are too long"),
    };
    recorder.limited(function, Refusal::denied("limits.max-argument-bytes", message));
    code
}
