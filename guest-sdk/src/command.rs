//! Commands.

use crate::attributes::Attributes;
use crate::bindings::file_actions;
use crate::bindings::spawn::{self, Ran, Streams};
use crate::bindings::types;
use crate::cgroup::Cgroup;
use crate::pidfd::{MOMENT, nanoseconds};
use crate::{
    Child, ErrorCode, ExitStatus, FileActions, GrantHandle, Output, Passed, Pty, SpawnError, Stdio,
    fs,
};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How to start a process.
///
/// Everything is held here and sent to the host by [`spawn`](Self::spawn),
/// which is when the host checks it. Names, arguments and paths must be UTF-8.
///
/// A command can be spawned again, except that a pipe end given to
/// [`stdin`](Self::stdin), [`stdout`](Self::stdout) or
/// [`stderr`](Self::stderr) goes to the first child, and is not kept open by
/// the command as in std: it must be set anew.
#[derive(Debug)]
#[doc(alias = "posix_spawn")]
pub struct Command {
    program: Program,
    args: Vec<OsString>,
    env: BTreeMap<OsString, OsString>,
    directory: Option<PathBuf>,
    stdin: Option<Stdio>,
    stdout: Option<Stdio>,
    stderr: Option<Stdio>,
    more: Option<Box<More>>,
}

/// What few commands have, apart from the rest: to make it, to ask for it and to drop it
/// takes most of the code that a spawn runs in a component.
#[derive(Debug, Default)]
struct More {
    terminal: Option<Pty>,
    passed: BTreeMap<u32, Passed>,
    actions: Option<Arc<file_actions::FileActions>>,
    attributes: Attributes,
    deadline: Option<Duration>,
    detach: bool,
    group: Option<Cgroup>,
}

/// What a command starts.
#[derive(Debug)]
enum Program {
    /// A grant by its name, and what takes one.
    Named(OsString, &'static ByName),
    /// A grant that the component holds.
    Granted(GrantHandle),
}

/// What the host does for who says a name. Called through pointers, so that a component
/// which names no program does not import it.
#[derive(Debug)]
struct ByName {
    start: fn(&str) -> spawn::Command,
    run: fn(&str, &[String], Streams, u64) -> Result<Ran, spawn::SpawnError>,
}

static BY_NAME: ByName = ByName { start: spawn::Command::new, run: spawn::run_program };

impl Command {
    /// Starts a command for the program that the host granted under this name.
    ///
    /// Without arguments, with the environment and in the directory that the
    /// grant fixes. The standard streams are inherited for
    /// [`spawn`](Self::spawn) and [`status`](Self::status), as in std; for
    /// [`output`](Self::output) the input is null and the outputs are piped.
    /// A grant need not allow a child to inherit streams: then say
    /// [`Stdio::null`] or [`Stdio::piped`], or expect the denial.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self::of(Program::Named(program.as_ref().to_owned(), &BY_NAME))
    }

    /// Starts a command by a grant that the component holds.
    pub fn from_grant(grant: &GrantHandle) -> Self {
        Self::of(Program::Granted(grant.clone()))
    }

