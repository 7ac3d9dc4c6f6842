//! How to start a process, as a guest builds it up: the resource `command`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::mem;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Weak};

use offspring_spawn::{Errno, SpawnError, Stage, Stdio};
use rustix::fs::{FileType, OFlags, fstat};
use rustix::io::fcntl_dupfd_cloexec;
use wasmtime_wasi::FsPerms;

use crate::beneath;
use crate::cgroup::Node;
use crate::file_actions::List;
use crate::guest_view::GuestView;
use crate::held::{HeldGrant, Narrowed};
use crate::launch::LaunchError;
use crate::pipe::Pipe;
use crate::policy::FileAction;
use crate::process::ChildProcess;
use crate::pty::Terminal;
use crate::quota::{Quota, Share};
use crate::request::{NAME_MAX, Request, StdioKind, name};

/// The longest path that Linux takes, without its terminating NUL.
pub(crate) const PATH_MAX: usize = 4095;

/// How to start a process. Holds what the guest asked for and the descriptors
/// that it gave, and decides nothing.
#[derive(Debug, Default)]
pub struct Command {
    pub(crate) request: Request,
    pub(crate) cwd: Option<Directory>,
    /// Whose group to join. It goes with its handle, whoever wants to join it.
    pub(crate) leader: Weak<ChildProcess>,
    /// What was taken away from the grant.
    pub(crate) narrowed: Narrowed,
    /// The cgroup that the guest chose.
    pub(crate) group: Option<Arc<Node>>,
    /// What [`StdioKind::Pipe`] and [`StdioKind::File`] stand for.
    given: [Option<Given>; 3],
    /// The terminal to run in.
    pub(crate) terminal: Option<Arc<Terminal>>,
    /// What the child starts with besides, by its own numbers.
    passed: BTreeMap<i32, Given>,
    pub(crate) actions: Arc<List>,
    /// What it takes of the memory that the guest's commands may take; `None`
    /// if there was nothing left even for an empty one.
    share: Option<Share>,
}

/// How many descriptors may be passed.
const PASSED_MAX: usize = 256;

/// What a guest gives to a child.
#[derive(Debug)]
pub(crate) enum Given {
    Pipe(Arc<Pipe>),
    File(Arc<File>),
}

/// Why arguments or variables were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// More than one command may have.
    TooLong,
    /// More than the guest may hold in all its commands.
    LimitReached,
}

/// A directory by a path beneath one that the guest holds.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) base: Arc<File>,
    pub(crate) path: String,
    /// What the guest may do there.
    pub(crate) perms: FsPerms,
}

/// One of the three standard streams.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    In = 0,
    Out = 1,
    Err = 2,
}

impl Command {
    /// Starts a command, which takes its part of the memory for commands.
    pub(crate) fn new(program: String, memory: &Quota) -> Command {
        let program = name(program);
        Command::of(Request { program, ..Request::default() }, memory)
    }

    /// Starts a command by a grant that a guest holds.
    pub(crate) fn by(grant: &HeldGrant, memory: &Quota) -> Command {
        let mut command = Command::new(grant.name.clone(), memory);
        if !grant.is_counted() {
            command.share = None;
        }
        command.narrowed = grant.narrowed.clone();
        if let Some(within) = &grant.narrowed.within {
            command.set_group(Arc::clone(within));
        }
        command
    }

    /// Whether the guest gives the child nothing that it holds.
    pub(crate) fn gives_nothing(&self) -> bool {
        self.cwd.is_none()
            && self.given.iter().all(Option::is_none)
            && self.terminal.is_none()
            && self.passed.is_empty()
            && self.actions.is_empty()
    }

    /// Sets the cgroup that the guest chose.
    pub(crate) fn set_group(&mut self, group: Arc<Node>) {
        self.request.group = Some(group.granted_name().to_owned());
        self.group = Some(group);
    }

    /// A command for a whole request, which names nothing that the guest gives.
    pub(crate) fn of(request: Request, memory: &Quota) -> Command {
        let mut command = Command { request, ..Command::default() };
        command.share = memory.take_many(command.memory());
        command
    }

    /// Sets the arguments, unless they are too many.
    pub(crate) fn set_args(&mut self, args: Vec<String>, max: u64) -> Result<(), NotTaken> {
        let before = mem::replace(&mut self.request.args, args);
        self.count(max).inspect_err(|_| self.request.args = before)
    }

    /// Sets the environment, unless it is too large.
    pub(crate) fn set_env(&mut self, env: Vec<(String, String)>, max: u64) -> Result<(), NotTaken> {
        let before = mem::replace(&mut self.request.env, env);
        self.count(max).inspect_err(|_| self.request.env = before)
    }

    /// Runs the child in this terminal, with all three streams.
    pub(crate) fn set_terminal(&mut self, terminal: Arc<Terminal>) {
        for stream in [Stream::In, Stream::Out, Stream::Err] {
            self.set_stdio(stream, StdioKind::Terminal, None);
        }
        self.terminal = Some(terminal);
        self.request.terminal = true;
    }

