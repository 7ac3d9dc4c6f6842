//! The controllers of a cgroup: what can be limited and counted in it.

use std::collections::BTreeSet;
use std::fmt;

use super::{Cgroup, CgroupError};

/// A controller, which limits and counts one resource in a cgroup, once the
/// cgroup above it has enabled it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Controller {
    /// Processor time.
    Cpu,
    /// Which processors and memory nodes.
    Cpuset,
    /// Input and output of block devices.
    Io,
    /// Memory and swap space.
    Memory,
    /// The number of processes and threads.
    Pids,
}

impl Controller {
    /// Every controller.
    pub const ALL: [Controller; 5] =
        [Controller::Cpu, Controller::Cpuset, Controller::Io, Controller::Memory, Controller::Pids];

    /// The kernel's name of it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Controller::Cpu => "cpu",
            Controller::Cpuset => "cpuset",
            Controller::Io => "io",
            Controller::Memory => "memory",
            Controller::Pids => "pids",
        }
    }

    /// The one whose file this is, if it is one's.
    pub(super) fn of_file(file: &str) -> Option<Controller> {
        let (name, _) = file.split_once('.')?;
        Controller::ALL.into_iter().find(|controller| controller.as_str() == name)
    }
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Controllers.
impl Cgroup {
    /// The controllers that this cgroup has, and may enable for those beneath
    /// it.
    ///
    /// # Errors
    /// [`Gone`](super::CgroupErrorKind::Gone).
    pub fn controllers(&self) -> Result<BTreeSet<Controller>, CgroupError> {
        self.read_controllers("cgroup.controllers")
    }

    /// The controllers that are enabled for the cgroups beneath this one.
    ///
    /// # Errors
    /// [`Gone`](super::CgroupErrorKind::Gone).
    pub fn enabled_controllers(&self) -> Result<BTreeSet<Controller>, CgroupError> {
        self.read_controllers("cgroup.subtree_control")
    }

    /// Enables controllers for the cgroups beneath this one.
    ///
    /// # Errors
    /// - [`NoController`](super::CgroupErrorKind::NoController): this cgroup
    ///   does not have it itself.
    /// - [`Busy`](super::CgroupErrorKind::Busy): there are processes in it;
    ///   only the root may have both.
    /// - [`NotDelegated`](super::CgroupErrorKind::NotDelegated).
    pub fn enable(
        &self,
        controllers: impl IntoIterator<Item = Controller>,
    ) -> Result<(), CgroupError> {
        // One by one, so that an error says which.
        for controller in controllers {
            let word = format!("+{controller}");
            self.write("cgroup.subtree_control", &word)
                .map_err(|error| error.of_controller(controller))?;
        }
        Ok(())
    }

    /// Takes controllers away from the cgroups beneath this one, and with them the
    /// limits that those have.
    ///
    /// # Errors
    /// - [`Busy`](super::CgroupErrorKind::Busy): one beneath has enabled it for
    ///   those beneath itself.
    /// - [`NotDelegated`](super::CgroupErrorKind::NotDelegated).
    pub fn disable(
        &self,
        controllers: impl IntoIterator<Item = Controller>,
    ) -> Result<(), CgroupError> {
        for controller in controllers {
            self.write("cgroup.subtree_control", &format!("-{controller}"))
                .map_err(|error| error.of_controller(controller))?;
        }
        Ok(())
    }

    fn read_controllers(&self, file: &'static str) -> Result<BTreeSet<Controller>, CgroupError> {
        let text = self.read(file)?;
        let is_in = |controller: &Controller| {
            text.split_whitespace().any(|word| word == controller.as_str())
        };
        Ok(Controller::ALL.into_iter().filter(is_in).collect())
    }
}
