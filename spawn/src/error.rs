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
    /// The child became the leader of a process group.
    ProcessGroup,
    /// The child asked to be signalled when its parent dies.
    ParentDeathSignal,
    /// The child gave up gaining privileges.
    NoNewPrivileges,
    /// The child changed its working directory.
    WorkingDirectory,
    /// One of the child's standard streams, by its number, was put in place.
    StandardStream(u8),
    /// The child's signal dispositions and mask were set.
    Signals,
    /// The program was executed.
    Exec,
}

impl Stage {
    /// What the child writes where its parent reads it.
    pub(crate) fn to_code(self) -> u32 {
        match self {
            Stage::Kernel => 1,
            Stage::Arguments => 2,
            Stage::Program => 3,
            Stage::Descriptors => 4,
            Stage::Memory => 5,
            Stage::Clone => 6,
            Stage::DescriptorTable => 7,
            Stage::Cgroup => 8,
            Stage::ProcessGroup => 9,
            Stage::ParentDeathSignal => 10,
            Stage::NoNewPrivileges => 11,
            Stage::WorkingDirectory => 12,
            Stage::Signals => 13,
            Stage::Exec => 14,
            Stage::StandardStream(number) => 0x100 | number as u32,
        }
    }

    /// The inverse of [`Stage::to_code`].
    pub(crate) fn from_code(code: u32) -> Stage {
        match code {
            1 => Stage::Kernel,
            2 => Stage::Arguments,
            3 => Stage::Program,
            4 => Stage::Descriptors,
            5 => Stage::Memory,
            6 => Stage::Clone,
            7 => Stage::DescriptorTable,
            8 => Stage::Cgroup,
            9 => Stage::ProcessGroup,
            10 => Stage::ParentDeathSignal,
            11 => Stage::NoNewPrivileges,
            12 => Stage::WorkingDirectory,
            13 => Stage::Signals,
            14 => Stage::Exec,
            stream => Stage::StandardStream(stream.to_le_bytes()[0]),
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
            Stage::ProcessGroup => "cannot make a process group",
            Stage::ParentDeathSignal => "cannot set the parent death signal",
            Stage::NoNewPrivileges => "cannot set no_new_privs",
            Stage::WorkingDirectory => "cannot change to the working directory",
            Stage::StandardStream(0) => "cannot set standard input",
            Stage::StandardStream(1) => "cannot set standard output",
            Stage::StandardStream(_) => "cannot set standard error",
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
    fn every_stage_survives_its_code() {
        let streams = [0, 1, 2, 255].map(Stage::StandardStream);
        let codes = (1..=14).map(Stage::from_code);
        for stage in codes.chain(streams) {
            assert_eq!(Stage::from_code(stage.to_code()), stage);
        }
    }
}
