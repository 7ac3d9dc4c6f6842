//! How a process ended and what it used.

use std::fmt;
use std::time::Duration;

use crate::signal::Signal;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExitStatus {
    /// It returned this code from `main`, or gave it to `exit`.
    Exited(u8),
    /// A signal ended it.
    Signaled {
        /// The signal.
        signal: Signal,
        /// Whether it dumped its core.
        core_dumped: bool,
    },
    /// It ended, but something else in this process waited for it, and the
    /// kernel is too old (before 6.15) to tell a second time.
    Lost,
}

impl ExitStatus {
    /// Whether the process exited with code 0.
    pub fn success(self) -> bool {
        self == ExitStatus::Exited(0)
    }

    /// Reads a status word as wait(2) and the kernel's `PIDFD_GET_INFO` give it.
    pub(crate) fn from_wait_word(word: i32) -> ExitStatus {
        let [low, code, ..] = word.to_le_bytes();
        match Signal::from_raw(i32::from(low & 0x7f)) {
            Some(signal) => ExitStatus::Signaled { signal, core_dumped: low & 0x80 != 0 },
            None => ExitStatus::Exited(code),
        }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitStatus::Exited(code) => write!(f, "exit status: {code}"),
            ExitStatus::Signaled { signal, core_dumped } => {
                write!(f, "signal: {} ({signal})", signal.as_raw())?;
                if *core_dumped { f.write_str(" (core dumped)") } else { Ok(()) }
            }
            ExitStatus::Lost => f.write_str("exit status lost"),
        }
    }
}

/// The largest resident memory of a process and of the descendants that it
/// waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeakMemory {
    /// This many bytes.
    Exact(u64),
    /// No more than this many bytes. Linux counts the memory that a child
    /// shares with its parent until it executes its program, so what is no
    /// larger than the parent cannot be told from the parent.
    AtMost(u64),
}

/// What a process used, and the descendants that it waited for.
///
/// # References
/// - [getrusage(2)](https://man7.org/linux/man-pages/man2/getrusage.2.html)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

/// The end of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Exit {
    /// How it ended.
    pub status: ExitStatus,
    /// What it used; unknown when the status came from elsewhere than a wait.
    pub usage: Option<ResourceUsage>,
}

/// What happens to a process that goes on living.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// This signal stopped it.
    Stopped(Signal),
    /// It runs again.
    Continued,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_words() {
        let killed = ExitStatus::Signaled { signal: Signal::KILL, core_dumped: false };
        let aborted = ExitStatus::Signaled { signal: Signal::ABRT, core_dumped: true };
        for (word, status) in [
            (0, ExitStatus::Exited(0)),
            (0x0700, ExitStatus::Exited(7)),
            (0xff00, ExitStatus::Exited(255)),
            (9, killed),
            (0x86, aborted),
        ] {
            assert_eq!(ExitStatus::from_wait_word(word), status);
        }
    }

    #[test]
    fn only_code_zero_is_success() {
        assert!(ExitStatus::Exited(0).success());
        assert!(!ExitStatus::Exited(1).success());
        assert!(!ExitStatus::Lost.success());
    }

    #[test]
    fn reads_like_std() {
        let killed = ExitStatus::Signaled { signal: Signal::KILL, core_dumped: false };
        assert_eq!(killed.to_string(), "signal: 9 (SIGKILL)");
        assert_eq!(ExitStatus::Exited(3).to_string(), "exit status: 3");
    }
}
