//! Sets of signals, and blocking every signal of the calling thread, those
//! that a C library keeps for itself included.
//!
//! # Safety
//!
//! `rt_sigprocmask` reads and writes one 64-bit mask of ours.

#![expect(unsafe_code, reason = "a C library's wrapper leaves out signals 32 and 33")]

use std::fmt;
use std::ptr;

use crate::signal::Signal;
use crate::sys::{self, nr};

/// A set of signals.
///
/// ```
/// use offspring_spawn::{Signal, SignalSet};
///
/// let set: SignalSet = [Signal::INT, Signal::TERM].into_iter().collect();
/// assert!(set.contains(Signal::INT) && !set.contains(Signal::HUP));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(transparent)]
pub struct SignalSet(
    /// As the kernel keeps it: signal n is bit n − 1.
    u64,
);

/// The size of a [`SignalSet`], which the kernel wants to be told.
pub(crate) const SIZE: usize = size_of::<SignalSet>();

/// `SIG_SETMASK`
pub(crate) const SET_MASK: usize = 2;

/// `SIG_BLOCK`
const BLOCK: usize = 0;

impl SignalSet {
    /// No signal.
    pub const EMPTY: SignalSet = SignalSet(0);

    /// Every signal.
    pub const ALL: SignalSet = SignalSet(u64::MAX);

    /// The signals that the calling thread blocks: what `posix_spawn` gives a
    /// child if it is not told otherwise.
    pub fn blocked() -> SignalSet {
        change_mask(BLOCK, None)
    }

    /// The signals that this process ignores.
    pub fn ignored() -> SignalSet {
        let all = SignalSet::ALL.iter();
        all.filter(|signal| is_ignored(*signal)).collect()
    }

    /// Adds a signal.
    pub fn insert(&mut self, signal: Signal) {
        self.0 |= bit(signal);
    }

    /// Takes a signal out.
    pub fn remove(&mut self, signal: Signal) {
        self.0 &= !bit(signal);
    }

    /// Whether the signal is in the set.
    pub fn contains(self, signal: Signal) -> bool {
        self.0 & bit(signal) != 0
    }

    /// Takes out the signal with the lowest number, and returns that.
    pub(crate) fn take_lowest(&mut self) -> Option<u32> {
        let index = self.0.trailing_zeros();
        // The lowest bit that is set is no more.
        self.0 &= self.0.wrapping_sub(1);
        (index < u64::BITS).then_some(index + 1)
    }

    /// The signals of the set, in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        let all = (1..=64).filter_map(Signal::from_raw);
        all.filter(move |signal| self.contains(*signal))
    }

    /// Makes these the signals that the calling thread blocks.
    pub(crate) fn block(self) {
        change_mask(SET_MASK, Some(&self));
    }

    /// The same by number, 1 to 64, for where nothing may panic.
    pub(crate) fn contains_number(self, number: u32) -> bool {
        self.0.rotate_right(number.wrapping_sub(1)) & 1 != 0
    }
}

fn bit(signal: Signal) -> u64 {
    1 << (signal.as_raw() - 1)
}

impl FromIterator<Signal> for SignalSet {
    fn from_iter<I: IntoIterator<Item = Signal>>(signals: I) -> SignalSet {
        let bits = signals.into_iter().map(bit);
        SignalSet(bits.fold(0, |set, bit| set | bit))
    }
}

impl fmt::Debug for SignalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// All signals of this thread are blocked as long as this lives.
#[derive(Debug)]
pub(crate) struct Blocked {
    before: SignalSet,
}

impl Blocked {
    /// Blocks all signals. A handler that ran in a child which shares our
    /// memory would run twice, and not in the process that it was meant for.
    pub(crate) fn all() -> Blocked {
        Blocked { before: change_mask(SET_MASK, Some(&SignalSet::ALL)) }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        change_mask(SET_MASK, Some(&self.before));
    }
}

/// Changes this thread's mask, if a set is given, and returns the one before.
fn change_mask(how: usize, set: Option<&SignalSet>) -> SignalSet {
    let mut before = SignalSet::EMPTY;
    let set = set.map_or(ptr::null(), ptr::from_ref);
    let args = [how, set as usize, &raw mut before as usize, SIZE, 0];
    // SAFETY: the old mask is a live variable of the size given; the new one
    // is too, or null, which the call allows. It has no failure with these
    // arguments.
    unsafe { sys::call(nr::RT_SIGPROCMASK, args) };
    before
}

/// Whether this process ignores the signal.
fn is_ignored(signal: Signal) -> bool {
    const SIG_IGN: u64 = 1;
    // A `struct sigaction`, or more: the handler is first everywhere.
    let mut action = [0_u64; 4];
    let number = usize::from(signal.as_raw().to_le_bytes()[0]);
    let args = [number, 0, &raw mut action as usize, SIZE, 0];
    // SAFETY: the new action is null, which the call allows; the old one is
    // written to a live variable that is large enough.
    unsafe { sys::call(nr::RT_SIGACTION, args) };
    let [handler, ..] = action;
    handler == SIG_IGN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_what_was_put_in() {
        for number in 1..=64 {
            let signal = Signal::from_raw(number).unwrap();
            let mut set = SignalSet::EMPTY;
            set.insert(signal);
            assert_eq!(set.iter().collect::<Vec<_>>(), [signal]);
            assert_eq!([signal].into_iter().collect::<SignalSet>(), set);
            for other in 1..=64_u32 {
                assert_eq!(set.contains_number(other), bit(signal) == 1 << (other - 1));
            }
            set.remove(signal);
            assert_eq!(set, SignalSet::default());
        }
        assert_eq!(SignalSet::ALL.iter().count(), 64);
        let set: SignalSet = [Signal::TERM, Signal::HUP].into_iter().collect();
        assert_eq!(format!("{set:?}"), "{SIGHUP, SIGTERM}");
    }
}
