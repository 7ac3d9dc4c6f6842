//! What became of a step.

use crate::limits::Used;
use offspring_guest::{Cause, ErrorCode, ExitStatus, Signal, SpawnError, Stage};
use std::fmt;
use std::io;
use std::time::Duration;

/// One step of the report.
#[derive(Debug)]
pub struct Row {
    pub step: String,
    pub outcome: Outcome,
    /// Whether the step or its job may fail.
    pub allowed: bool,
    /// How long it took, unless no process was started.
    pub wall: Option<Duration>,
    /// Processor time and memory, where the host knows them.
    pub used: Option<Used>,
}

#[derive(Debug, PartialEq)]
pub enum Outcome {
    Ok,
    Exit(i32),
    Signal(Signal),
    Deadline,
    OutOfMemory,
    KilledByHost,
    Lost,
    Skipped,
    /// The host's policy refused, by this key.
    Denied(String),
    NotStarted,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    Passed,
    Failed,
    Allowed,
    Skipped,
}

impl Row {
    pub fn verdict(&self) -> Verdict {
        match self.outcome {
            Outcome::Ok => Verdict::Passed,
            Outcome::Skipped => Verdict::Skipped,
            _ if self.allowed => Verdict::Allowed,
            _ => Verdict::Failed,
        }
    }
}

/// The exit code of a shell whose last command ended by SIGPIPE.
const SHELL_PIPE: i32 = 128 + 13;

impl Outcome {
    /// A process that ended. One whose reader had enough is told so by
    /// SIGPIPE, and has not failed.
    pub fn ended(status: ExitStatus, feeds_next: bool) -> Self {
        match (status.code(), status.term_signal()) {
            _ if status.cause() == Some(Cause::Deadline) => Self::Deadline,
            _ if status.cause() == Some(Cause::OutOfMemory) => Self::OutOfMemory,
            _ if status.cause() == Some(Cause::KilledByHost) => Self::KilledByHost,
            (Some(0), _) => Self::Ok,
            (Some(SHELL_PIPE), _) if feeds_next => Self::Ok,
            (Some(code), _) => Self::Exit(code),
            (None, Some(Signal::PIPE)) if feeds_next => Self::Ok,
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Lost,
        }
    }

    /// A process that was not started.
    pub fn refused(error: &io::Error) -> Self {
        let reason = error.get_ref().and_then(|inner| inner.downcast_ref::<SpawnError>());
        match reason.map(|reason| (&reason.stage, &reason.code)) {
            Some((Stage::Policy(key), ErrorCode::AccessDenied)) => Self::Denied(key.clone()),
            _ => Self::NotStarted,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("ok"),
            Self::Exit(code) => write!(f, "exit {code}"),
            Self::Signal(signal) => write!(f, "{signal}"),
            Self::Deadline => f.write_str("deadline"),
            Self::OutOfMemory => f.write_str("out of memory"),
            Self::KilledByHost => f.write_str("killed by host"),
            Self::Lost => f.write_str("status lost"),
            Self::Skipped => f.write_str("skipped"),
            Self::Denied(key) => write!(f, "denied: {key}"),
            Self::NotStarted => f.write_str("not started"),
        }
    }
}
