//! How a process ended, and what it used.

use crate::Signal;
use crate::bindings::{pidfd, types};
use std::fmt;
use std::time::Duration;

/// How a process ended.
///
/// Displays as that of std does on Linux, with the cause behind it where the
/// host knows one: `signal: 9 (SIGKILL), deadline passed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExitStatus {
    outcome: Outcome,
    cause: Option<Cause>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Outcome {
    Exited(u8),
    Signaled { signal: Signal, core_dumped: bool },
    Lost,
}

/// What brought a process to its end, where the host itself did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// Its deadline passed.
    Deadline,
    /// The component killed it.
    Killed,
    /// The host killed it.
    KilledByHost,
    /// The memory of its cgroup was out, and the kernel killed the process for
    /// it, or another one that it had started.
    OutOfMemory,
}

/// What happens to a process that goes on living.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// This signal stopped it.
    Stopped(Signal),
    /// It runs again.
    Continued,
}

impl From<pidfd::Change> for Change {
    fn from(change: pidfd::Change) -> Self {
        match change {
            pidfd::Change::Stopped(signal) => Self::Stopped(Signal::from_host(signal)),
            pidfd::Change::Continued => Self::Continued,
        }
    }
}

impl ExitStatus {
    /// Whether the process exited with code 0. A lost status is no success.
    pub fn success(&self) -> bool {
        self.outcome == Outcome::Exited(0)
    }

    /// The code that the process exited with, or `None` when it did not exit
    /// by itself or its status is lost.
    pub fn code(&self) -> Option<i32> {
        match self.outcome {
            Outcome::Exited(code) => Some(code.into()),
            _ => None,
        }
    }

    /// The number of the signal that ended the process, as Linux counts.
    pub fn signal(&self) -> Option<i32> {
        self.term_signal().map(Signal::number)
    }

    /// The signal that ended the process.
    pub fn term_signal(&self) -> Option<Signal> {
        match self.outcome {
            Outcome::Signaled { signal, .. } => Some(signal),
            _ => None,
        }
    }

    /// Whether the process dumped its core.
    pub fn core_dumped(&self) -> bool {
        matches!(self.outcome, Outcome::Signaled { core_dumped: true, .. })
    }

    /// Whether the process ended in a way that cannot be known, because
    /// something else in the host's process waited for it.
    pub fn lost(&self) -> bool {
        self.outcome == Outcome::Lost
    }

    /// What ended the process, where it was the host that did. A process that
    /// ended by itself has no cause.
    pub fn cause(&self) -> Option<Cause> {
        self.cause
    }
}

impl From<types::ExitStatus> for ExitStatus {
    fn from(status: types::ExitStatus) -> Self {
        let outcome = match status.outcome {
            types::Outcome::Exited(code) => Outcome::Exited(code),
            types::Outcome::Signaled(how) => Outcome::Signaled {
                signal: Signal::from_host(how.signal),
                core_dumped: how.core_dumped,
            },
            types::Outcome::Lost => Outcome::Lost,
        };
        let cause = status.cause.map(|cause| match cause {
            types::Cause::Deadline => Cause::Deadline,
            types::Cause::Killed => Cause::Killed,
            types::Cause::KilledByHost => Cause::KilledByHost,
            types::Cause::OutOfMemory => Cause::OutOfMemory,
        });
        Self { outcome, cause }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.outcome {
            Outcome::Exited(code) => write!(f, "exit status: {code}")?,
            Outcome::Signaled { signal, core_dumped } => {
                write!(f, "signal: {}", signal.number())?;
                if let Some(name) = signal.name() {
                    write!(f, " ({name})")?;
                }
                if core_dumped {
                    f.write_str(" (core dumped)")?;
                }
            }
            Outcome::Lost => f.write_str("status lost")?,
        }
        match self.cause {
            Some(cause) => write!(f, ", {cause}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deadline => "deadline passed",
            Self::Killed => "killed by the component",
            Self::KilledByHost => "killed by the host",
            Self::OutOfMemory => "out of memory",
        })
    }
}

/// What [`Command::output`](crate::Command::output) returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How the process ended.
    pub status: ExitStatus,
    /// What it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error.
    pub stderr: Vec<u8>,
}

/// What a process and its waited-for descendants used.
///
/// # References
/// - <https://man7.org/linux/man-pages/man2/getrusage.2.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResourceUsage {
    /// Processor time in user mode.
    pub user_time: Duration,
    /// Processor time in the kernel.
    pub system_time: Duration,
    /// The largest resident memory.
    pub peak_memory: PeakMemory,
    /// Page faults served without input or output.
    pub minor_faults: u64,
    /// Page faults that needed input or output.
    pub major_faults: u64,
    /// Reads from a file system's device, in blocks of 512 bytes.
    pub input_blocks: u64,
    /// Writes to a file system's device, in blocks of 512 bytes.
    pub output_blocks: u64,
    /// Context switches because the process waited.
    pub voluntary_switches: u64,
    /// Context switches because the process's time slice ended.
    pub involuntary_switches: u64,
}

/// The largest resident memory of a process and its waited-for descendants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeakMemory {
    /// This many bytes.
    Exact(u64),
    /// No more than this many bytes: Linux cannot tell a program smaller than
    /// its host from one of the host's size.
    AtMost(u64),
}

impl From<types::ResourceUsage> for ResourceUsage {
    fn from(usage: types::ResourceUsage) -> Self {
        Self {
            user_time: Duration::from_nanos(usage.user_time),
            system_time: Duration::from_nanos(usage.system_time),
            peak_memory: match usage.peak_memory {
                types::PeakMemory::Exact(bytes) => PeakMemory::Exact(bytes),
                types::PeakMemory::AtMost(bytes) => PeakMemory::AtMost(bytes),
            },
            minor_faults: usage.minor_faults,
            major_faults: usage.major_faults,
            input_blocks: usage.input_blocks,
            output_blocks: usage.output_blocks,
            voluntary_switches: usage.voluntary_switches,
            involuntary_switches: usage.involuntary_switches,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signaled(signal: Signal, core_dumped: bool, cause: Option<Cause>) -> ExitStatus {
        ExitStatus { outcome: Outcome::Signaled { signal, core_dumped }, cause }
    }

    #[test]
    fn displays_as_std_does() {
        let exited = ExitStatus { outcome: Outcome::Exited(1), cause: None };
        assert_eq!(exited.to_string(), "exit status: 1");
        let core = signaled(Signal::SEGV, true, None);
        assert_eq!(core.to_string(), "signal: 11 (SIGSEGV) (core dumped)");
        let real_time = signaled(Signal::from_number(40).unwrap(), false, None);
        assert_eq!(real_time.to_string(), "signal: 40");
    }

    #[test]
    fn the_cause_follows() {
        let late = signaled(Signal::KILL, false, Some(Cause::Deadline));
        assert_eq!(late.to_string(), "signal: 9 (SIGKILL), deadline passed");
        assert_eq!((late.code(), late.signal()), (None, Some(9)));
    }

    #[test]
    fn only_zero_is_success() {
        let status = |outcome| ExitStatus { outcome, cause: None };
        assert!(status(Outcome::Exited(0)).success());
        assert!(!status(Outcome::Exited(1)).success());
        assert!(!status(Outcome::Lost).success());
        assert_eq!(status(Outcome::Lost).code(), None);
        assert!(!signaled(Signal::TERM, false, None).success());
    }
}
