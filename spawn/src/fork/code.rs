//! Larger pages for the code that runs.
//!
//! A fork copies no page tables of files that are only read, so that the child finds
//! the code that it runs anew, one fault for each few pages. In a host of WebAssembly,
//! whose code is large and spread out, these are many. Memory that is the process's own
//! is copied, and in huge pages takes no time.

use std::fs;
use std::io;
use std::ops::Range;

use super::copy::{Copy, HUGE};
use super::maps::range;
use super::thread;

/// Moves the code and the constants of this program to huge pages, so that forks take
/// less: a child does not have to find them again, and of the constants with addresses in
/// them, which the loader has written, no page tables are copied. Returns how many bytes were
/// moved.
///
/// These are the process's own and its forks': as much memory as the program has of both.
/// Only pages that hold nothing else are moved, which are all of them in a program that is
/// linked with `-z max-page-size=2097152`. It takes some milliseconds, so it is for a
/// process that forks dozens of times. Debuggers find everything as before; profilers that
/// look into `/proc/PID/maps` no longer see which file that code is from.
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
    let mut moved = 0;
    for Part { range, area, is_code } in parts(&maps, prefer_huge_code as *const () as usize) {
        let copy = Copy::room(&range, &area)?;
        if !copy.is_huge()? {
            break;
        }
        copy.fill();
        if !copy.protect(is_code)? {
            break;
        }
        copy.take_place(&area)?;
        moved += area.len();
    }
    Ok(moved)
}

/// What is moved.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    /// Where it is mapped.
    range: Range<usize>,
    /// The huge pages that take its place.
    area: Range<usize>,
    is_code: bool,
}

/// The code, and the constants, of the file of which this address is the code. What is
/// smaller than an eighth of the pages that it would take is none.
///
/// `7f0000000000-7f0000010000 r-xp 00001000 fe:00 1044    /usr/lib/libc.so.6`
fn parts(maps: &str, address: usize) -> Vec<Part> {
    let mapped: Vec<(Range<usize>, &str, &str)> = maps
        .lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let range = range(words.next()?)?;
            Some((range, words.next()?, line.splitn(6, ' ').nth(5)?.trim_start()))
        })
        .collect();
    let file = mapped.iter().find(|(range, access, file)| {
        *access == "r-xp" && file.starts_with('/') && range.contains(&address)
    });
    let Some((_, _, file)) = file else {
        return Vec::new();
    };
    let is_part = |(_, access, of): &(Range<usize>, &str, &str)| {
        of == file && ["r-xp", "r--p"].contains(access)
    };
    let mut parts = Vec::new();
    for (index, (range, access, _)) in mapped.iter().enumerate().filter(|(_, it)| is_part(it)) {
        let before = index.checked_sub(1).map_or(0, |before| mapped[before].0.end);
        let behind = mapped.get(index + 1).map_or(usize::MAX, |behind| behind.0.start);
        let area = area(range, before, behind);
        if area.len() <= range.len() * 8 && !area.is_empty() {
            parts.push(Part { range: range.clone(), area, is_code: *access == "r-xp" });
        }
    }
    // Where code cannot be moved, nothing is.
    parts.sort_by_key(|part| !part.is_code);
    parts
}

/// The huge pages of this mapping: all that have a part in it, as far as nothing else
/// has. A linker leaves room for that if it is told of pages that large.
fn area(range: &Range<usize>, before: usize, behind: usize) -> Range<usize> {
    let (down, up) = (range.start / HUGE * HUGE, range.end.next_multiple_of(HUGE));
    let start = if down >= before { down } else { range.start.next_multiple_of(HUGE) };
    let end = if up <= behind { up } else { range.end / HUGE * HUGE };
    start..end.max(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_of_files() {
        let maps = "\
400000-a10000 r--p 00000000 fe:00 7                          /usr/bin/a b
a10000-1230000 r-xp 00610000 fe:00 7                          /usr/bin/a b
1450000-1480000 r--p 00650000 fe:00 7                         /usr/bin/a b
1490000-14a0000 rw-p 00680000 fe:00 7                         /usr/bin/a b
2000000-4000000 r-xp 00000000 fe:00 8                         /usr/lib/b.so
6000000-8000000 r-xp 00000000 00:00 0
";
        let constants =
            Part { range: 0x40_0000..0xa1_0000, area: 0x40_0000..0xa0_0000, is_code: false };
        let code =
            Part { range: 0xa1_0000..0x123_0000, area: 0xc0_0000..0x140_0000, is_code: true };
        assert_eq!(parts(maps, 0xa1_0123), [code, constants]);
        for other in [0x40_0123, 0x123_0000, 0x145_0000, 0x600_0000] {
            assert_eq!(parts(maps, other), []);
        }
    }

    #[test]
    fn only_pages_without_anything_else() {
        let all = 0x5a_0000..0x125_0000;
        assert_eq!(area(&all, 0x40_0000, 0x140_0000), 0x40_0000..0x140_0000);
        assert_eq!(area(&all, 0x40_1000, 0x13f_f000), 0x60_0000..0x120_0000);
        assert!(area(&(0x21_0000..0x23_0000), 0x20_1000, usize::MAX).is_empty());
        assert!(area(&(0x3f_0000..0x41_0000), 0x20_1000, 0x41_0000).is_empty());
    }
}
