//! Stacks for children between clone and exec.
//!
//! # Safety
//!
//! A stack is memory of its own mapping, which nothing else refers to; it is
//! unmapped when its only owner is dropped. Its lowest page is not accessible,
//! so that a child that needs more is killed instead of writing elsewhere.

#![expect(unsafe_code, reason = "memory is mapped")]

use std::ffi::c_void;
use std::ptr;
use std::sync::{Mutex, PoisonError};

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

use crate::error::{SpawnError, Stage};

/// What a child uses is far below this: a few frames and two small arrays.
const SIZE: usize = 64 * 1024;

/// The largest page of the architectures that this crate knows.
const GUARD: usize = 64 * 1024;

/// How many unused stacks are kept for the next spawn. More only pile up when
/// more threads than this spawn at the same moment.
const KEPT: usize = 8;

static POOL: Mutex<Vec<Stack>> = Mutex::new(Vec::new());

/// A guarded stack.
#[derive(Debug)]
pub(crate) struct Stack {
    base: *mut c_void,
}

// SAFETY: the mapping belongs to the process, not to a thread, and this is the
// only reference to it.
unsafe impl Send for Stack {}

impl Stack {
    /// Takes a stack that an earlier spawn left, or maps a new one.
    pub(crate) fn take() -> Result<Stack, SpawnError> {
        let kept = POOL.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match kept {
            Some(stack) => Ok(stack),
            None => Stack::map(),
        }
    }

    /// Leaves the stack for the next spawn.
    pub(crate) fn give_back(self) {
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.len() < KEPT {
            pool.push(self);
        }
    }

    fn map() -> Result<Stack, SpawnError> {
        let at = SpawnError::at;
        // SAFETY: a new anonymous mapping at an address of the kernel's
        // choice touches no memory that is in use.
        let base = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                GUARD + SIZE,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::STACK | MapFlags::NORESERVE,
            )
        };
        let stack = Stack {
            base: base.map_err(at(Stage::Memory))?,
        };
        // SAFETY: the range is the lower part of the mapping just made, which
        // nothing refers to yet.
        let guarded = unsafe { mprotect(stack.base, GUARD, MprotectFlags::empty()) };
        guarded.map_err(at(Stage::Memory))?;
        Ok(stack)
    }

    /// The lowest address that may be used, and how many bytes follow.
    pub(crate) fn usable(&self) -> (usize, usize) {
        (self.base.addr() + GUARD, SIZE)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, of this size, and no child runs on it:
        // a spawn gives its stack back, or drops it, only after its child has
        // executed a program or ended. Unmapping a whole mapping cannot fail.
        let _ = unsafe { munmap(self.base, GUARD + SIZE) };
    }
}
