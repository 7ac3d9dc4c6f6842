//! Grants as handles.

use std::error;
use std::fmt;
use std::io;
use std::sync::Arc;

use crate::bindings::grant as host;
use crate::cgroup::Cgroup;
use crate::error::from_host;

/// The right to start one program, to be narrowed and handed to another component.
///
/// Cheap to clone.
///
/// ```no_run
/// use offspring_guest::{Command, GrantHandle};
///
/// let status = GrantHandle::open("git").narrow("args = ['status']\ndeadline = '5s'")?;
/// let output = Command::from_grant(&status).arg("status").output()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct GrantHandle(Arc<host::Grant>);

/// Why a grant was not narrowed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NarrowError {
    /// The rules are none: where, both counted from 1, and why.
    Invalid {
        /// The line.
        line: u32,
        /// The character in the line.
        column: u32,
        /// What is wrong, and what would be right.
        message: String,
    },
    /// The rules are too long, or the grant was narrowed too often.
    TooLong,
    /// A limit of the host's is reached.
    LimitReached,
}

impl GrantHandle {
    /// The grant of this name. Whether there is one is found out by a spawn.
    pub fn open(name: &str) -> Self {
        crate::bindings::grants::open(name).into()
    }

    /// The name that the host gave to the program.
    pub fn name(&self) -> String {
        self.0.name()
    }

    /// A grant that allows what this one does, and these rules allow too: TOML,
    /// with the keys of a `[program.NAME]` in a host's policy. Whatever they say, it
    /// allows nothing more.
    ///
    /// # Errors
    ///
    /// See [`NarrowError`].
    pub fn narrow(&self, rules: &str) -> Result<Self, NarrowError> {
        match self.0.narrow(rules) {
            Ok(narrowed) => Ok(narrowed.into()),
            Err(host::NarrowError::Invalid(rules)) => {
                let host::InvalidRules { line, column, message } = rules;
                Err(NarrowError::Invalid { line, column, message })
            }
            Err(host::NarrowError::TooLong) => Err(NarrowError::TooLong),
            Err(host::NarrowError::LimitReached) => Err(NarrowError::LimitReached),
        }
    }

    /// A grant whose children are started in this group, or beneath it, only.
    ///
    /// # Errors
    ///
    /// `PermissionDenied`: this grant was narrowed to a group that this one does
    /// not lie in.
    pub fn within(&self, group: &Cgroup) -> io::Result<Self> {
        self.0.within(group.host()).map(Self::from).map_err(from_host)
    }

    /// The handle itself, to be handed to another component; `None` while a clone
    /// or a command still has it.
    pub fn into_host(self) -> Option<host::Grant> {
        Arc::into_inner(self.0)
    }

    pub(crate) fn host(&self) -> &host::Grant {
        &self.0
    }
}

/// What another component handed over.
impl From<host::Grant> for GrantHandle {
    fn from(grant: host::Grant) -> Self {
        Self(Arc::new(grant))
    }
}

impl fmt::Display for NarrowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { line, column, message } => write!(f, "{line}:{column}: {message}"),
            Self::TooLong => f.write_str("the rules are too long, or there are too many"),
            Self::LimitReached => f.write_str("a limit of the host's is reached"),
        }
    }
}

impl error::Error for NarrowError {}
