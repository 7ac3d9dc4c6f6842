//! Larger pages for the code that runs.
//!
//! A fork copies no page tables of files that are only read, so that the child finds
//! the code that it runs anew, one fault for each few pages. In a host of WebAssembly,
//! whose code is large and spread out, these are many. Memory that is the process's own
//! is copied, and in huge pages takes no time.
//!
//! # Safety
//!
//! A copy of the code takes the place of the code: the same bytes at the same addresses,
//! to be read and executed as before. The process has one thread, which is in the system
//! call that puts the one in the place of the other, and so runs nothing meanwhile.

#![expect(unsafe_code, reason = "code is copied, and mapped elsewhere")]

use std::fs;
use std::io;
use std::ops::Range;
use std::ptr;

use rustix::io::Errno;
use rustix::mm::{
    Advice, MapFlags, MprotectFlags, MremapFlags, ProtFlags, madvise, mmap_anonymous, mprotect,
    mremap_fixed, munmap,
};

use super::thread;

/// The size of a huge page.
const HUGE: usize = 2 << 20;

/// Moves the code of this program to huge pages, so that forks take less: a child does
/// not have to find it again. Returns how many bytes of code were moved.
///
/// These are the process's own and its forks': as much memory as the program has code. It
/// takes some milliseconds, so it is for a process that forks dozens of times. Debuggers find
/// everything as before; profilers that look into `/proc/PID/maps` no longer see
/// which file that code is from.
///
/// Nothing is moved, and 0 returned, where the kernel has no huge pages left or none at
/// all (`never` in `/sys/kernel/mm/transparent_hugepage/enabled`), where it does not
/// let memory be executed, in a process of more than one thread, for programs whose
/// code is smaller than a huge page, and on other processors than x86_64.
///
/// # Errors
/// When `/proc` cannot be read, or there is no memory.
///
/// # References
/// - [mremap(2)](https://man7.org/linux/man-pages/man2/mremap.2.html)
/// - [Transparent Hugepage Support](https://docs.kernel.org/admin-guide/mm/transhuge.html)
pub fn prefer_huge_code() -> io::Result<usize> {
    let enabled = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    let has_huge_pages = enabled.is_ok_and(|words| !words.contains("[never]"));
    if !cfg!(target_arch = "x86_64") || !has_huge_pages || !thread::is_alone()? {
        return Ok(0);
    }
    let maps = fs::read_to_string("/proc/self/maps")?;
    let here = prefer_huge_code as *const () as usize;
    let Some(code) = mapping(&maps, here) else {
        return Ok(0);
    };
    let code = code.start.next_multiple_of(HUGE)..code.end / HUGE * HUGE;
    if code.is_empty() {
        return Ok(0);
    }
    let copy = Copy::of(&code)?;
    if !copy.is_huge()? || !copy.make_executable()? {
        return Ok(0);
    }
    copy.take_place(&code)?;
    Ok(code.len())
}

/// A copy of code, which is unmapped when dropped.
struct Copy {
    /// With room for the beginning of a huge page in it.
    all: Range<usize>,
    /// What is copied.
    code: Range<usize>,
}

impl Copy {
    fn of(code: &Range<usize>) -> Result<Copy, Errno> {
        let size = code.len() + HUGE;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let all = unsafe { mmap_anonymous(ptr::null_mut(), size, access, MapFlags::PRIVATE) }?;
        let start = all.addr().next_multiple_of(HUGE);
        let copy = Copy { all: all.addr()..all.addr() + size, code: start..start + code.len() };
        // SAFETY: it changes by what pages the mapping is backed, which is ours.
        unsafe { madvise(copy.at(start), code.len(), Advice::LinuxHugepage) }?;
        let from = ptr::with_exposed_provenance::<u8>(code.start);
        // SAFETY: the code is mapped to be read, as the kernel has just said, and
        // nothing is there that could unmap it; the copy is as large, and is elsewhere.
        unsafe { ptr::copy_nonoverlapping(from, copy.at(start).cast(), code.len()) };
        Ok(copy)
    }

