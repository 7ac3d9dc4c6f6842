//! Forks of a native process.

#![allow(unsafe_code, reason = "it measures what safe code is built on")]

use std::time::Instant;

use anyhow::{Result, bail};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};

use super::resident::Resident;

const PAGE: usize = 4096;

/// The size of a huge page.
const HUGE: usize = 2 << 20;

/// Touches so many bytes, and forks so often with the C library's `fork`, `_exit` in
/// the child and `waitpid`.
pub fn forks(size: usize, count: usize) -> Result<()> {
    touch(size, Advice::LinuxNoHugepage, PAGE)?;
    fork_often("fork", count)
}

/// Touches so much that this process has as much anonymous memory as another one has, in
/// pages of 4 KiB and in huge ones, prints what it has, and forks in the same way.
pub fn forks_like(other: Resident, count: usize) -> Result<()> {
    let own = Resident::of_this()?;
    touch((other.huge - own.huge.min(other.huge)) << 10, Advice::LinuxHugepage, HUGE)?;
    touch(other.small().saturating_sub(own.small()) << 10, Advice::LinuxNoHugepage, PAGE)?;
    println!("resident {}", Resident::of_this()?);
    fork_often("fork", count)
}

/// Forks so often, and prints what each takes behind this word.
pub fn fork_often(word: &str, count: usize) -> Result<()> {
    for _ in 0..count {
        let start = Instant::now();
        // SAFETY: this process has one thread.
        match unsafe { libc::fork() } {
            -1 => bail!("fork: {}", std::io::Error::last_os_error()),
            // SAFETY: ends the child.
            0 => unsafe { libc::_exit(0) },
            child => {
                let mut status = 0;
                // SAFETY: the status is live.
                if unsafe { libc::waitpid(child, &raw mut status, 0) } != child {
                    bail!("waitpid: {}", std::io::Error::last_os_error());
                }
            }
        }
        println!("{word} {}", start.elapsed().as_nanos());
    }
    Ok(())
}

/// Maps memory in pages of this size, and touches each.
fn touch(size: usize, advice: Advice, page: usize) -> Result<()> {
    if size == 0 {
        return Ok(());
    }
    let access = ProtFlags::READ | ProtFlags::WRITE;
    let all = size + page;
    // SAFETY: a new mapping at an address of the kernel's choice, which is kept.
    let memory = unsafe { mmap_anonymous(std::ptr::null_mut(), all, access, MapFlags::PRIVATE)? };
    let begin = memory.addr().next_multiple_of(page) - memory.addr();
    // SAFETY: it changes the size of pages, not what is in them. A kernel that has one
    // size only refuses.
    let _ = unsafe { madvise(memory, all, advice) };
    for offset in (begin..begin + size).step_by(page) {
        // SAFETY: it lies within the mapping.
        let byte = unsafe { memory.cast::<u8>().add(offset) };
        // SAFETY: nobody else has it.
        unsafe { byte.write_volatile(1) };
    }
    Ok(())
}
