//! Children.

use crate::bindings::spawn;
use crate::{ExitStatus, Output, PidFd, PipeReader, PipeWriter, ResourceUsage, poll};
use std::io::{self, Read};
use std::time::Duration;

/// The end of a pipe that is a child's standard input.
pub type ChildStdin = PipeWriter;

/// The end of a pipe that is a child's standard output.
pub type ChildStdout = PipeReader;

/// The end of a pipe that is a child's standard error.
pub type ChildStderr = PipeReader;

/// A running or ended child process.
///
/// Unlike in std, **dropping a `Child` kills the process**, with its process
/// group: a process belongs to its handle. Keep the `Child`, or the [`PidFd`]
/// that [`Self::into_pidfd`] leaves, as long as the process shall run.
#[derive(Debug)]
pub struct Child {
    /// The end to write to, when the standard input is
    /// [`piped`](crate::Stdio::piped).
    pub stdin: Option<ChildStdin>,
    /// The end to read from, when the standard output is piped.
    pub stdout: Option<ChildStdout>,
    /// The end to read from, when the standard error is piped.
    pub stderr: Option<ChildStderr>,
    pidfd: PidFd,
}

impl Child {
    /// Returns the number of the process, for messages: nothing takes one. 0
    /// when the process has ended and was waited for, or lives in a namespace
    /// that the host cannot see; [`PidFd::getpid`] tells which.
    pub fn id(&self) -> u32 {
        self.pidfd.getpid().unwrap_or(0)
    }

    /// Kills the process and its process group. No error when it has already
    /// ended.
    pub fn kill(&mut self) -> io::Result<()> {
        self.pidfd.kill()
    }

    /// Asks the process and its process group to end, by SIGTERM, and kills what
    /// is left after `grace`. Returns at once: wait as usual.
    pub fn terminate(&mut self, grace: Duration) -> io::Result<()> {
        self.pidfd.terminate(grace)
    }

    /// Closes the standard input, if it is piped, and waits until the process
    /// has ended.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        self.pidfd.wait()
    }

    /// Says how the process ended, or `None` while it runs.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.pidfd.try_wait()
    }

    /// Closes the standard input, reads both outputs to their ends, and waits
    /// until the process has ended.
    ///
    /// Both are read as they come, so a child may fill either.
    pub fn wait_with_output(mut self) -> io::Result<Output> {
        drop(self.stdin.take());
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        match (self.stdout.take(), self.stderr.take()) {
            (Some(out), Some(err)) => {
                read_both([(&out, &mut stdout), (&err, &mut stderr)])?;
            }
            (out, err) => {
                out.map(|mut out| out.read_to_end(&mut stdout)).transpose()?;
                err.map(|mut err| err.read_to_end(&mut stderr)).transpose()?;
            }
        }
        let status = self.pidfd.wait()?;
        Ok(Output { status, stdout, stderr })
    }

    /// Returns what the process used, or `None` while it runs, or when its
    /// status is lost.
    pub fn usage(&self) -> Option<ResourceUsage> {
        self.pidfd.usage()
    }

    /// Returns the exit handle, to signal the process or to wait for it
    /// together with others.
    pub fn pidfd(&self) -> &PidFd {
        &self.pidfd
    }

    /// Keeps the exit handle alone. Pipes that were not taken are closed.
    pub fn into_pidfd(self) -> PidFd {
        self.pidfd
    }
}

impl From<spawn::Spawned> for Child {
    fn from(spawned: spawn::Spawned) -> Self {
        Self {
            stdin: spawned.stdin.map(PipeWriter::new),
            stdout: spawned.stdout.map(PipeReader::new),
            stderr: spawned.stderr.map(PipeReader::new),
            pidfd: PidFd::new(spawned.pidfd),
        }
    }
}

fn read_both(mut ends: [(&PipeReader, &mut Vec<u8>); 2]) -> io::Result<()> {
    let pollables = [ends[0].0.pollable(), ends[1].0.pollable()];
    let ended = 'both: loop {
        for index in poll(&[&pollables[0], &pollables[1]]) {
            let index = index as usize;
            let (pipe, content) = &mut ends[index];
            if !pipe.append_available(content)? {
                break 'both index;
            }
        }
    };
    let (mut other, content) = (ends[1 - ended].0, &mut *ends[1 - ended].1);
    other.read_to_end(content)?;
    Ok(())
}
