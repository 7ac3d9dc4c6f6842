//! What a sandbox is made of.

use std::fmt;

use rustix::io::Errno;

/// One thing that a sandbox does. Each is in force unless the builder was told
/// otherwise; `no_new_privs` always is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Part {
    /// Files are those that were named, in the mode that was named (Landlock,
    /// Linux 5.13).
    Files,
    /// Files that may not be written cannot be cut short by their names either
    /// (Linux 6.2).
    Truncate,
    /// Devices that were not named take no ioctl (Linux 6.10).
    DeviceIoctl,
    /// Signals reach no process outside the sandbox (Linux 6.12).
    Signals,
    /// Abstract UNIX sockets outside the sandbox cannot be connected to (Linux
    /// 6.12). Of use only where there can be UNIX sockets.
    AbstractSockets,
    /// Sockets are those of [`Network`](super::Network) (seccomp).
    Network,
    /// The system calls of every [`CallGroup`](super::CallGroup) are refused
    /// (seccomp).
    SystemCalls,
    /// No capability is had, nor gained by executing anything.
    Capabilities,
    /// The keys of the host's session are out of reach.
    Keyring,
    /// The kernel writes no memory of the process down when it crashes.
    CoreDumps,
}

impl Part {
    /// Every part, in the order of their documentation.
    pub const ALL: &[Part] = &[
        Part::Files,
        Part::Truncate,
        Part::DeviceIoctl,
        Part::Signals,
        Part::AbstractSockets,
        Part::Network,
        Part::SystemCalls,
        Part::Capabilities,
        Part::Keyring,
        Part::CoreDumps,
    ];

    /// The part in one word, for programs and policies.
    pub const fn name(self) -> &'static str {
        match self {
            Part::Files => "files",
            Part::Truncate => "truncate",
            Part::DeviceIoctl => "device-ioctl",
            Part::Signals => "signals",
            Part::AbstractSockets => "abstract-sockets",
            Part::Network => "network",
            Part::SystemCalls => "system-calls",
            Part::Capabilities => "capabilities",
            Part::Keyring => "keyring",
            Part::CoreDumps => "core-dumps",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a part cannot be in force here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lack {
    /// There is no Landlock: the kernel says why.
    Landlock(Errno),
    /// Landlock is older than the part.
    LandlockVersion {
        /// The version of its interface that has the part.
        needed: u32,
        /// The one that is here.
        found: u32,
    },
    /// There are no seccomp filters: the kernel says why.
    Seccomp(Errno),
    /// Cores are piped to a program whatever limit they have but 1, and the
    /// hard limit is 0 and may not be raised.
    CoreLimit,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lack::Landlock(Errno::NOSYS) => f.write_str(
                "there is no Landlock (Linux 5.13 mends it, or a seccomp profile that lets its \
                 system calls through)",
            ),
            Lack::Landlock(Errno::OPNOTSUPP) => f.write_str(
                "Landlock is not among the security modules that the kernel started \
                             with (add `landlock` to its parameter `lsm=`)",
            ),
            Lack::Landlock(errno) => write!(f, "Landlock cannot be used: {errno}"),
            Lack::LandlockVersion { needed, found } => {
                let linux = landlock_since(*needed);
                write!(f, "Landlock is of version {found} (Linux {linux} mends it)")
            }
            Lack::Seccomp(errno) => write!(f, "seccomp filters cannot be used: {errno}"),
            Lack::CoreLimit => f.write_str(
                "the hard limit of core files is 0, and the kernel's core_pattern pipes them to a \
                 program all the same (raise the hard limit to 1)",
            ),
        }
    }
}

/// The kernel that brought a version of Landlock's interface.
fn landlock_since(version: u32) -> &'static str {
    match version {
        ..=1 => "5.13",
        2 => "5.19",
        3 => "6.2",
        4 => "6.7",
        5 => "6.10",
        _ => "6.12",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_a_name_of_its_own() {
        let mut names: Vec<_> = Part::ALL.iter().map(|part| part.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Part::ALL.len());
    }
}
