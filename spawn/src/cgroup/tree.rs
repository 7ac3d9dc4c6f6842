//! What is done to all processes of a cgroup and of those beneath it.

use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::{Cgroup, CgroupError, CgroupErrorKind};

/// Processes.
impl Cgroup {
    /// Kills every process in the cgroup and beneath it, also those that are
    /// just being made and those that are frozen. They are gone a moment later:
    /// see [`Cgroup::wait_until_empty`].
    ///
    /// # Errors
    /// - [`NotDelegated`](CgroupErrorKind::NotDelegated).
    /// - [`Unsupported`](CgroupErrorKind::Unsupported): for the root, and
    ///   before Linux 5.14.
    pub fn kill(&self) -> Result<(), CgroupError> {
        self.write("cgroup.kill", "1")
    }

    /// Stops every process in the cgroup and beneath it, until
    /// [`Cgroup::thaw`]. They have stopped when [`Cgroup::state`] says so.
    ///
    /// A spawn into a frozen cgroup does not come back before it is thawed.
    ///
    /// # Errors
    /// [`NotDelegated`](CgroupErrorKind::NotDelegated), and
    /// [`Unsupported`](CgroupErrorKind::Unsupported) for the root.
    pub fn freeze(&self) -> Result<(), CgroupError> {
        self.write("cgroup.freeze", "1")
    }

    /// Lets the processes go on, unless a cgroup above is frozen too.
    ///
    /// # Errors
    /// Those of [`Cgroup::freeze`].
    pub fn thaw(&self) -> Result<(), CgroupError> {
        self.write("cgroup.freeze", "0")
    }

    /// Whether the cgroup itself was told to freeze, which is so from
    /// [`Cgroup::freeze`] on. It may stand still for the sake of one above it.
    ///
    /// # Errors
    /// Those of [`Cgroup::freeze`].
    pub fn is_freezing(&self) -> Result<bool, CgroupError> {
        Ok(self.read("cgroup.freeze")?.trim() == "1")
    }

    /// The numbers of the processes in this cgroup, without those beneath it:
    /// for messages, because any of them may have ended meanwhile. 0 stands
    /// for one of another process-id namespace.
    ///
    /// # Errors
    /// [`Gone`](CgroupErrorKind::Gone).
    pub fn processes(&self) -> Result<Vec<u32>, CgroupError> {
        let text = self.read("cgroup.procs")?;
        Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// Moves a process, with all its threads, into the cgroup. Without a pidfd,
    /// because the kernel takes none: the caller must know that the number still
    /// means the process. What it has started before stays where it is.
    ///
    /// # Errors
    /// Those of [`Cgroup::join`], and `ESRCH`.
    pub fn attach(&self, pid: u32) -> Result<(), CgroupError> {
        self.write("cgroup.procs", &pid.to_string())
    }

    /// Moves this process, with all its threads, into the cgroup.
    ///
    /// # Errors
    /// - [`Busy`](CgroupErrorKind::Busy): it has enabled controllers for the
    ///   cgroups beneath it.
    /// - [`NotDelegated`](CgroupErrorKind::NotDelegated): it, or the cgroup
    ///   above both this one and our own, is not ours.
    pub fn join(&self) -> Result<(), CgroupError> {
        self.write("cgroup.procs", "0")
    }

    /// Kills every process in a cgroup that lies directly beneath this one,
    /// waits for them to be gone, for so long at most, and removes it with all
    /// beneath it. One that does not exist is no error.
    ///
    /// # Errors
    /// [`Busy`](CgroupErrorKind::Busy) when a process is still there, and those
    /// of [`Cgroup::kill`] and [`Cgroup::remove_child`].
    pub fn remove_tree(&self, name: &str, timeout: Duration) -> Result<(), CgroupError> {
        let start = Instant::now();
        loop {
            let removed = self.try_remove_tree(name, timeout.saturating_sub(start.elapsed()));
            match removed {
                // Something was put into it meanwhile, or is on its way out.
                Err(error)
                    if error.kind() == CgroupErrorKind::Busy && start.elapsed() < timeout =>
                {
                    std::thread::yield_now();
                }
                removed => return gone_is_done(removed),
            }
        }
    }

    fn try_remove_tree(&self, name: &str, timeout: Duration) -> Result<(), CgroupError> {
        // Without a process it is removed at once.
        match self.remove_child(name) {
            Err(error) if error.errno() == Errno::BUSY => {}
            removed => return removed,
        }
        let child = self.child(name)?;
        child.kill()?;
        child.wait_until_empty(timeout)?;
        child.remove_children()?;
        self.remove_child(name)
    }

    /// Removes every cgroup beneath this one, the lowest first.
    fn remove_children(&self) -> Result<(), CgroupError> {
        for name in self.children()? {
            let child = match self.child(&name) {
                Ok(child) => child,
                Err(error) => {
                    gone_is_done(Err(error))?;
                    continue;
                }
            };
            gone_is_done(child.remove_children())?;
            gone_is_done(self.remove_child(&name))?;
        }
        Ok(())
    }
}

fn gone_is_done(result: Result<(), CgroupError>) -> Result<(), CgroupError> {
    match result {
        Err(error) if matches!(error.kind(), CgroupErrorKind::NotFound | CgroupErrorKind::Gone) => {
            Ok(())
        }
        result => result,
    }
}