    /// Whether all of it is in huge pages: the kernel may have had none left.
    fn is_huge(&self) -> io::Result<bool> {
        Ok(huge_bytes(&fs::read_to_string("/proc/self/smaps")?, self.code.start) >= self.code.len())
    }

    /// Whether it may be executed: some systems let nothing be that was written.
    fn make_executable(&self) -> Result<bool, Errno> {
        let access = MprotectFlags::READ | MprotectFlags::EXEC;
        // SAFETY: nothing refers to the mapping but this.
        match unsafe { mprotect(self.at(self.code.start), self.code.len(), access) } {
            Ok(()) => Ok(true),
            Err(Errno::ACCESS | Errno::PERM) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    fn take_place(self, code: &Range<usize>) -> Result<(), Errno> {
        let (from, size) = (self.at(self.code.start), self.code.len());
        let to = ptr::without_provenance_mut(code.start);
        // SAFETY: see the rule above. The kernel refuses, for want of mappings, before it
        // touches anything.
        unsafe { mremap_fixed(from, size, size, MremapFlags::MAYMOVE, to) }.map(drop)
    }

    fn at(&self, address: usize) -> *mut core::ffi::c_void {
        ptr::with_exposed_provenance_mut(address)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours. Of what has taken the place of the code nothing
        // is here any more, and nothing of this process has come here since.
        let _ = unsafe { munmap(self.at(self.all.start), self.all.len()) };
    }
}

/// The mapping of a file that has this address and is executed.
///
/// `7f0000000000-7f0000010000 r-xp 00001000 fe:00 1044    /usr/lib/libc.so.6`
fn mapping(maps: &str, address: usize) -> Option<Range<usize>> {
    maps.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let range = range(words.next()?)?;
        let is_code = words.next()? == "r-xp" && words.nth(3)?.starts_with('/');
        (is_code && range.contains(&address)).then_some(range)
    })
}

/// How much of the mapping that has this address is in huge pages.
fn huge_bytes(smaps: &str, address: usize) -> usize {
    let mut is_it = false;
    for line in smaps.lines() {
        let Some((word, rest)) = line.split_once(' ') else { continue };
        if let Some(range) = range(word) {
            is_it = range.contains(&address);
        } else if is_it && word == "AnonHugePages:" {
            let amount = rest.trim().strip_suffix(" kB").and_then(|amount| amount.parse().ok());
            return amount.map_or(0, |amount: usize| amount * 1024);
        }
    }
    0
}

fn range(word: &str) -> Option<Range<usize>> {
    let (start, end) = word.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    Some(address(start)?..address(end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
55d0a0000000-55d0a0010000 r--p 00000000 fe:00 7                          /usr/bin/a b
AnonHugePages:         0 kB
55d0a0010000-55d0a0020000 r-xp 00010000 fe:00 7                          /usr/bin/a b
Rss:                  64 kB
AnonHugePages:         0 kB
55d0b0000000-55d0b0800000 rw-p 00000000 00:00 0
Rss:                8192 kB
AnonHugePages:      6144 kB
55d0c0000000-55d0c0800000 r-xp 00000000 00:00 0
AnonHugePages:      2048 kB
";

    #[test]
    fn only_code_of_files() {
        assert_eq!(mapping(SMAPS, 0x55d0_a001_0123), Some(0x55d0_a001_0000..0x55d0_a002_0000));
        for other in [0x55d0_a000_0123, 0x55d0_a002_0000, 0x55d0_b000_0000, 0x55d0_c000_0000] {
            assert_eq!(mapping(SMAPS, other), None);
        }
    }

    #[test]
    fn how_much_is_huge() {
        assert_eq!(huge_bytes(SMAPS, 0x55d0_b001_0000), 6 << 20);
        assert_eq!(huge_bytes(SMAPS, 0x55d0_a001_0000), 0);
        assert_eq!(huge_bytes(SMAPS, 0x1000), 0);
    }
}
