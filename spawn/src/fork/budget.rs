//! A number of processes that a whole tree of forks may have.
//!
//! # Safety
//!
//! The count is in memory that is shared by all processes of the tree, mapped
//! once and never unmapped while something refers to it. All use it by atomic
//! operations only.

#![expect(unsafe_code, reason = "memory is shared between processes")]

use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use rustix::process::{Pid, getpid, test_kill_process};

use super::generation;

/// How many processes a tree of forks may have at once besides its first one.
/// The count is shared by every process of the tree.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Slots>);

/// A process's place in a [`Budget`]. Dropping it gives the place back, in the
/// process that took it.
#[derive(Debug)]
pub struct Slot {
    budget: Budget,
    index: usize,
    generation: u32,
}

/// Who has each place, by number: 0 for nobody. A place is its process's, or,
/// before there is one, its parent's.
#[derive(Debug)]
struct Slots {
    base: NonNull<AtomicI32>,
    count: usize,
}

// SAFETY: the mapping is the process's, not a thread's, and what is in it is
// atomic.
unsafe impl Send for Slots {}
// SAFETY: as above.
unsafe impl Sync for Slots {}

impl Budget {
    /// Makes a budget of so many processes.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn new(max: u32) -> Result<Budget, Errno> {
        let count = max as usize;
        let size = size_of::<AtomicI32>() * count.max(1);
        // SAFETY: a new anonymous mapping at an address of the kernel's choice
        // touches no memory that is in use.
        let base = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                size,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
            )
        };
        let base = NonNull::new(base?.cast()).ok_or(Errno::NOMEM)?;
        Ok(Budget(Arc::new(Slots { base, count })))
    }

    /// How many there may be.
    pub fn max(&self) -> u32 {
        u32::try_from(self.0.count).unwrap_or(u32::MAX)
    }

    /// Takes the place of a process that is about to be made. When all are
    /// taken, those of processes that are gone are taken back: a process whose
    /// parent was killed gives its place back to nobody.
    pub fn take(&self) -> Option<Slot> {
        let free = self.take_free();
        free.or_else(|| {
            self.collect();
            self.take_free()
        })
    }

    fn take_free(&self) -> Option<Slot> {
        let own = getpid().as_raw_pid();
        let index = self.0.all().iter().position(|slot| {
            slot.compare_exchange(0, own, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        })?;
        Some(Slot { budget: self.clone(), index, generation: generation() })
    }

    fn collect(&self) {
        for slot in self.0.all() {
            let holder = slot.load(Ordering::Acquire);
            let gone =
                Pid::from_raw(holder).is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH));
            if gone {
                // Unless somebody else was faster.
                let _ = slot.compare_exchange(holder, 0, Ordering::AcqRel, Ordering::Relaxed);
            }
        }
    }
}

impl Slot {
    /// Says which process the place was taken for.
    pub fn give(&self, pid: u32) {
        self.cell().store(pid.cast_signed(), Ordering::Release);
    }

    fn cell(&self) -> &AtomicI32 {
        &self.budget.0.all()[self.index]
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // A copy in a forked process is not the place.
        if self.generation == generation() {
            self.cell().store(0, Ordering::Release);
        }
    }
}

impl Slots {
    fn all(&self) -> &[AtomicI32] {
        // SAFETY: the mapping has room for this many, was zeroed by the kernel,
        // and lives as long as this.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.count) }
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        let size = size_of::<AtomicI32>() * self.count.max(1);
        // SAFETY: the mapping is ours, and nothing refers to it any more. Other
        // processes keep theirs.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), size) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_than_max() {
        let budget = Budget::new(2).unwrap();
        let first = budget.take().unwrap();
        let _second = budget.take().unwrap();
        assert!(budget.take().is_none());
        drop(first);
        assert!(budget.take().is_some());
        assert!(Budget::new(0).unwrap().take().is_none());
    }

    #[test]
    fn places_of_the_dead_are_taken_back() {
        let budget = Budget::new(1).unwrap();
        let lost = budget.take().unwrap();
        // No process has the largest number: the kernel stops far below.
        lost.give(i32::MAX.unsigned_abs());
        assert!(budget.take().is_some());
        std::mem::forget(lost);
    }
}
