//! What a guest asks for: owned plain data, not yet checked against a policy.

mod attributes;

use std::collections::BTreeSet;
use std::time::Duration;

pub use attributes::{Attributes, ExitSignal, ProcessGroup, Processors, Scheduler};

use crate::policy::text::quoted;
use crate::policy::{FileAction, Limits};

/// The longest name of a grant, in bytes.
pub const NAME_MAX: usize = 255;

/// The name of a grant as a guest says it, of which no more is kept than it takes to see that
/// it is none: one character beyond what a name may have.
pub(crate) fn name(mut said: String) -> String {
    said.truncate(said.ceil_char_boundary(NAME_MAX + 1));
    said
}

/// A command as the guest described it, at the moment it asks to spawn it.
///
/// The default names no program and asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The name of a grant.
    pub program: String,
    /// The arguments, without `argv[0]`, which is the host's to choose.
    pub args: Vec<String>,
    /// The variables to add to those that the grant fixes.
    pub env: Vec<(String, String)>,
    /// Whether the guest chose a directory to run in.
    pub cwd: bool,
    /// Where the standard input comes from.
    pub stdin: StdioKind,
    /// Where the standard output goes.
    pub stdout: StdioKind,
    /// Where the standard error goes.
    pub stderr: StdioKind,
    /// Whether the process runs in a terminal of the guest's.
    pub terminal: bool,
    /// What the process does with its descriptors before it executes its
    /// program: every kind of it.
    pub file_actions: BTreeSet<FileAction>,
    /// What else the process is to be.
    pub attributes: Attributes,
    /// How long the process may run, where the guest says so.
    pub deadline: Option<Duration>,
    /// Whether it is to live on when nobody holds it any more.
    pub detach: bool,
    /// The group of the policy that the one which the guest chose is, or lies
    /// beneath.
    pub group: Option<String>,
}

/// What a standard stream of a child is connected to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StdioKind {
    /// Nothing.
    #[default]
    Null,
    /// The host's own stream.
    Inherit,
    /// A new pipe, whose other end the guest gets.
    Piped,
    /// A pipe end that the guest holds. A policy calls it `piped` too.
    Pipe,
    /// A file that the guest opened.
    File,
    /// The terminal that the process runs in.
    Terminal,
}

/// Why a request means nothing, whatever the policy says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Arguments and environment have more bytes than the host accepts.
    #[error(
        "arguments and environment have {bytes} bytes, more than the {limit} that the host accepts"
    )]
    ArgumentListTooLong {
        /// How many there are, each string counted with its terminating NUL.
        bytes: u64,
        /// How many are accepted.
        limit: u64,
    },
    /// The name of the program contains a NUL.
    #[error("the program's name contains a NUL")]
    NulInProgram,
    /// An argument contains a NUL.
    #[error("argument {} contains a NUL", .index + 1)]
    NulInArgument {
        /// Which one; the first has the index 0.
        index: usize,
    },
    /// A variable has no name.
    #[error("a variable has an empty name")]
    EmptyVariableName,
    /// The name of a variable contains a `=`.
    #[error("the name of variable {} contains a `=`", quoted(.name))]
    EqualsInVariableName {
        /// The name.
        name: String,
    },
    /// The name or the value of a variable contains a NUL.
    #[error("variable {} contains a NUL", quoted(.name))]
    NulInVariable {
        /// The name of the variable.
        name: String,
    },
    /// A variable is given more than once.
    #[error("variable {} is given twice", quoted(.name))]
    DuplicateVariable {
        /// The name of the variable.
        name: String,
    },
}

impl Request {
    /// Checks what every request must satisfy before a policy looks at it.
    pub fn validate(&self, limits: &Limits) -> Result<(), Malformed> {
        // First, so that the work below is bounded too.
        let (bytes, limit) = (self.argument_bytes(), limits.max_argument_bytes);
        if bytes > limit {
            return Err(Malformed::ArgumentListTooLong { bytes, limit });
        }
        if self.program.contains('\0') {
            return Err(Malformed::NulInProgram);
        }
        if let Some(index) = self.args.iter().position(|arg| arg.contains('\0')) {
            return Err(Malformed::NulInArgument { index });
        }
        let mut seen = BTreeSet::new();
        for (name, value) in &self.env {
            if name.is_empty() {
                return Err(Malformed::EmptyVariableName);
            }
            if name.contains('=') {
                return Err(Malformed::EqualsInVariableName { name: name.clone() });
            }
            if name.contains('\0') || value.contains('\0') {
                return Err(Malformed::NulInVariable { name: name.clone() });
            }
            if !seen.insert(name) {
                return Err(Malformed::DuplicateVariable { name: name.clone() });
            }
        }
        Ok(())
    }

