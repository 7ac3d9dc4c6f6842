//! Blocking every signal of the calling thread, those that a C library keeps
//! for itself included.
//!
//! # Safety
//!
//! `rt_sigprocmask` reads and writes one 64-bit mask of ours.

#![expect(
    unsafe_code,
    reason = "a C library's wrapper leaves out signals 32 and 33"
)]

use crate::sys::{self, nr};

/// Sets of signals as the kernel keeps them: signal n is bit n − 1.
pub(crate) type SigSet = u64;

/// The size of a [`SigSet`], which the kernel wants to be told.
pub(crate) const SIZE: usize = size_of::<SigSet>();

/// `SIG_SETMASK`
pub(crate) const SET_MASK: usize = 2;

/// All signals of this thread are blocked as long as this lives.
#[derive(Debug)]
pub(crate) struct Blocked {
    before: SigSet,
}

impl Blocked {
    /// Blocks all signals. A handler that ran in a child which shares our
    /// memory would run twice, and not in the process that it was meant for.
    pub(crate) fn all() -> Blocked {
        Blocked {
            before: set_mask(SigSet::MAX),
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        set_mask(self.before);
    }
}

/// Sets this thread's mask and returns the one before.
fn set_mask(mask: SigSet) -> SigSet {
    let mut before: SigSet = 0;
    let args = [
        SET_MASK,
        &raw const mask as usize,
        &raw mut before as usize,
        SIZE,
        0,
    ];
    // SAFETY: both masks are live variables of the size given. The call has
    // no failure with these arguments.
    unsafe { sys::call(nr::RT_SIGPROCMASK, args) };
    before
}
