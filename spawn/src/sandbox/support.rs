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
    use std::collections::BTreeSet;

    use super::super::{Missing, Network, Sandbox, SandboxError};
    use super::*;

    /// Every part that there can be a lack of, where this is all that there is.
    fn lacks(landlock: Result<u32, Errno>) -> Vec<Part> {
        lacking(SandboxSupport { landlock, seccomp: Ok(()), core_limit: Ok(1) })
    }

    fn lacking(support: SandboxSupport) -> Vec<Part> {
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

    /// Whatever is lacking, each part of it by itself is an error, and is done without
    /// where it is best effort.
    #[test]
    fn what_is_lacking_is_an_error_unless_it_is_best_effort() {
        let here = SandboxSupport::find();
        if let Some(lack) = here.lack(Part::Files) {
            return println!("SKIPPED what_is_lacking_is_an_error: {lack}");
        }
        // No newer than what is here, so that the rest can be made.
        let newest = here.landlock_version().unwrap_or(0);
        let landlock = (1..=newest.min(6)).map(Ok).chain([Err(Errno::NOSYS)]);
        let landlock = landlock.map(|landlock| SandboxSupport { landlock, ..here });
        let seccomp = SandboxSupport { seccomp: Err(Errno::INVAL), ..here };
        let core_limit = SandboxSupport { core_limit: Err(Lack::CoreLimit), ..here };
        let mut seen = BTreeSet::new();
        for support in landlock.chain([seccomp, core_limit]) {
            // Where it is of use.
            let builder = || Sandbox::builder().network(Network::Unix);
            let lacking = lacking(support);
            let with = |without: Option<Part>| {
                let others = lacking.iter().filter(|part| Some(**part) != without);
                others.fold(builder(), |builder, part| builder.best_effort(*part))
            };
            for part in &lacking {
                seen.insert(*part);
                let made = with(Some(*part)).build_with(support).map(drop);
                let lack = support.lack(*part).unwrap();
                assert_eq!(made, Err(SandboxError::Missing(Missing { part: *part, lack })));
            }
            let made = with(None).build_with(support).unwrap();
            assert!(made.missing().iter().map(|missing| missing.part).eq(lacking.clone()));
            let force: Vec<_> = made.parts().collect();
            let rest = Part::ALL.iter().copied().filter(|part| !lacking.contains(part));
            assert!(rest.eq(force.iter().copied()), "{lacking:?}: {force:?}");
            // What is left out is not asked for.
            let without = lacking.iter().fold(builder(), |builder, part| builder.without(*part));
            assert!(without.build_with(support).unwrap().missing().is_empty());
        }
        // The others there are everywhere: they take no facility of the kernel's.
        let never = [Part::Capabilities, Part::Keyring];
        assert!(Part::ALL.iter().all(|part| seen.contains(part) != never.contains(part)));
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
