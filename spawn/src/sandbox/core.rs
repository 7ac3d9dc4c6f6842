//! Keeping the kernel from writing down the memory of a process that crashes.
//!
//! `PR_SET_DUMPABLE` cannot do that: execve sets it anew, and until then it is
//! a property of the memory that a child shares with its parent. A limit of 0
//! stops files, but cores that are piped to a program are written whatever the
//! limit, with one exception: the kernel takes a limit of 1 for the sign of
//! such a program's own crash, and writes nothing. Nor is there a file of one
//! byte.
//!
//! # References
//! - [core(5)](https://man7.org/linux/man-pages/man5/core.5.html)

use std::fs;

use rustix::process::{Resource, getrlimit};
use rustix::thread::{CapabilitySet, capabilities};

use super::part::Lack;

const NONE: u64 = 1;

/// The limit, soft and hard, that stops all cores.
pub(super) fn limit() -> Result<u64, Lack> {
    let hard = getrlimit(Resource::Core).maximum;
    let may_raise = || {
        capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_RESOURCE))
    };
    if hard.is_none_or(|hard| hard >= NONE) || may_raise() {
        return Ok(NONE);
    }
    match is_file() {
        true => Ok(0),
        false => Err(Lack::CoreLimit),
    }
}

/// Whether cores are files here, which no limit below a page lets be written.
fn is_file() -> bool {
    let pattern = fs::read("/proc/sys/kernel/core_pattern");
    pattern.is_ok_and(|pattern| !matches!(pattern.first(), Some(b'|' | b'@')))
}
