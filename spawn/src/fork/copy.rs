//! A copy of memory in huge pages, which takes the place of that memory.
//!
//! # Safety
//!
//! The same bytes come to be at the same addresses, to be used as before. The process
//! has one thread, which is in the system call that puts the one in the place of the
//! other, and so uses neither meanwhile.

#![expect(unsafe_code, reason = "memory is copied, and mapped elsewhere")]

use std::fs;
use std::io;
use std::ops::Range;
use std::process;
use std::ptr;

use rustix::io::Errno;
use rustix::mm::{
    Advice, MapFlags, MprotectFlags, MremapFlags, MsyncFlags, ProtFlags, madvise, mmap_anonymous,
    mprotect, mremap_fixed, msync, munmap,
};

use super::maps;

/// The size of a huge page.
pub(super) const HUGE: usize = 2 << 20;

/// Room for a copy of memory, or the copy, which is unmapped when dropped.
pub(super) struct Copy {
    /// With room for the beginning of a huge page in it.
    all: Range<usize>,
    /// The huge pages that it is a copy of.
    area: Range<usize>,
    /// What is mapped of them.
    source: Range<usize>,
    /// Where their copies are.
    start: usize,
}

impl Copy {
    /// Makes room for a copy of what is mapped of these huge pages. It must be there to be
    /// read.
    pub(super) fn room(mapped: &Range<usize>, area: &Range<usize>) -> Result<Copy, Errno> {
        let size = area.len() + HUGE;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let all = unsafe { mmap_anonymous(ptr::null_mut(), size, access, MapFlags::PRIVATE) }?;
        let start = all.addr().next_multiple_of(HUGE);
        let source = mapped.start.max(area.start)..mapped.end.min(area.end);
        let all = all.addr()..all.addr() + size;
        let copy = Copy { all, area: area.clone(), source, start };
        // SAFETY: it changes by what pages the mapping is backed, which is ours.
        unsafe { madvise(address(start), area.len(), Advice::LinuxHugepage) }?;
        for page in (start..start + area.len()).step_by(HUGE) {
            // SAFETY: it lies in the mapping, of which nobody else knows.
            unsafe { address(page).cast::<u8>().write_volatile(0) };
        }
        Ok(copy)
    }

    /// Copies it.
    pub(super) fn fill(&self) {
        let from = ptr::with_exposed_provenance::<u8>(self.source.start);
        let to = self.of_address(self.source.start).cast();
        // SAFETY: the source is mapped to be read, as the kernel has said, and nothing is
        // there that could have unmapped it; the copy is as large, and is elsewhere.
        unsafe { ptr::copy_nonoverlapping(from, to, self.source.len()) };
    }

    /// Whether all of it is in huge pages: the kernel may have had none left.
    pub(super) fn is_huge(&self) -> io::Result<bool> {
        let smaps = fs::read_to_string("/proc/self/smaps")?;
        let huge = maps::amount(&smaps, self.start, "AnonHugePages:").unwrap_or(0);
        Ok(huge * 1024 >= self.area.len())
    }

    /// Makes it what the code or the constants are, if it may be executed: some systems
    /// let nothing be that was written.
    pub(super) fn protect(&self, is_code: bool) -> Result<bool, Errno> {
        let mut access = MprotectFlags::READ;
        access.set(MprotectFlags::EXEC, is_code);
        // SAFETY: nothing refers to the mapping but this.
        match unsafe { mprotect(address(self.start), self.area.len(), access) } {
            Ok(()) => Ok(true),
            Err(Errno::ACCESS | Errno::PERM) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// Puts the copy of this part in its place. After an error all is as before.
    pub(super) fn take_place(self, part: &Range<usize>) -> Result<(), Errno> {
        let (from, size) = (self.of_address(part.start), part.len());
        // SAFETY: see the rule above.
        let moved =
            unsafe { mremap_fixed(from, size, size, MremapFlags::MAYMOVE, address(part.start)) };
        // For want of mappings the kernel refuses before it touches anything. Where it has
        // unmapped the original and then finds no memory, something else could come there.
        if moved.is_err() && !is_mapped(&self.source) {
            process::abort();
        }
        moved.map(drop)
    }

    /// Where the copy of this address is.
    fn of_address(&self, original: usize) -> *mut core::ffi::c_void {
        address(self.start + (original - self.area.start))
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours. Of what has taken the place of the original nothing
        // is here any more, and nothing of this process has come here since.
        let _ = unsafe { munmap(address(self.all.start), self.all.len()) };
    }
}

fn is_mapped(range: &Range<usize>) -> bool {
    // SAFETY: nothing is written anywhere by this, and what is not mapped is an error.
    unsafe { msync(address(range.start), range.len(), MsyncFlags::ASYNC) }.is_ok()
}

fn address(number: usize) -> *mut core::ffi::c_void {
    ptr::with_exposed_provenance_mut(number)
}
