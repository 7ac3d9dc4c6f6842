//! Larger pages for what is copied.
//!
//! # Safety
//!
//! `madvise` with `MADV_HUGEPAGE` changes by what pages the kernel backs memory, and
//! nothing of what is in it.

#![expect(unsafe_code, reason = "memory is named by its address")]

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;
use rustix::mm::{Advice, madvise};

use super::copy::{Copy, HUGE};
use super::{maps, thread};
use crate::sigset::Blocked;

/// What a reservation has at least in which memory grows: no heap and no stack of a
/// thread is as large.
const RESERVED: usize = 1 << 30;

/// Whether huge pages were asked for.
static PREFERRED: AtomicBool = AtomicBool::new(false);

/// Asks the kernel to back memories of WebAssembly with huge pages: what is touched from now
/// on. A fork copies page tables, and of those there are 512 times fewer then. Returns how
/// many bytes of address space were asked for, 0 where the kernel has no huge pages.
///
/// A memory is told by what is reserved for it to grow, a GiB or more of address space
/// directly above it. One that has less room left is not found.
///
/// A fork that writes to such a page copies the 4 KiB that it writes to, as always.
/// Memory that is touched here and there takes up more, up to 2 MiB for each place.
///
/// # Errors
/// When `/proc` cannot be read.
///
/// # References
/// - [madvise(2)](https://man7.org/linux/man-pages/man2/madvise.2.html)
/// - [Transparent Hugepage Support](https://docs.kernel.org/admin-guide/mm/transhuge.html)
pub fn prefer_huge_pages() -> io::Result<usize> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let mut asked = 0;
    for range in memories(&maps).into_iter().flat_map(Memory::parts) {
        let start = std::ptr::without_provenance_mut(range.start);
        // SAFETY: see the rule above. What was unmapped meanwhile is an error, and
        // what took its place takes the advice as well.
        let advised = unsafe { madvise(start, range.len(), Advice::LinuxHugepage) };
        match advised {
            Ok(()) => {
                asked += range.len();
                PREFERRED.store(true, Ordering::Relaxed);
            }
            // A kernel without them.
            Err(Errno::INVAL) => return Ok(0),
            Err(_) => {}
        }
    }
    Ok(asked)
}

/// Moves what fills no huge page at the ends of the memory for which huge pages were
/// [asked for](prefer_huge_pages), each end to a part of one. A fork copies the page tables
/// of these ends as before, but those of many pages at once, since Linux 6.9. What is written
/// to afterwards is no part of it any more. Returns how many bytes were moved.
///
/// Each end takes up a huge page, of which the kernel takes back what is not used when it needs
/// memory. Nothing is moved, and 0 returned, where huge pages were not asked for or are not to
/// be had, in a process of more than one thread, and on other processors than x86_64.
///
/// # Errors
/// When `/proc` cannot be read, or there is no memory.
///
/// # References
/// - [mremap(2)](https://man7.org/linux/man-pages/man2/mremap.2.html)
pub fn prefer_huge_ends() -> io::Result<usize> {
    let is_preferred = PREFERRED.load(Ordering::Relaxed);
    if !cfg!(target_arch = "x86_64") || !is_preferred || !thread::is_alone()? {
        return Ok(0);
    }
    let smaps = fs::read_to_string("/proc/self/smaps")?;
    let mut moved = 0;
    for end in ends(&smaps, (&raw const moved).addr()) {
        // It would be lost.
        let key = maps::amount(&smaps, end.start, "ProtectionKey:").unwrap_or(0);
        if key != 0 || resident(&end)? < WORTH {
            continue;
        }
        let start = end.start / HUGE * HUGE;
        let copy = Copy::room(&end, &(start..start + HUGE))?;
        if !copy.is_huge()? {
            break;
        }
        // Between these two nothing is written to it, by a handler neither.
        let blocked = Blocked::all();
        copy.fill();
        copy.take_place(&end)?;
        drop(blocked);
        moved += end.len();
    }
    Ok(moved)
}

/// How many small pages an end has at least that is moved.
const WORTH: usize = 64;

/// How many pages of this range are in memory.
fn resident(range: &Range<usize>) -> io::Result<usize> {
    const PAGE: usize = 4096;
    const PRESENT: u8 = 0x80;
    let mut entries = vec![0; range.len() / PAGE * 8];
    let offset = u64::try_from(range.start / PAGE * 8).map_err(io::Error::other)?;
    File::open("/proc/self/pagemap")?.read_exact_at(&mut entries, offset)?;
    Ok(entries.chunks(8).filter(|entry| entry.last().is_some_and(|b| b & PRESENT != 0)).count())
}

/// What lies in huge pages with something else, of what can be written to. What has this
/// address of the stack is left out: it is written to while it would be moved.
fn ends(maps: &str, stack: usize) -> Vec<Range<usize>> {
    let written = memories(maps).into_iter().flat_map(|memory| memory.written);
    let mut ends = Vec::new();
    for range in written.filter(|range| !range.contains(&stack)) {
        let first = range.end.min(range.start.next_multiple_of(HUGE));
        let last = first.max(range.end / HUGE * HUGE);
        ends.extend([range.start..first, last..range.end]);
    }
    ends.retain(|end| !end.is_empty());
    ends
}

/// A memory that can grow.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Memory {
    /// What can be written to already.
    written: Vec<Range<usize>>,
    /// What is reserved above.
    reserved: Range<usize>,
}

impl Memory {
    /// All of it.
    fn parts(self) -> impl Iterator<Item = Range<usize>> {
        self.written.into_iter().chain([self.reserved])
    }
}

