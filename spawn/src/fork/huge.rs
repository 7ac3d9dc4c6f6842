//! Larger pages for what is copied.
//!
//! # Safety
//!
//! `madvise` with `MADV_HUGEPAGE` changes by what pages the kernel backs memory, and
//! nothing of what is in it.

#![expect(unsafe_code, reason = "memory is named by its address")]

use std::fs;
use std::io;
use std::ops::Range;

use rustix::io::Errno;
use rustix::mm::{Advice, madvise};

/// What a reservation has at least in which memory grows: no heap and no stack of a
/// thread is as large.
const RESERVED: usize = 1 << 30;

/// Asks the kernel to back this process's large reservations, as WebAssembly's
/// memories are, with huge pages: what is touched from now on. A fork copies page
/// tables, and of those there are 512 times fewer then. Returns how many bytes of
/// address space were asked for, 0 where the kernel has no huge pages.
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
    for range in reservations(&maps) {
        let length = range.end - range.start;
        // SAFETY: see the rule above. What was unmapped meanwhile is an error, and
        // what took its place takes the advice as well.
        let advised = unsafe {
            madvise(std::ptr::without_provenance_mut(range.start), length, Advice::LinuxHugepage)
        };
        match advised {
            Ok(()) => asked += length,
            // A kernel without them.
            Err(Errno::INVAL) => return Ok(0),
            Err(_) => {}
        }
    }
    Ok(asked)
}

/// The anonymous, private parts of what lies side by side and is large together.
fn reservations(maps: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut run: Range<usize> = 0..0;
    let mut parts = Vec::new();
    for (range, anonymous) in maps.lines().filter_map(parse) {
        if range.start != run.end {
            keep(&mut found, &run, &mut parts);
            run = range.start..range.start;
        }
        run.end = range.end;
        if anonymous {
            parts.push(range);
        }
    }
    keep(&mut found, &run, &mut parts);
    found
}

fn keep(found: &mut Vec<Range<usize>>, run: &Range<usize>, parts: &mut Vec<Range<usize>>) {
    if run.len() >= RESERVED {
        found.append(parts);
    }
    parts.clear();
}

/// `7f0000000000-7f0000010000 rw-p 00000000 00:00 0    [name]`
fn parse(line: &str) -> Option<(Range<usize>, bool)> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    let is_private = words.next()?.ends_with('p');
    let inode = words.nth(2)?;
    let anonymous = is_private && inode == "0" && words.next().is_none();
    Some((address(start)?..address(end)?, anonymous))
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
        let expected = [
            0x7e00_0000_0000..0x7e00_0010_0000,
            0x7e00_0020_0000..0x7e00_0040_0000,
            0x7e00_0040_0000..0x7e01_0000_0000,
        ];
        assert_eq!(reservations(maps), expected);
        assert_eq!(reservations(""), []);
    }
}
