//! Which parts of a sandbox there can be here.

use rustix::io::Errno;

use super::core;
use super::landlock;
use super::part::{Lack, Part};

/// What this kernel, and what confines this process already, offer to
/// sandboxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SandboxSupport {
    landlock: Result<u32, Errno>,
    seccomp: Result<(), Errno>,
    core_limit: Result<u64, Lack>,
}

impl SandboxSupport {
    /// Asks, each time anew.
    pub fn find() -> SandboxSupport {
        SandboxSupport {
            landlock: landlock::version(),
            seccomp: landlock::has_seccomp(),
            core_limit: core::limit(),
        }
    }

    /// The version of Landlock's interface, if there is one.
    pub fn landlock_version(&self) -> Option<u32> {
        self.landlock.ok()
    }

    /// Why a part cannot be in force here; `None` if it can.
    pub fn lack(&self, part: Part) -> Option<Lack> {
        match part {
            Part::Files => self.landlock_from(1),
            Part::Truncate => self.landlock_from(3),
            Part::DeviceIoctl => self.landlock_from(5),
            Part::Signals | Part::AbstractSockets => self.landlock_from(6),
            Part::Network | Part::SystemCalls => self.seccomp.err().map(Lack::Seccomp),
            Part::CoreDumps => self.core_limit.err(),
            // Where there are no keys, or none may be asked for, there is no
            // keyring to leave.
            Part::Capabilities | Part::Keyring => None,
        }
    }

    pub(super) fn core_limit(&self) -> u64 {
        self.core_limit.unwrap_or(0)
    }

    fn landlock_from(&self, needed: u32) -> Option<Lack> {
        match self.landlock {
            Err(errno) => Some(Lack::Landlock(errno)),
            Ok(found) if found < needed => Some(Lack::LandlockVersion { needed, found }),
            Ok(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lacks(landlock: Result<u32, Errno>) -> Vec<Part> {
        let support = SandboxSupport { landlock, seccomp: Ok(()), core_limit: Ok(1) };
        Part::ALL.iter().copied().filter(|part| support.lack(*part).is_some()).collect()
    }

    #[test]
    fn what_each_version_of_landlock_has() {
        use Part::{AbstractSockets, DeviceIoctl, Files, Signals, Truncate};
        let all = [Files, Truncate, DeviceIoctl, Signals, AbstractSockets];
        assert_eq!(lacks(Err(Errno::OPNOTSUPP)), all);
        for (version, first) in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (6, 5), (7, 5)] {
            assert_eq!(lacks(Ok(version)), all[first..], "{version}");
        }
    }

    #[test]
    fn what_is_missing_says_what_mends_it() {
        let support = |landlock| SandboxSupport { landlock, seccomp: Ok(()), core_limit: Ok(1) };
        let why = |landlock, part| support(landlock).lack(part).unwrap().to_string();
        assert!(why(Ok(2), Part::Truncate).contains("Linux 6.2 "));
        assert!(why(Ok(5), Part::Signals).contains("Linux 6.12 "));
        assert!(why(Err(Errno::OPNOTSUPP), Part::Files).contains("lsm="));
    }
}
