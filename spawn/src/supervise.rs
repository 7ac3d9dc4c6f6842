//! Leaving nothing behind, whatever ends this process.
//!
//! A process that is killed cannot clean up. So two others do: they are made
//! before the program begins, and do nothing but wait.
//!
//! ```text
//! guardian   the process that was started; passes signals in, and the status out
//!    └─ keeper   adopts what loses its parent; in a process group of its own
//!          └─ the program
//! ```
//!
//! The kernel gives a process whose parent ended to the nearest *subreaper*
//! above it, and both are. Whichever of the three ends first, one is left that
//! has all remaining processes beneath it, and kills until there are none.

mod fork;
mod keeper;
mod mark;
mod remains;
mod signals;
mod spare;

use std::fmt;

use rustix::io::Errno;
use rustix::process::{Pid, getpid, set_child_subreaper, set_parent_process_death_signal};

use crate::signal::Signal;
use crate::sigset::Blocked;
use fork::fork;
use keeper::{Keeper, Role};
pub use mark::Mark;
pub use spare::spare;

/// Why a program cannot be supervised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SuperviseError {
    /// This process has more than one thread already, and only the calling one
    /// would live on.
    Threads(usize),
    /// The kernel does not list a process's children in `/proc`: it is not
    /// mounted, or was built without `CONFIG_PROC_CHILDREN`.
    Children(Errno),
    /// No process could be made.
    Fork(Errno),
}

impl fmt::Display for SuperviseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SuperviseError::Threads(count) => {
                write!(f, "this process has {count} threads; supervise it before it starts any")
            }
            SuperviseError::Children(errno) => {
                write!(f, "/proc does not list the children of a process: {errno}")
            }
            SuperviseError::Fork(errno) => write!(f, "cannot make a process: {errno}"),
        }
    }
}

impl std::error::Error for SuperviseError {}

/// Lets the rest of this program run in a new process, which this one watches:
/// when it ends, in whatever way, every process that it started is killed, and
/// every process that those started, also those that left their process group
/// or session or lost their parent.
///
/// What [`spare`] names lives on.
///
/// Call it early in `main`, before there are threads. It returns in the new
/// process. The old one keeps its number: signals that it gets it passes on, it
/// stops when the terminal says so, and it ends with the status of the new one.
/// Standard streams, process group, session and terminal stay as they are.
///
/// It holds when this program panics, calls `exit`, or is killed with SIGKILL;
/// when the old process is killed; and when the whole process group is. It does
/// not hold when all three processes are killed by their numbers at the same
/// moment, and not against a child that does so.
///
/// SIGCHLD gets its default action, because the status could not be told if it
/// were ignored.
///
/// # Errors
/// Where it cannot be done. The program then goes on unsupervised, or, after
/// [`SuperviseError::Fork`], supervised by fewer processes.
///
/// # References
/// - [PR_SET_CHILD_SUBREAPER(2const)](https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html)
pub fn supervise() -> Result<(), SuperviseError> {
    let threads = threads().map_err(SuperviseError::Children)?;
    if threads != 1 {
        return Err(SuperviseError::Threads(threads));
    }
    let children = remains::children().map_err(SuperviseError::Children)?;
    signals::set_default(Signal::CHLD);
    // Restored where this returns: in the new process.
    let _blocked = Blocked::all();
    let mut above = None;
    if !children.is_empty() {
        // A process can have children that are no concern of the program's,
        // such as those of the shell that it replaced: one more process stands
        // between them and those that kill.
        above = Some(split(Role::Messenger, above)?);
    }
    above = Some(split(Role::Guardian, above)?);
    mark::kept_by(split(Role::Keeper, above)?);
    Ok(())
}

/// Goes on in a new process, and returns the number of the one above it. This
/// one takes on a role for the rest of its life.
fn split(role: Role, above: Option<Pid>) -> Result<Pid, SuperviseError> {
    let this = getpid();
    if role.adopts() {
        set_child_subreaper(Some(this)).map_err(SuperviseError::Fork)?;
    }
    let spared = spare::listen().map_err(SuperviseError::Fork)?;
    match fork().map_err(SuperviseError::Fork)? {
        Some(child) => Keeper::new(role, child, above, spared).keep(),
        None => {
            follow(role, this);
            Ok(this)
        }
    }
}

/// Does not outlive the parent.
fn follow(parent_role: Role, parent: Pid) {
    // Fails only for a signal that there is not.
    let _ = set_parent_process_death_signal(Some(parent_role.last_will()));
    if !signals::parent_is(parent) {
        fork::exit(1);
    }
}

/// How many threads this process has.
fn threads() -> Result<usize, Errno> {
    let status = std::fs::read_to_string("/proc/self/status");
    let status = status.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    let count = status.lines().find_map(|line| line.strip_prefix("Threads:"));
    count.and_then(|count| count.trim().parse().ok()).ok_or(Errno::IO)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test harness has threads.
    #[test]
    fn refuses_where_only_one_thread_would_live_on() {
        let refused = supervise();
        assert!(matches!(refused, Err(SuperviseError::Threads(2..))), "{refused:?}");
    }
}
