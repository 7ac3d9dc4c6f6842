//! System calls without a C library, for where one may not be used.
//!
//! # Safety
//!
//! Between clone and exec a child shares its parent's memory: a C library's
//! wrapper would set the parent's `errno`, take locks that another thread of
//! the parent holds, or tell the parent's other threads to do the same call.
//! [`call`] does none of that: it puts its arguments in registers, enters the
//! kernel, and returns the kernel's answer.

#![expect(
    unsafe_code,
    reason = "system calls and clone are made by own assembly"
)]

use rustix::io::Errno;

#[cfg(target_arch = "aarch64")]
#[path = "aarch64.rs"]
mod arch;
#[cfg(target_arch = "riscv64")]
#[path = "riscv64.rs"]
mod arch;
#[cfg(target_arch = "x86_64")]
#[path = "x86_64.rs"]
mod arch;

pub(crate) use arch::{call, clone, nr};

/// What a new process runs on its own stack: never returns.
pub(crate) type Entry = unsafe extern "C" fn(*mut core::ffi::c_void) -> !;

/// Turns the kernel's answer into a result: −4095 to −1 are errors.
pub(crate) fn result(answer: isize) -> Result<usize, Errno> {
    match usize::try_from(answer) {
        Ok(value) => Ok(value),
        Err(_) => {
            let errno = i32::try_from(answer.wrapping_neg()).unwrap_or(i32::MAX);
            Err(Errno::from_raw_os_error(errno))
        }
    }
}