/// What can be written to directly below what is reserved for it to grow, with that. Not
/// what else lies there, such as stacks, of which a fork writes to some pages each time:
/// a huge page would fall apart.
fn memories(maps: &str) -> Vec<Memory> {
    let mut memories = Vec::new();
    let mut written: Vec<Range<usize>> = Vec::new();
    for Mapping { range, is_writable } in reservations(maps) {
        if is_writable {
            written.push(range);
            continue;
        }
        let written = std::mem::take(&mut written);
        let is_below = written.last().is_none_or(|last| last.end == range.start);
        if is_below && range.len() >= RESERVED {
            memories.push(Memory { written, reserved: range });
        }
    }
    memories
}

/// A part of a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mapping {
    range: Range<usize>,
    is_writable: bool,
}

/// The anonymous, private parts of what lies side by side and is large together, as `maps`
/// or `smaps` has them.
fn reservations(maps: &str) -> Vec<Mapping> {
    let mut found = Vec::new();
    let mut run: Range<usize> = 0..0;
    let mut parts = Vec::new();
    for (mapping, anonymous) in maps.lines().filter_map(parse) {
        if mapping.range.start != run.end {
            keep(&mut found, &run, &mut parts);
            run = mapping.range.start..mapping.range.start;
        }
        run.end = mapping.range.end;
        if anonymous {
            parts.push(mapping);
        }
    }
    keep(&mut found, &run, &mut parts);
    found
}

fn keep(found: &mut Vec<Mapping>, run: &Range<usize>, parts: &mut Vec<Mapping>) {
    if run.len() >= RESERVED {
        found.append(parts);
    }
    parts.clear();
}

/// `7f0000000000-7f0000010000 rw-p 00000000 00:00 0    [name]`
fn parse(line: &str) -> Option<(Mapping, bool)> {
    let mut words = line.split_ascii_whitespace();
    let range = maps::range(words.next()?)?;
    let access = words.next()?;
    let inode = words.nth(2)?;
    let anonymous = access.ends_with('p') && inode == "0" && words.next().is_none();
    Some((Mapping { range, is_writable: access.starts_with("rw") }, anonymous))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reservations() {
        let maps = "\
55d0a0000000-55d0a0021000 rw-p 00000000 00:00 0                          [heap]
7e0000000000-7e0000100000 ---p 00000000 00:00 0
7e0000100000-7e0000200000 rw-p 00000000 00:01 1044    /memfd:image (deleted)
7e0000200000-7e0000400000 rw-p 00000000 00:00 0
7e0000400000-7e0100000000 ---p 00000000 00:00 0
7f0000000000-7f0000021000 rw-p 00000000 00:00 0
7f0000021000-7f0004000000 ---p 00000000 00:00 0
7fff00000000-7fff00021000 rw-p 00000000 00:00 0                          [stack]
";
        let part = |range, is_writable| Mapping { range, is_writable };
        let expected = [
            part(0x7e00_0000_0000..0x7e00_0010_0000, false),
            part(0x7e00_0020_0000..0x7e00_0040_0000, true),
            part(0x7e00_0040_0000..0x7e01_0000_0000, false),
        ];
        assert_eq!(reservations(maps), expected);
        assert_eq!(reservations(""), []);
    }

    #[test]
    fn a_stack_beside_it_is_no_memory() {
        let maps = "\
7e00001ff000-7e0000200000 ---p 00000000 00:00 0
7e0000200000-7e0000400000 rw-p 00000000 00:00 0
7e0000400000-7e0002400000 ---p 00000000 00:00 0
7e0002400000-7e0002500000 rw-p 00000000 00:00 0
7e0002500000-7e0002540000 rw-p 00000000 00:01 1044    /memfd:image (deleted)
7e0002540000-7e0003000000 rw-p 00000000 00:00 0
7e0003000000-7e0100000000 ---p 00000000 00:00 0
";
        let written = vec![0x7e00_0240_0000..0x7e00_0250_0000, 0x7e00_0254_0000..0x7e00_0300_0000];
        let memory = Memory { written, reserved: 0x7e00_0300_0000..0x7e01_0000_0000 };
        assert_eq!(memories(maps), [memory]);
        // One that nothing was written to yet.
        let reserved = 0x7e00_0000_0000..0x7e01_0000_0000;
        let memory = Memory { written: Vec::new(), reserved };
        assert_eq!(memories("7e0000000000-7e0100000000 ---p 0 0 0\n"), [memory]);
    }

    #[test]
    fn only_what_fills_no_huge_page_and_may_grow() {
        let of = |writable: &str| {
            let maps = format!("{writable} rw-p 0 0 0\n7e0000c00000-7e0100000000 ---p 0 0 0\n");
            ends(&maps, 0)
        };
        let maps = "\
7e0000110000-7e0000810000 rw-p 00000000 00:00 0
Size:               8192 kB
7e0000810000-7e0100000000 ---p 00000000 00:00 0
7e0100000000-7e0100110000 rw-p 00000000 00:00 0
7e0100110000-7e0110000000 ---p 00000000 00:00 0
";
        let both = [0x7e00_0011_0000..0x7e00_0020_0000, 0x7e00_0080_0000..0x7e00_0081_0000];
        assert_eq!(ends(maps, 0), both);
        assert_eq!(ends(maps, 0x7e00_0020_0000), []);
        let first = 0x7e00_0011_0000..0x7e00_0020_0000;
        assert_eq!(of("7e0000110000-7e0000c00000"), vec![first]);
        let all = 0x7e00_00a1_0000..0x7e00_00c0_0000;
        assert_eq!(of("7e0000a10000-7e0000c00000"), vec![all]);
        assert_eq!(of("7e0000a00000-7e0000c00000"), []);
    }
}
