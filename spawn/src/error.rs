//! Why no process was started.

use std::fmt;
use std::io;

use rustix::io::Errno;

/// How far a spawn came before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The kernel lacks what this crate needs; nothing was tried.
    Kernel,
    /// A string of the command has a NUL byte in it.
    Arguments,
    /// The program was opened.
    Program,
    /// Pipes and descriptors were prepared.
    Descriptors,
    /// Memory for the child's stack was mapped.
    Memory,
    /// The process was created.
    Clone,
    /// The child was given a descriptor table of its own.
    DescriptorTable,
    /// The child was put into its cgroup.
    Cgroup,
    /// The child was given namespaces of its own.
    Namespaces,
    /// The child's user namespace was told whose ids it has.
    IdMaps,
    /// The processes of the child's own were mounted as `/proc`.
    Proc,
    /// The root of the child's view was made.
    Root,
    /// Something was shown in the child's view: by the index of the step.
    View(u32),
    /// One of the descriptors that were passed, by its number in the child,
    /// was put in place.
    Passed(u32),
    /// The child's scheduling policy and parameter were set.
    Scheduler,
    /// The child's nice value was set.
    Nice,
    /// The child was bound to processors.
    CpuAffinity,
    /// The child became the leader of a session.
    Session,
    /// The child became the leader of a process group, or joined one.
    ProcessGroup,
    /// The child's session was given its terminal.
    ControllingTerminal,
    /// The child's effective ids were set back.
    Ids,
    /// The child was given other supplementary groups.
    SupplementaryGroups,
    /// The child was given another group.
    GroupId,
    /// The child became another user.
    UserId,
    /// One of the child's resource limits was set.
    ResourceLimit,
    /// The child asked to be signalled when its parent dies.
    ParentDeathSignal,
    /// The child gave up gaining privileges.
    NoNewPrivileges,
    /// The child changed its working directory.
    WorkingDirectory,
    /// One of the child's standard streams, by its number, was put in place.
    StandardStream(u8),
    /// One of the file actions, counted from 0, was done.
    FileAction(u32),
    /// The child's capabilities, and those that it could get, were taken away.
    Capabilities,
    /// The child's treatment as root was locked.
    SecureBits,
    /// The child left the keyring of its parent's session.
    Keyring,
    /// The child was kept from leaving a core.
    CoreDumps,
    /// Landlock's rules began to hold for the child.
    Landlock,
    /// The filter for the child's system calls began to hold.
    Seccomp,
    /// The child's signal dispositions and mask were set.
    Signals,
    /// The program was executed.
    Exec,
}

/// The stages that have no number.
const PLAIN: [Stage; 34] = [
    Stage::Kernel,
    Stage::Arguments,
    Stage::Program,
    Stage::Descriptors,
    Stage::Memory,
    Stage::Clone,
    Stage::DescriptorTable,
    Stage::Cgroup,
    Stage::Namespaces,
    Stage::IdMaps,
    Stage::Proc,
    Stage::Root,
    Stage::Scheduler,
    Stage::Nice,
    Stage::CpuAffinity,
    Stage::Session,
    Stage::ProcessGroup,
    Stage::ControllingTerminal,
    Stage::Ids,
    Stage::SupplementaryGroups,
    Stage::GroupId,
    Stage::UserId,
    Stage::ResourceLimit,
    Stage::ParentDeathSignal,
    Stage::NoNewPrivileges,
    Stage::WorkingDirectory,
    Stage::Capabilities,
    Stage::SecureBits,
    Stage::Keyring,
    Stage::CoreDumps,
    Stage::Landlock,
    Stage::Seccomp,
    Stage::Signals,
    Stage::Exec,
];

