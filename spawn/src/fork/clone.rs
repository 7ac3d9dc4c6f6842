//! One system call that makes a copy of this process.
//!
//! # Safety
//!
//! Without `CLONE_VM` the child has a copy of the memory, and with no stack of
//! its own it goes on on its copy of ours, with the same registers but for the
//! answer. To the compiler both returns are those of one ordinary call: what
//! either process writes afterwards the other one never sees. That this is the
//! only thread, so that no memory is in the middle of a change, the caller has
//! made sure of.

#![expect(unsafe_code, reason = "clone3 is called")]

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::Errno;

use crate::clone::{CLONE_INTO_CGROUP, CLONE_PIDFD, CloneArgs, Method};
use crate::signal::Signal;
use crate::sys::{self, nr};

const CLONE_PARENT: u32 = 0x0000_8000;
const CLONE_CHILD_CLEARTID: u32 = 0x0020_0000;
const CLONE_CHILD_SETTID: u32 = 0x0100_0000;

/// A pidfd, and what the C library's `fork` asks for.
const FLAGS: u32 = CLONE_PIDFD | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;

/// Whose child the copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kinship {
    /// This process's.
    Child,
    /// Its parent's.
    Sibling,
}

/// How to make the copy.
#[derive(Debug)]
pub(super) struct Fork<'a> {
    pub(super) method: Method,
    pub(super) kinship: Kinship,
    /// Of a sibling it is ours, whatever this says.
    pub(super) exit_signal: Option<Signal>,
    /// The cgroup that the child is born in; only with [`Method::Clone3`].
    pub(super) cgroup: Option<BorrowedFd<'a>>,
    /// Where the child's C library looks for the number of its thread.
    pub(super) tid: usize,
}

/// Which process this is.
#[derive(Debug)]
pub(super) enum Made {
    Parent(OwnedFd),
    Child,
}

/// Makes the copy. The caller has blocked all signals.
pub(super) fn fork(fork: &Fork<'_>) -> Result<Made, Errno> {
    let mut pidfd: RawFd = -1;
    let (flags, exit_signal) = match fork.kinship {
        Kinship::Child => {
            (FLAGS, fork.exit_signal.map_or(0, |signal| signal.as_raw().unsigned_abs()))
        }
        // With a signal clone3 refuses.
        Kinship::Sibling => (FLAGS | CLONE_PARENT, 0),
    };
    let answer = match fork.method {
        Method::Clone3 => {
            let cgroup = fork.cgroup.map_or(0, |fd| fd.as_raw_fd().unsigned_abs().into());
            let into = if fork.cgroup.is_some() { CLONE_INTO_CGROUP } else { 0 };
            let args = CloneArgs {
                flags: u64::from(flags) | into,
                pidfd: &raw mut pidfd as u64,
                child_tid: fork.tid as u64,
                exit_signal: exit_signal.into(),
                cgroup,
                ..CloneArgs::default()
            };
            let args = [&raw const args as usize, size_of::<CloneArgs>(), 0, 0, 0];
            // SAFETY: the arguments live until the call returns; the child's
            // number is written to the child's copy of where its C library
            // has it. See the rule above for the rest.
            unsafe { sys::call(nr::CLONE3, args) }
        }
        Method::Clone => {
            let flags = (flags | exit_signal) as usize;
            // The two last ones change places between architectures.
            let [tid, tls] = match cfg!(target_arch = "x86_64") {
                true => [fork.tid, 0],
                false => [0, fork.tid],
            };
            let args = [flags, 0, &raw mut pidfd as usize, tid, tls];
            // SAFETY: as above.
            unsafe { sys::call(nr::CLONE, args) }
        }
    };
    match sys::result(answer)? {
        0 => Ok(Made::Child),
        // SAFETY: in the parent this is the new descriptor, which nobody else
        // knows of.
        _ => Ok(Made::Parent(unsafe { OwnedFd::from_raw_fd(pidfd) })),
    }
}