    fn of(program: Program) -> Self {
        Self {
            program,
            args: Vec::new(),
            env: BTreeMap::new(),
            directory: None,
            stdin: None,
            stdout: None,
            stderr: None,
            more: None,
        }
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// What the child is, to be chosen.
    pub(crate) fn attributes(&mut self) -> &mut Attributes {
        &mut self.more().attributes
    }

    fn get_terminal(&self) -> Option<&Pty> {
        self.more.as_ref().and_then(|more| more.terminal.as_ref())
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable that the grant allows to be set.
    pub fn env(&mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.env.insert(key.as_ref().to_owned(), value.as_ref().to_owned());
        self
    }

    /// Sets environment variables.
    pub fn envs(
        &mut self,
        vars: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> &mut Self {
        for (key, value) in vars {
            self.env(key, value);
        }
        self
    }

    /// Takes back a variable set by [`env`](Self::env). What the grant fixes
    /// stays.
    pub fn env_remove(&mut self, key: impl AsRef<OsStr>) -> &mut Self {
        self.env.remove(key.as_ref());
        self
    }

    /// Takes back every variable set by [`env`](Self::env). What the grant
    /// fixes stays.
    pub fn env_clear(&mut self) -> &mut Self {
        self.env.clear();
        self
    }

    /// Sets the directory to run in: one that the component has, or one
    /// beneath it, by the path that the component knows it by.
    pub fn current_dir(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        self.directory = Some(directory.as_ref().to_owned());
        self
    }

    /// Sets the standard input.
    pub fn stdin(&mut self, source: impl Into<Stdio>) -> &mut Self {
        self.stdin = Some(source.into());
        self
    }

    /// Sets the standard output.
    pub fn stdout(&mut self, target: impl Into<Stdio>) -> &mut Self {
        self.stdout = Some(target.into());
        self
    }

    /// Sets the standard error.
    pub fn stderr(&mut self, target: impl Into<Stdio>) -> &mut Self {
        self.stderr = Some(target.into());
        self
    }

    /// Runs the child in this terminal: its streams are the terminal, but for
    /// those that are set, and it leads a new session that the terminal
    /// controls, in its foreground.
    ///
    /// The command holds the terminal: it is not hung up before the command is
    /// dropped.
    #[doc(alias = "TIOCSCTTY")]
    pub fn terminal(&mut self, pty: &Pty) -> &mut Self {
        self.more().terminal = Some(pty.clone());
        self
    }

    /// Passes a file, a directory or the end of a pipe to the child, as this
    /// number. A later one of the same number replaces it.
    ///
    /// The end of a pipe goes to the first child, as with
    /// [`stdin`](Self::stdin).
    #[doc(alias = "fd_mappings")]
    pub fn pass(&mut self, fd: u32, what: impl Into<Passed>) -> &mut Self {
        self.more().passed.insert(fd, what.into());
        self
    }

    /// Sets what the child does with its descriptors before it executes its
    /// program: these actions, as they are when it is spawned.
    #[doc(alias = "posix_spawn_file_actions_t")]
    pub fn file_actions(&mut self, actions: &FileActions) -> &mut Self {
        self.more().actions = Some(actions.share());
        self
    }

    /// Sets how long the process may run before the host kills it, with its
    /// process group. The smaller of this and the grant's own counts.
    ///
    /// The status then has the [`Cause::Deadline`](crate::Cause::Deadline).
    pub fn deadline(&mut self, after: Duration) -> &mut Self {
        self.more().deadline = Some(after);
        self
    }

    /// Lets the process live on when its handle is dropped, the component ends,
    /// or the host does, in a session of its own. The grant must allow it.
    pub fn detach(&mut self, yes: bool) -> &mut Self {
        self.more().detach = yes;
        self
    }

    /// Starts the process in this cgroup, which is the one that its grant names
    /// or lies beneath that.
    pub fn group(&mut self, group: &Cgroup) -> &mut Self {
        self.more().group = Some(group.clone());
        self
    }

    /// Starts the process. The program runs when this returns: one that cannot
    /// be executed is an error here.
    ///
    /// # Errors
    ///
    /// Each carries a [`SpawnError`].
    ///
    /// - `PermissionDenied`: the host's policy refuses, or the kernel.
    /// - `NotFound`: the program's loader, the directory, or that of a path among
    ///   the arguments does not exist.
    /// - `InvalidInput`: a string that is not UTF-8 or has a NUL in it, or a
    ///   pipe that the component itself has read from or written to.
    /// - `ArgumentListTooLong`, `QuotaExceeded`, `WouldBlock`, `OutOfMemory`:
    ///   a limit of the host or the kernel; see [`ErrorCode::kind`].
    pub fn spawn(&mut self) -> io::Result<Child> {
        let inherit = self.inherited();
        let command = self.send(inherit.as_ref(), inherit.as_ref())?;
        self.start(&command)
    }

    /// Starts the process, waits for it, and returns what it wrote.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    pub fn output(&mut self) -> io::Result<Output> {
        match self.run(Some(&Stdio::null()), Some(&Stdio::piped()))? {
            Ran::Ended(status) => {
                Ok(Output { status: status.into(), stdout: vec![], stderr: vec![] })
            }
            Ran::Running(spawned) => Child::from(spawned).wait_with_output(),
        }
    }

    /// Starts the process and waits for it.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    pub fn status(&mut self) -> io::Result<ExitStatus> {
        let inherit = self.inherited();
        match self.run(inherit.as_ref(), inherit.as_ref())? {
            Ran::Ended(status) => Ok(status.into()),
            Ran::Running(spawned) => Child::from(spawned).wait(),
        }
    }

    /// What a stream is that is not set: the host's, or the terminal's.
    fn inherited(&self) -> Option<Stdio> {
        self.get_terminal().is_none().then(Stdio::inherit)
    }

    /// Starts the process and lets the host wait for its end for a moment, in one call if
    /// there is little to say.
    fn run(&mut self, input: Option<&Stdio>, output: Option<&Stdio>) -> io::Result<Ran> {
        let ran = match (&self.program, self.streams(input, output)) {
            (Program::Named(name, by_name), Some(streams)) => {
                let name = utf8(name, "the program's name")?;
                (by_name.run)(name, &self.all_args()?, streams, nanoseconds(MOMENT))
            }
            _ => spawn::Command::run(self.send(input, output)?, nanoseconds(MOMENT)),
        };
        let ran = ran.map_err(SpawnError::from)?;
        self.give_away();
        Ok(ran)
    }

    /// The streams, if there is nothing else to say but the arguments, and nothing is
    /// given to the child.
    fn streams(&self, input: Option<&Stdio>, output: Option<&Stdio>) -> Option<Streams> {
        if !self.env.is_empty() || self.directory.is_some() || self.more.is_some() {
            return None;
        }
        let of = |set: &Option<Stdio>, other| set.as_ref().or(other).and_then(Stdio::plain);
        Some(Streams {
            stdin: of(&self.stdin, input)?,
            stdout: of(&self.stdout, output)?,
            stderr: of(&self.stderr, output)?,
        })
    }

    fn all_args(&self) -> Result<Vec<String>, SpawnError> {
        self.args.iter().map(|arg| Ok(utf8(arg, "an argument")?.to_owned())).collect()
    }

    /// Starts the process.
    fn start(&mut self, command: &spawn::Command) -> io::Result<Child> {
        let spawned = command.spawn().map_err(SpawnError::from)?;
        self.give_away();
        Ok(spawned.into())
    }

    /// Closes what the child has now.
    fn give_away(&mut self) {
        for stdio in [&mut self.stdin, &mut self.stdout, &mut self.stderr].into_iter().flatten() {
            stdio.give_away();
        }
        if let Some(more) = &mut self.more {
            more.passed.values_mut().for_each(Passed::give_away);
        }
    }

    /// Sends the command to the host, in as few calls as it takes.
    fn send(&self, input: Option<&Stdio>, output: Option<&Stdio>) -> io::Result<spawn::Command> {
        let command = match &self.program {
            Program::Named(name, by_name) => (by_name.start)(utf8(name, "the program's name")?),
            Program::Granted(grant) => spawn::Command::from_grant(grant.host()),
        };
        if !self.args.is_empty() {
            command.args(&self.all_args()?).map_err(|code| refused("arguments", code))?;
        }
        if !self.env.is_empty() {
            let env = self.env.iter().map(|(key, value)| {
                let key = utf8(key, "a variable's name")?;
                Ok((key.to_owned(), utf8(value, "a variable's value")?.to_owned()))
            });
            let env: Vec<(String, String)> = env.collect::<Result<_, SpawnError>>()?;
            command.env(&env).map_err(|code| refused("environment", code))?;
        }
        if let Some(directory) = &self.directory {
            let (directory, rest) = fs::resolve(directory)
                .map_err(|(code, message)| SpawnError::request(code, message))?;
            command.cwd(directory, &rest).map_err(|code| refused("directory", code))?;
        }
        let terminal = self.get_terminal();
        if let Some(pty) = terminal {
            command.terminal(pty.host());
        }
        // A stream is null unless the host is told something else.
        let is_news = |stdio: &&Stdio| terminal.is_some() || !stdio.is_null();
        if let Some(stdin) = self.stdin.as_ref().or(input).filter(is_news) {
            stdin.set_stdin(&command)?;
        }
        if let Some(stdout) = self.stdout.as_ref().or(output).filter(is_news) {
            stdout.set_output("stdout", |target| command.stdout(target))?;
        }
        if let Some(stderr) = self.stderr.as_ref().or(output).filter(is_news) {
            stderr.set_output("stderr", |target| command.stderr(target))?;
        }
        if let Some(more) = &self.more {
            more.send(&command)?;
        }
        Ok(command)
    }
}

impl More {
    /// Sends all of it but the terminal, which goes before the streams.
    fn send(&self, command: &spawn::Command) -> Result<(), SpawnError> {
        for (number, what) in &self.passed {
            what.send(*number, command)?;
        }
        if let Some(actions) = &self.actions {
            command.file_actions(actions);
        }
        self.attributes.send(command)?;
        if let Some(after) = self.deadline {
            command.deadline(nanoseconds(after));
        }
        if self.detach {
            command.detach(true);
        }
        if let Some(group) = &self.group {
            command.group(group.host());
        }
        Ok(())
    }
}

fn utf8<'a>(text: &'a OsStr, what: &str) -> Result<&'a str, SpawnError> {
    text.to_str().ok_or_else(|| {
        SpawnError::invalid(format!("{what} is not UTF-8: {}", text.to_string_lossy()))
    })
}

fn refused(what: &str, code: types::ErrorCode) -> SpawnError {
    let code = ErrorCode::from(code);
    let message = format!("{what}: {code}");
    SpawnError::request(code, message)
}
