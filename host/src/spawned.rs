//! Children that a host starts itself, by what it grants to a guest: for
//! interfaces of its own, such as "format this file", above ours.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use offspring_spawn::Signal;

use crate::child::{Cause, Exit};
use crate::command::Command;
use crate::ctx::ProcessCtx;
use crate::launch::LaunchError;
use crate::pipe::Pipe;
use crate::process::{ChildProcess, Ending};
use crate::request::{Request, StdioKind};
use crate::wit;

impl ProcessCtx {
    /// Starts a process for the guest, as the guest could itself: by the same
    /// policy, in the same sandbox, counted by the same limits, told to the same
    /// log.
    ///
    /// The calling thread sleeps until the program is executed.
    ///
    /// ```
    /// use std::io::Read;
    ///
    /// use offspring::ProcessCtx;
    /// use offspring::policy::{Arguments, Grant};
    /// use offspring::request::{Request, StdioKind};
    ///
    /// let grant = Grant::new("echo", "echo").arguments(Arguments::Any).stdio([StdioKind::Piped]);
    /// let ctx = ProcessCtx::builder().grant(grant).build()?;
    /// let mut child = ctx.spawn(Request {
    ///     program: "echo".into(),
    ///     args: vec!["hello".into()],
    ///     stdout: StdioKind::Piped,
    ///     ..Request::default()
    /// })?;
    /// let mut text = String::new();
    /// child.stdout.take().unwrap().read_to_string(&mut text)?;
    /// assert_eq!(text, "hello\n");
    /// assert!(child.wait()?.status.success());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// What the guest would get. Requests for what only a guest can give, a
    /// directory, files, pipes, a terminal or a group, are refused at stage
    /// `request`.
    pub fn spawn(&self, request: Request) -> Result<Spawned, SpawnRefused> {
        if let Some(what) = only_a_guests(&request) {
            return Err(SpawnRefused {
                stage: "request".to_owned(),
                detail: None,
                errno: None,
                message: format!("the request names {what} of the guest's, and gives none"),
            });
        }
        let command = Command::of(request, &self.command_bytes);
        let launched = self.prepare(&command).and_then(|prepared| prepared.start());
        let launched = launched.map_err(|error: LaunchError| {
            let error = wit::spawn_error(error);
            let refusal = wit::refusal(&error);
            let refused = SpawnRefused {
                stage: refusal.stage.to_owned(),
                detail: refusal.detail.clone(),
                errno: refusal.errno.map(str::to_owned),
                message: refusal.message.to_owned(),
            };
            self.recorder.not_spawned(&command.request, refusal);
            refused
        })?;
        Ok(Spawned {
            process: Arc::clone(launched.child.process()),
            stdin: launched.stdin.map(|mut end| SpawnedPipe(end.give())),
            stdout: launched.stdout.map(|mut end| SpawnedPipe(end.give())),
            stderr: launched.stderr.map(|mut end| SpawnedPipe(end.give())),
        })
    }
}

/// What a request names that comes with a guest's handles.
fn only_a_guests(request: &Request) -> Option<&'static str> {
    let streams = [request.stdin, request.stdout, request.stderr];
    let given = |kind| streams.contains(&kind);
    let all = [
        (request.cwd, "a directory"),
        (given(StdioKind::File), "a file"),
        (given(StdioKind::Pipe), "a pipe"),
        (request.terminal || given(StdioKind::Terminal), "a terminal"),
        (!request.file_actions.is_empty(), "file actions"),
        (request.group.is_some(), "a group"),
    ];
    all.into_iter().find(|(is_named, _)| *is_named).map(|(_, what)| what)
}

/// A child that was started by [`ProcessCtx::spawn`]. Dropping it ends the
/// process as its grant says, with its process group.
pub struct Spawned {
    process: Arc<ChildProcess>,
    /// The end to write to, when the standard input is piped.
    pub stdin: Option<SpawnedPipe>,
    /// The end to read from, when the standard output is piped.
    pub stdout: Option<SpawnedPipe>,
    /// The end to read from, when the standard error is piped.
    pub stderr: Option<SpawnedPipe>,
}

impl Spawned {
    /// Asks, without blocking, whether the process has ended.
    ///
    /// # Errors
    /// Those of waitid(2).
    pub fn try_wait(&self) -> io::Result<Option<Exit>> {
        self.process.try_wait()
    }

    /// Blocks until the process has ended. May be called from any number of
    /// threads, any number of times. Does not close the standard input.
    ///
    /// # Errors
    /// Those of waitid(2).
    pub fn wait(&self) -> io::Result<Exit> {
        self.process.wait()
    }

    /// Sends the process a signal. The policy's rule for signals is the guest's.
    ///
    /// # Errors
    /// `ESRCH` when it has ended.
    pub fn send_signal(&self, signal: Signal) -> io::Result<()> {
        Ok(self.process.send_signal(signal)?)
    }

    /// Kills the process and its group: SIGTERM first, if it has time.
    ///
    /// # Errors
    /// Those of pidfd_send_signal(2); none when it has ended.
    pub fn end(&self, grace: Duration) -> io::Result<()> {
        let ending = if grace.is_zero() { Ending::Kill } else { Ending::Ask(grace) };
        self.process.end(Cause::KilledByHost, ending)
    }

    /// The number of the process, for messages.
    ///
    /// # Errors
    /// `ESRCH` when it was waited for.
    pub fn id(&self) -> io::Result<u32> {
        Ok(self.process.getpid()?)
    }
}

impl AsFd for Spawned {
    /// Its pidfd, which is readable when it has ended: for event loops.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }
}

impl fmt::Debug for Spawned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawned").field("process", &self.process).finish_non_exhaustive()
    }
}

/// The host's end of a pipe to a child, which blocks, and counts as one of the
/// guest's.
#[derive(Debug)]
pub struct SpawnedPipe(Arc<Pipe>);

impl Read for SpawnedPipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::retry_on_intr(|| rustix::io::read(&*self.0, &mut *buffer))?)
    }
}

impl Write for SpawnedPipe {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::retry_on_intr(|| rustix::io::write(&*self.0, buffer))?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for SpawnedPipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Why a process was not started: what the guest would be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct SpawnRefused {
    /// How far it came, as in the audit log: `policy`, `exec`.
    pub stage: String,
    /// What the stage is about: a key of the policy, an attribute.
    pub detail: Option<String>,
    /// The kernel's error, where it was the kernel that refused.
    pub errno: Option<String>,
    /// The same for people, in one line.
    pub message: String,
}
