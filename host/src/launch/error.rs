//! Why a process was not started.

use offspring_spawn::{CgroupError, Errno, SpawnError, Stage};

use crate::child::Cause;
use crate::path::PathRefused;
use crate::policy::Denied;
use crate::request::Malformed;

/// Why no child was started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LaunchError {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("the program was written to after the host had loaded its policy")]
    Rewritten,
    #[error("{message}")]
    LimitReached { rule: &'static str, message: String },
    #[error("the directory to run in leads out of the one that it lies beneath")]
    LeadsOut,
    #[error("cannot open the directory to run in: {0}")]
    Resolve(Errno),
    #[error(transparent)]
    Path(#[from] PathRefused),
    #[error("the directory is in none of those that the child sees")]
    NotInView,
    #[error("cannot find out what the host has itself: {0}")]
    Bounds(Errno),
    #[error("cannot give a descriptor to the child: {0}")]
    Descriptors(Errno),
    #[error("no thread to wait for the deadline: {0}")]
    Deadline(Errno),
    #[error("the deadline passed before the program was executed")]
    TimedOut,
    #[error("the group is frozen, and a child in it would not start before it is thawed")]
    Frozen,
    #[error("the group has as many processes as its pids-max allows")]
    GroupFull,
    #[error(transparent)]
    Group(#[from] CgroupError),
    #[error("the host is ending")]
    ShutDown,
    #[error(transparent)]
    Engine(#[from] SpawnError),
}

impl LaunchError {
    /// A directory has no place in a view.
    pub(crate) fn not_in_view(errno: Errno) -> LaunchError {
        match errno {
            Errno::XDEV => LaunchError::NotInView,
            errno => LaunchError::Resolve(errno),
        }
    }

    /// The processes above the host cannot be told to let one live on.
    pub(super) fn not_spared(errno: Errno) -> LaunchError {
        match errno {
            Errno::AGAIN => LaunchError::LimitReached {
                rule: "detach",
                message: "too many children live on already".to_owned(),
            },
            // It has ended by itself, and its status is not to be had.
            errno => LaunchError::Engine(SpawnError { stage: Stage::Session, errno }),
        }
    }

    /// Somebody ended the process before its program was executed.
    pub(super) fn ended(cause: Cause) -> LaunchError {
        match cause {
            Cause::Deadline => LaunchError::TimedOut,
            // A guest has no handle yet to do it by.
            Cause::Killed | Cause::KilledByHost | Cause::Dropped | Cause::OutOfMemory => {
                LaunchError::ShutDown
            }
        }
    }
}
