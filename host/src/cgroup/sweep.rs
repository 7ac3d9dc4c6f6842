//! Cgroups that hosts have left behind which did not end by themselves.

use std::time::Duration;

use offspring_spawn::{Cgroup, CgroupError, CgroupErrorKind, CgroupLock};

/// How long killed processes may take to be gone.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many times to try to make a cgroup that others may sweep or make first.
const ATTEMPTS: u32 = 1000;

/// A host's cgroup, which says by a lock that its host lives. The kernel gives
/// the lock up when the host ends, however it does, and knows nothing of
/// process numbers, which may be used again or be another namespace's.
#[derive(Debug)]
pub(super) struct Locked {
    pub(super) cgroup: Cgroup,
    pub(super) name: String,
    _lock: CgroupLock,
}

impl Locked {
    /// Makes one beneath the cgroup that we are in.
    pub(super) fn create(own: &Cgroup) -> Result<Locked, CgroupError> {
        let pid = std::process::id();
        let mut attempts = 0..ATTEMPTS;
        loop {
            let name = format!("offspring.{pid}.{}", attempts.next().unwrap_or(ATTEMPTS));
            match Locked::try_create(own, &name) {
                // Another process-id namespace has this number too, or whoever
                // sweeps was faster.
                Err(error) if is_taken(&error) && !attempts.is_empty() => {}
                created => return created,
            }
        }
    }

    fn try_create(own: &Cgroup, name: &str) -> Result<Locked, CgroupError> {
        let cgroup = own.create(name)?;
        let lock = cgroup.lock()?;
        // Fails if it was swept before we had the lock.
        cgroup.controllers()?;
        Ok(Locked { cgroup, name: name.to_owned(), _lock: lock })
    }
}

/// Whether somebody else has a cgroup, or has taken it away.
fn is_taken(error: &CgroupError) -> bool {
    use CgroupErrorKind as Kind;
    matches!(error.kind(), Kind::Exists | Kind::NotFound | Kind::Gone | Kind::Busy)
}

/// Removes what hosts have left behind in this cgroup that do not live any
/// more, and kills what they left running. Only what has a name that we give is
/// touched, and nothing that is locked.
pub(super) fn sweep(own: &Cgroup) {
    // What cannot be listed or removed is not ours.
    for name in own.children().unwrap_or_default() {
        if !is_ours(&name) {
            continue;
        }
        let Ok(cgroup) = own.child(&name) else {
            continue;
        };
        // Held until it is removed, so that nobody takes it for a new one.
        if let Ok(_lock) = cgroup.lock() {
            match own.remove_tree(&name, PATIENCE) {
                Ok(()) => tracing::info!(cgroup = name, "removed what a killed host left"),
                Err(error) => {
                    tracing::warn!(cgroup = name, "cannot remove what a killed host left: {error}");
                }
            }
        }
    }
}

/// `offspring.PID.NUMBER`.
fn is_ours(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    name.strip_prefix("offspring.")
        .and_then(|rest| rest.split_once('.'))
        .is_some_and(|(pid, number)| is_number(pid) && is_number(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_we_give_are_ours() {
        assert!(is_ours("offspring.1.0") && is_ours("offspring.4194304.17"));
        for name in [
            "offspring",
            "offspring.1",
            "offspring..0",
            "offspring.1.",
            "offspring.1.x",
            "offspring.1.0.service",
            "offspring.-1.0",
            "offspring-1-0",
            "my.offspring.1.0",
            "user.slice",
        ] {
            assert!(!is_ours(name), "{name}");
        }
    }
}