impl Stage {
    /// The stage in one word, for programs: that of the attribute which was set,
    /// where it is one.
    ///
    /// ```
    /// use offspring_spawn::Stage;
    ///
    /// assert_eq!(Stage::ProcessGroup.name(), "process-group");
    /// assert_eq!(Stage::FileAction(3).name(), "file-action");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Kernel => "kernel",
            Stage::Arguments => "arguments",
            Stage::Program => "program",
            Stage::Descriptors => "descriptors",
            Stage::Memory => "memory",
            Stage::Clone => "clone",
            Stage::DescriptorTable => "descriptor-table",
            Stage::Cgroup => "cgroup",
            Stage::Namespaces => "namespaces",
            Stage::IdMaps => "id-maps",
            Stage::Proc => "proc",
            Stage::Root => "root",
            Stage::View(_) => "view",
            Stage::Passed(_) => "passed",
            Stage::Scheduler => "scheduler",
            Stage::Nice => "nice",
            Stage::CpuAffinity => "cpu-affinity",
            Stage::Session => "session",
            Stage::ProcessGroup => "process-group",
            Stage::ControllingTerminal => "controlling-terminal",
            Stage::Ids => "reset-ids",
            Stage::SupplementaryGroups => "user-groups",
            Stage::GroupId => "user-group",
            Stage::UserId => "user",
            Stage::ResourceLimit => "rlimits",
            Stage::ParentDeathSignal => "parent-death-signal",
            Stage::NoNewPrivileges => "no-new-privileges",
            Stage::WorkingDirectory => "cwd",
            Stage::StandardStream(_) => "standard-stream",
            Stage::FileAction(_) => "file-action",
            Stage::Capabilities => "capabilities",
            Stage::SecureBits => "secure-bits",
            Stage::Keyring => "keyring",
            Stage::CoreDumps => "core-dumps",
            Stage::Landlock => "landlock",
            Stage::Seccomp => "seccomp",
            Stage::Signals => "signals",
            Stage::Exec => "exec",
        }
    }

    /// A kind of stages, and the number in it.
    fn to_parts(self) -> (u64, u32) {
        match self {
            Stage::StandardStream(number) => (1, number.into()),
            Stage::Passed(number) => (2, number),
            Stage::FileAction(index) => (3, index),
            Stage::View(index) => (4, index),
            plain => {
                let before = PLAIN.iter().take_while(|stage| **stage != plain);
                (0, before.fold(0, |count: u32, _| count.wrapping_add(1)))
            }
        }
    }

    /// The inverse of [`Stage::to_parts`].
    fn from_parts(kind: u64, number: u32) -> Stage {
        match kind {
            0 => {
                let plain = PLAIN.get(number as usize);
                plain.copied().unwrap_or(Stage::Exec)
            }
            1 => Stage::StandardStream(number.to_le_bytes()[0]),
            2 => Stage::Passed(number),
            3 => Stage::FileAction(number),
            _ => Stage::View(number),
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Kernel => "cannot use this kernel",
            Stage::Arguments => "bad argument or variable",
            Stage::Program => "cannot open the program",
            Stage::Descriptors => "cannot prepare descriptors",
            Stage::Memory => "cannot map the child's stack",
            Stage::Clone => "cannot create the process",
            Stage::DescriptorTable => "cannot separate the child's descriptors",
            Stage::Cgroup => "cannot join the cgroup",
            Stage::Namespaces => "cannot make namespaces",
            Stage::IdMaps => "cannot map the ids of the user namespace",
            Stage::Proc => "cannot mount /proc",
            Stage::Root => "cannot make the root of the view",
            Stage::View(index) => return write!(f, "cannot do step {index} of the view"),
            Stage::StandardStream(0) => "cannot set standard input",
            Stage::StandardStream(1) => "cannot set standard output",
            Stage::StandardStream(_) => "cannot set standard error",
            Stage::Passed(number) => return write!(f, "cannot pass descriptor {number}"),
            Stage::Scheduler => "cannot set the scheduler",
            Stage::Nice => "cannot set the nice value",
            Stage::CpuAffinity => "cannot bind to processors",
            Stage::Session => "cannot make a session",
            Stage::ProcessGroup => "cannot make or join a process group",
            Stage::ControllingTerminal => "cannot take the terminal",
            Stage::Ids => "cannot set the ids back",
            Stage::SupplementaryGroups => "cannot set the supplementary groups",
            Stage::GroupId => "cannot set the group",
            Stage::UserId => "cannot set the user",
            Stage::ResourceLimit => "cannot set a resource limit",
            Stage::ParentDeathSignal => "cannot set the parent death signal",
            Stage::NoNewPrivileges => "cannot set no_new_privs",
            Stage::WorkingDirectory => "cannot change to the working directory",
            Stage::FileAction(index) => return write!(f, "cannot do file action {index}"),
            Stage::Capabilities => "cannot give up capabilities",
            Stage::SecureBits => "cannot lock the treatment of root",
            Stage::Keyring => "cannot leave the session's keyring",
            Stage::CoreDumps => "cannot set the limit of core files",
            Stage::Landlock => "cannot enter the rules for files",
            Stage::Seccomp => "cannot filter system calls",
            Stage::Signals => "cannot set signals",
            Stage::Exec => "cannot execute the program",
        })
    }
}

/// Why no process was started. Nothing of it is left: no process, no zombie,
/// no descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpawnError {
    /// How far the spawn came.
    pub stage: Stage,
    /// The kernel's error.
    pub errno: Errno,
}

impl SpawnError {
    /// Names the stage at which the kernel gave this error.
    pub(crate) fn at(stage: Stage) -> impl FnOnce(Errno) -> SpawnError {
        move |errno| SpawnError { stage, errno }
    }

    /// All of it in one word, which is not zero, for the child to leave where
    /// its parent reads it: written at once, it is whole or not there.
    pub(crate) fn to_word(self) -> u64 {
        let (kind, number) = self.stage.to_parts();
        let errno = u64::from(self.errno.raw_os_error().unsigned_abs() & 0xffff);
        u64::from(number) << 32 | kind << 16 | errno
    }

    /// The inverse of [`SpawnError::to_word`]; `None` for zero.
    pub(crate) fn from_word(word: u64) -> Option<SpawnError> {
        let [low, high, kind, _, number @ ..] = word.to_le_bytes();
        (word != 0).then(|| SpawnError {
            stage: Stage::from_parts(kind.into(), u32::from_le_bytes(number)),
            errno: Errno::from_raw_os_error(i32::from_le_bytes([low, high, 0, 0])),
        })
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.stage, self.errno)
    }
}

impl std::error::Error for SpawnError {}

impl From<SpawnError> for io::Error {
    /// Keeps the errno's kind, so that a missing program is
    /// [`io::ErrorKind::NotFound`], and the whole error as the inner one.
    fn from(error: SpawnError) -> io::Error {
        io::Error::new(io::Error::from(error.errno).kind(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_has_a_name_of_its_own() {
        let mut names: Vec<_> = PLAIN.iter().map(|stage| stage.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PLAIN.len());
    }

    #[test]
    fn every_error_survives_its_word() {
        let streams = [0, 1, 2].map(Stage::StandardStream);
        let numbers = [0, 3, u32::MAX];
        let numbered = numbers.into_iter().flat_map(|number| {
            [Stage::Passed(number), Stage::FileAction(number), Stage::View(number)]
        });
        for stage in PLAIN.into_iter().chain(streams).chain(numbered) {
            for errno in [Errno::PERM, Errno::NOEXEC, Errno::from_raw_os_error(4095)] {
                let error = SpawnError { stage, errno };
                assert_eq!(SpawnError::from_word(error.to_word()), Some(error));
            }
        }
        assert_eq!(SpawnError::from_word(0), None);
    }
}
