//! What is done.

use std::path::Path;

use clap::ValueEnum;

use crate::host::GuestWork;
use crate::method::Program;

/// What is done, and measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Work {
    /// Starting a program of one page that exits at once, and waiting for it.
    Tiny,
    /// The same of `/bin/true`.
    True,
    /// The same of `git --version`.
    Git,
    /// Starting the smallest program: how long the caller is blocked.
    Start,
    /// Starting the smallest program and waiting for it: how long the thread of
    /// the host can serve nobody else.
    Held,
    /// Reading 256 MiB that a program writes.
    Stdout,
    /// 256 MiB through three programs.
    Pipeline,
    /// A thousand calls of the host.
    Call,
    /// Killing one of many children and waiting for its end.
    Wake,
    /// `offspring run` of a component that ends at once: from `.wasm` and from
    /// `.cwasm`.
    Run,
}

/// How much the writer of [`Work::Stdout`] and [`Work::Pipeline`] writes.
pub const BYTES: &str = "268435456";

impl Work {
    /// Its name on the command line and in what is reported.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The program that is started, if it is one that ends at once.
    pub fn program(self, directory: &Path) -> Program {
        let (path, args) = match self {
            Work::True => ("/bin/true".into(), vec![]),
            Work::Git => ("/usr/bin/git".into(), vec!["--version".to_owned()]),
            _ => (directory.join("tiny"), vec![]),
        };
        Program { path, args }
    }

    /// The guest's word for it.
    pub fn of_guest(self) -> GuestWork {
        match self {
            Work::Tiny | Work::True | Work::Git | Work::Held | Work::Run => GuestWork::Spawn,
            Work::Start => GuestWork::Start,
            Work::Stdout => GuestWork::Stdout,
            Work::Pipeline => GuestWork::Pipeline,
            Work::Call => GuestWork::Call,
            Work::Wake => GuestWork::Crowd,
        }
    }

    /// How often it is done in one block of figures.
    pub fn count(self) -> u32 {
        match self {
            Work::Tiny | Work::Start | Work::Held => 10,
            Work::True => 4,
            Work::Git => 2,
            Work::Stdout | Work::Pipeline | Work::Call | Work::Wake | Work::Run => 1,
        }
    }
}