    /// Whether it asks for the same as another, but for the arguments.
    pub(crate) fn is_but_for_args(&self, other: &Request) -> bool {
        // Without `..`: what is added to a request cannot be forgotten here.
        let Request {
            program,
            args: _,
            env,
            cwd,
            stdin,
            stdout,
            stderr,
            terminal,
            file_actions,
            attributes,
            deadline,
            detach,
            group,
        } = self;
        *program == other.program
            && *env == other.env
            && [*stdin, *stdout, *stderr] == [other.stdin, other.stdout, other.stderr]
            && [*cwd, *terminal, *detach] == [other.cwd, other.terminal, other.detach]
            && *file_actions == other.file_actions
            && *attributes == other.attributes
            && *deadline == other.deadline
            && *group == other.group
    }

    /// How many bytes the arguments and the environment have, each string
    /// counted with its terminating NUL, and `NAME=VALUE` as one string.
    pub fn argument_bytes(&self) -> u64 {
        let args = self.args.iter().map(|arg| arg.len() + 1);
        let env = self.env.iter().map(|(name, value)| name.len() + value.len() + 2);
        args.chain(env).map(|bytes| bytes as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(program: &str, args: &[&str], env: &[(&str, &str)]) -> Request {
        Request {
            program: program.into(),
            args: args.iter().map(|&arg| arg.into()).collect(),
            env: env.iter().map(|&(name, value)| (name.into(), value.into())).collect(),
            ..Request::default()
        }
    }

    #[test]
    fn no_long_name_is_cut_to_one() {
        assert_eq!(name("git".into()), "git");
        assert_eq!(name("x".repeat(1000)).len(), NAME_MAX + 1);
        // Of characters of three bytes 85 are as long as a name may be.
        assert_eq!(name("€".repeat(1000)).len(), 86 * 3);
    }

    #[test]
    fn what_is_malformed() {
        let table = [
            (request("a\0", &[], &[]), "the program's name contains a NUL"),
            (request("a", &["", "b\0c"], &[]), "argument 2 contains a NUL"),
            (request("a", &[], &[("", "v")]), "a variable has an empty name"),
            (request("a", &[], &[("A=B", "v")]), "the name of variable `A=B` contains a `=`"),
            (request("a", &[], &[("A\0", "v")]), "variable `A\\0` contains a NUL"),
            (request("a", &[], &[("A", "\0")]), "variable `A` contains a NUL"),
            (
                request("a", &[], &[("A", "1"), ("B", "2"), ("A", "1")]),
                "variable `A` is given twice",
            ),
        ];
        for (request, message) in table {
            let error = request.validate(&Limits::default()).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn what_is_well_formed() {
        for request in
            [Request::default(), request("git", &["", "-C", "=", "\n"], &[("A", ""), ("a", "=")])]
        {
            assert_eq!(request.validate(&Limits::default()), Ok(()));
        }
    }

    #[test]
    fn bytes_are_counted_as_the_kernel_does() {
        // "ab\0", "\0" and "K=vw\0"
        let request = request("ignored", &["ab", ""], &[("K", "vw")]);
        assert_eq!(request.argument_bytes(), 3 + 1 + 5);
        let limits = |max_argument_bytes| Limits { max_argument_bytes, ..Limits::default() };
        assert_eq!(request.validate(&limits(9)), Ok(()));
        let error = request.validate(&limits(8)).unwrap_err();
        assert_eq!(error, Malformed::ArgumentListTooLong { bytes: 9, limit: 8 });
        assert_eq!(
            error.to_string(),
            "arguments and environment have 9 bytes, more than the 8 that the host accepts"
        );
    }
}
