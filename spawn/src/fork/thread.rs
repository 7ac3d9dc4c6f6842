//! The one thread of a process that forks, as the kernel and the C library
//! know it.
//!
//! # Safety
//!
//! The kernel tells where the C library has the number of this thread and the
//! list of the robust mutexes that it holds. Both are the C library's for as long
//! as the thread lives, so the number can be read, and in a copy of the process,
//! whose only thread this is, the list can be emptied as the C library's own
//! `fork` does.

#![expect(unsafe_code, reason = "what the C library keeps of this thread is put right")]

use std::fs;
use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::thread::gettid;

use super::error::{ForkError, Unforkable};
use crate::sys::{self, nr};

const CLONE_VM: usize = 0x100;
const PR_GET_TID_ADDRESS: usize = 40;

/// `struct robust_list_head`
#[repr(C)]
struct RobustListHead {
    /// Of a list that ends where it begins.
    first: *mut RobustListHead,
    _futex_offset: isize,
    pending: *mut RobustListHead,
}

/// What the C library has of this thread.
#[derive(Debug)]
pub(super) struct Thread {
    tid: *const u32,
    /// Null for a C library that has none yet.
    robust: *mut RobustListHead,
    robust_size: usize,
}

/// How long to wait for children that were just made to have memory of their
/// own.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whether this process has one thread, and its memory for itself.
pub(super) fn is_alone() -> Result<bool, ForkError> {
    let start = Instant::now();
    loop {
        // The kernel does nothing but look: it refuses to unshare what is shared.
        // SAFETY: the only argument is a number.
        let answer = unsafe { sys::call(nr::UNSHARE, [CLONE_VM, 0, 0, 0, 0]) };
        match sys::result(answer) {
            Ok(_) => return Ok(true),
            // The kernel wakes the parent of a child that executes a program
            // a moment before it takes the parent's memory from the child.
            Err(Errno::INVAL) if start.elapsed() < PATIENCE && has_one_thread() == Ok(true) => {
                thread::yield_now();
            }
            Err(Errno::INVAL) => return Ok(false),
            // A sandbox that does not let us ask.
            Err(_) => return has_one_thread(),
        }
    }
}

fn has_one_thread() -> Result<bool, ForkError> {
    match fs::read_dir("/proc/self/task") {
        Ok(tasks) => Ok(tasks.count() == 1),
        Err(error) => {
            let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
            Err(Unforkable::Proc(errno).into())
        }
    }
}

impl Thread {
    /// Finds what the copy of this thread needs.
    pub(super) fn this() -> Result<Thread, Unforkable> {
        let mut tid: *const u32 = ptr::null();
        let args = [PR_GET_TID_ADDRESS, &raw mut tid as usize, 0, 0, 0];
        // SAFETY: the kernel writes one address to ours.
        let answer = unsafe { sys::call(nr::PRCTL, args) };
        sys::result(answer).map_err(Unforkable::ThreadAddress)?;
        if tid.is_null() {
            return Err(Unforkable::ThreadNumber);
        }
        // SAFETY: the C library gave the kernel this address to write a number
        // to when the thread ends, so it is mapped and aligned. Another thread
        // that could write to it does not exist.
        let kept = unsafe { tid.read_volatile() };
        if kept != gettid().as_raw_pid().unsigned_abs() {
            return Err(Unforkable::ThreadNumber);
        }

        let mut thread = Thread { tid, robust: ptr::null_mut(), robust_size: 0 };
        let (head, size) = (&raw mut thread.robust, &raw mut thread.robust_size);
        let args = [0, head as usize, size as usize, 0, 0];
        // SAFETY: the kernel writes one address and one size to ours.
        let answer = unsafe { sys::call(nr::GET_ROBUST_LIST, args) };
        sys::result(answer).map_err(Unforkable::RobustList)?;
        Ok(thread)
    }

    /// Where the C library has the number of the thread.
    pub(super) fn tid_address(&self) -> usize {
        self.tid as usize
    }

    /// Makes the copy that this is hold no robust mutex. Its number the kernel
    /// has written already.
    pub(super) fn settle(&self) {
        if self.robust.is_null() {
            return;
        }
        // SAFETY: the head is the C library's for this thread, and nobody else
        // is there to use it.
        let head = unsafe { &mut *self.robust };
        head.first = self.robust;
        head.pending = ptr::null_mut();
        let args = [self.robust as usize, self.robust_size, 0, 0, 0];
        // SAFETY: the head and its size are as the C library registered them.
        // The call has no failure with these arguments.
        unsafe { sys::call(nr::SET_ROBUST_LIST, args) };
    }
}

/// The number of this process's parent; 0 for one outside our namespace.
pub(super) fn parent() -> i32 {
    // SAFETY: the call takes nothing.
    let answer = unsafe { sys::call(nr::GETPPID, [0; 5]) };
    i32::try_from(answer).unwrap_or(0)
}

/// Ends this process.
pub(super) fn exit_group(code: u8) -> ! {
    loop {
        // SAFETY: the call takes a number. It does not return; the loop tells
        // the compiler so.
        unsafe { sys::call(nr::EXIT_GROUP, [code.into(), 0, 0, 0, 0]) };
    }
}
