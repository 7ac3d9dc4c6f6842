//! A few low descriptor numbers that are kept for spawns.
//!
//! The kernel copies a descriptor table up to the highest number that a child
//! needs. Where a process has many descriptors, what it opens for a spawn has
//! higher numbers than all of them, and the child would be given a copy of the
//! whole table. So some low numbers are taken when this process asks for the
//! first time what its kernel can do, and lent to spawns.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::io::{DupFlags, Errno, dup3, fcntl_dupfd_cloexec};
use smallvec::SmallVec;

use crate::stdio::{FIRST_OTHER, above_stdio, null};

/// How many numbers are kept: enough for some threads to spawn at once.
const SIZE: usize = 16;

/// Numbers from this one on are high: the kernel copies at least so many.
const HIGH: RawFd = 64;

/// The numbers that are not lent. Each is open, as `/dev/null`, so that nothing
/// else is given it.
static FREE: Mutex<Vec<OwnedFd>> = Mutex::new(Vec::new());

/// Takes the numbers, as far as there are low ones.
pub(crate) fn reserve() {
    let Ok(null) = null() else { return };
    let mut free = free();
    while free.len() < SIZE {
        match fcntl_dupfd_cloexec(&*null, FIRST_OTHER) {
            Ok(fd) if fd.as_raw_fd() < HIGH => free.push(fd),
            Ok(_) | Err(_) => break,
        }
    }
}

/// The numbers that are taken, and not lent.
pub(crate) fn numbers() -> SmallVec<[RawFd; SIZE]> {
    free().iter().map(AsRawFd::as_raw_fd).collect()
}

/// Moves a descriptor that is kept, and that no child is given, to where no spawn copies
/// it from: of the first numbers the kernel copies each that is open, and closes it again
/// when the program is executed. Where there is no such number it stays low.
pub(crate) fn aside(fd: OwnedFd) -> Result<OwnedFd, Errno> {
    if fd.as_raw_fd() >= HIGH {
        return Ok(fd);
    }
    match fcntl_dupfd_cloexec(&fd, HIGH) {
        // As many as there may be, or a limit below that number.
        Err(Errno::MFILE | Errno::INVAL) => above_stdio(fd),
        moved => moved,
    }
}

/// Descriptors that also have low numbers, as long as this lives.
#[derive(Debug, Default)]
pub(crate) struct Lent(Vec<(RawFd, OwnedFd)>);

impl Lent {
    /// Lends low numbers to those of these descriptors that have high ones, if
    /// there are enough for all: one that stays high is as bad as many.
    pub(crate) fn to(sources: &[BorrowedFd<'_>]) -> Lent {
        let mut lent = Lent::default();
        let is_high = |source: &&BorrowedFd<'_>| source.as_raw_fd() >= HIGH;
        if !sources.iter().any(|source| is_high(&source)) {
            return lent;
        }
        let high: Vec<_> = sources.iter().filter(is_high).collect();
        let numbers = {
            let mut free = free();
            let Some(rest) = free.len().checked_sub(high.len()) else {
                return lent;
            };
            free.split_off(rest)
        };
        for (source, mut number) in high.into_iter().zip(numbers) {
            // A failure, which nothing but a lack of memory explains, leaves
            // the source where it is, and closes the number.
            if dup3(source, &mut number, DupFlags::CLOEXEC).is_ok() {
                lent.0.push((source.as_raw_fd(), number));
            }
        }
        lent
    }

    /// Where a descriptor is for a spawn.
    pub(crate) fn at(&self, source: RawFd) -> RawFd {
        let mut lent = self.0.iter();
        lent.find(|(from, _)| *from == source).map_or(source, |(_, number)| number.as_raw_fd())
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.0.is_empty() {
            return;
        }
        let Ok(null) = null() else { return };
        for (_, mut number) in self.0.drain(..) {
            // What cannot be kept is closed: it must not hold a pipe open.
            if dup3(&*null, &mut number, DupFlags::CLOEXEC).is_ok() {
                free().push(number);
            }
        }
    }
}

fn free() -> MutexGuard<'static, Vec<OwnedFd>> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}
