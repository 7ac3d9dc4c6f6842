//! Forks of a native process.

#![allow(unsafe_code, reason = "it measures what safe code is built on")]

use std::time::Instant;

use anyhow::{Result, bail};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};

const PAGE: usize = 4096;

/// Touches so many bytes, and forks so often with the C library's `fork`, `_exit` in
/// the child and `waitpid`.
pub fn forks(size: usize, count: usize) -> Result<()> {
    if size > 0 {
        touch(size)?;
    }
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
        println!("fork {}", start.elapsed().as_nanos());
    }
    Ok(())
}

/// Maps memory with pages of 4 KiB, and touches each.
fn touch(size: usize) -> Result<()> {
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping at an address of the kernel's choice, which is kept.
    let memory = unsafe { mmap_anonymous(std::ptr::null_mut(), size, access, MapFlags::PRIVATE)? };
    // SAFETY: it changes the size of pages, not what is in them. A kernel that has one
    // size only refuses.
    let _ = unsafe { madvise(memory, size, Advice::LinuxNoHugepage) };
    for offset in (0..size).step_by(PAGE) {
        // SAFETY: it lies within the mapping.
        let byte = unsafe { memory.cast::<u8>().add(offset) };
        // SAFETY: nobody else has it.
        unsafe { byte.write_volatile(1) };
    }
    Ok(())
}
