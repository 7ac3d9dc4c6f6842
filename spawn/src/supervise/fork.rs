//! Making a process that goes on where this one is, and ending one.
//!
//! # Safety
//!
//! `fork` is called while there is one thread, so nothing is left locked in the
//! new process.

#![expect(unsafe_code, reason = "fork is called")]

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::Pid;

use crate::sys::{self, nr};

/// Goes on in two processes: the old one gets the new one's number.
///
/// The C library's, because it has to tell itself the number of its thread.
pub(super) fn fork() -> Result<Option<Pid>, Errno> {
    // SAFETY: the only thread of this process calls it, which the callers of
    // this module have made sure of, so the new process finds memory, locks
    // and the C library in a state that is whole.
    match unsafe { libc::fork() } {
        -1 => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::AGAIN)),
        number => Ok(Pid::from_raw(number)),
    }
}

/// Ends this process at once, without what it would do at its end: that is the
/// program's to do, in its own process.
pub(super) fn exit(code: u8) -> ! {
    loop {
        // SAFETY: exit_group takes a number. It does not return; the loop tells
        // the compiler so.
        unsafe { sys::call(nr::EXIT_GROUP, [code.into(), 0, 0, 0, 0]) };
    }
}

/// Closes every descriptor but this one. For a process that does nothing with those that it
/// got from its parent, and would keep others from seeing that they are closed.
pub(super) fn close_all_but(kept: &OwnedFd) {
    let kept = kept.as_raw_fd().unsigned_abs() as usize;
    for [first, last] in [[0, kept.wrapping_sub(1)], [kept + 1, usize::MAX >> 32]] {
        // One that is the first of all has nothing before it.
        if first <= last && last <= usize::MAX >> 32 {
            // SAFETY: nothing in this process uses another descriptor after
            // this, or drops what owns one: it does not return to the program.
            unsafe { sys::call(nr::CLOSE_RANGE, [first, last, 0, 0, 0]) };
        }
    }
}