    /// Passes something as this number, unless too much is.
    pub(crate) fn pass(&mut self, number: i32, given: Given) -> Result<(), NotTaken> {
        let before = self.passed.insert(number, given);
        let memory = self.memory();
        let is_counted = self.share.as_mut().is_some_and(|share| share.resize(memory));
        if !is_counted || self.passed.len() > PASSED_MAX {
            match before {
                Some(before) => self.passed.insert(number, before),
                None => self.passed.remove(&number),
            };
            let memory = self.memory();
            // Less is always possible.
            self.share.as_mut().map(|share| share.resize(memory));
            return Err(NotTaken::LimitReached);
        }
        self.request.file_actions = self.kinds();
        Ok(())
    }

    /// Sets what the child does with its descriptors.
    pub(crate) fn set_actions(&mut self, actions: Arc<List>) {
        self.actions = actions;
        self.request.file_actions = self.kinds();
    }

    fn kinds(&self) -> BTreeSet<FileAction> {
        let pass = (!self.passed.is_empty()).then_some(FileAction::Pass);
        self.actions.kinds().into_iter().chain(pass).collect()
    }

    /// Gives the engine what is passed, and the actions, which look for what they open
    /// in the child's view, if it has one.
    pub(crate) fn give(
        &self,
        engine: &mut offspring_spawn::Command,
        view: Option<&GuestView>,
    ) -> Result<(), LaunchError> {
        for (number, given) in &self.passed {
            let at = |errno| SpawnError { stage: Stage::Passed(number.unsigned_abs()), errno };
            let fd = match (given, view) {
                (Given::Pipe(pipe), _) => duplicate(pipe),
                // Its own would lead out of the view.
                (Given::File(file), Some(view)) if is_directory(file).map_err(at)? => {
                    let path = view.find(file).map_err(at)?;
                    engine.pass_directory(path, *number).map_err(at)?;
                    continue;
                }
                (Given::File(file), _) => duplicate(file),
            };
            let fd = fd.map_err(LaunchError::Descriptors)?;
            engine.pass(fd, *number).map_err(at)?;
        }
        engine.file_actions(self.actions.to_engine(view)?);
        Ok(())
    }

    /// Takes for what the request has now, instead of what it had before.
    fn count(&mut self, max: u64) -> Result<(), NotTaken> {
        if self.request.argument_bytes() > max {
            return Err(NotTaken::TooLong);
        }
        let memory = self.memory();
        match self.share.as_mut().is_some_and(|share| share.resize(memory)) {
            true => Ok(()),
            false => Err(NotTaken::LimitReached),
        }
    }

    /// Whether there was memory for it.
    pub(crate) fn is_counted(&self) -> bool {
        self.share.is_some()
    }

    /// How many bytes it takes, about.
    fn memory(&self) -> u32 {
        let Request { args, env, .. } = &self.request;
        let strings = args.len() * size_of::<String>() + env.len() * size_of::<(String, String)>();
        let passed = self.passed.len() * 2 * size_of::<(i32, Given)>();
        let own = size_of::<Command>() + PATH_MAX + NAME_MAX + passed;
        let bytes = self.request.argument_bytes() + (strings + own) as u64;
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }

    /// Sets a standard stream, with what it is connected to if the guest gave
    /// something.
    pub(crate) fn set_stdio(&mut self, stream: Stream, kind: StdioKind, given: Option<Given>) {
        match stream {
            Stream::In => self.request.stdin = kind,
            Stream::Out => self.request.stdout = kind,
            Stream::Err => self.request.stderr = kind,
        }
        self.given[stream as usize] = given;
    }

    /// What the engine is to connect a stream to.
    pub(crate) fn stdio(&self, stream: Stream, kind: StdioKind) -> Result<Stdio, Errno> {
        Ok(match (kind, &self.given[stream as usize]) {
            (StdioKind::Inherit, _) => Stdio::Inherit,
            (StdioKind::Piped, _) => Stdio::Piped,
            (StdioKind::Pipe | StdioKind::File, Some(Given::Pipe(pipe))) => duplicate(pipe)?.into(),
            (StdioKind::Pipe | StdioKind::File, Some(Given::File(file))) => duplicate(file)?.into(),
            // The terminal is set before.
            (StdioKind::Null | StdioKind::Pipe | StdioKind::File | StdioKind::Terminal, _) => {
                Stdio::Null
            }
        })
    }
}

fn is_directory(file: &File) -> Result<bool, Errno> {
    let mode = fstat(file)?.st_mode;
    Ok(FileType::from_raw_mode(mode) == FileType::Directory)
}

/// A descriptor for the engine, behind the standard streams, where it wants it.
pub(crate) fn duplicate(fd: impl AsFd) -> Result<OwnedFd, Errno> {
    fcntl_dupfd_cloexec(fd, 3)
}

impl Directory {
    /// Opens the directory, which lies beneath its base whatever `..` and
    /// symbolic links say.
    pub(crate) fn open(&self) -> Result<OwnedFd, Errno> {
        beneath::open(&self.base, &self.path, OFlags::DIRECTORY)
    }
}
