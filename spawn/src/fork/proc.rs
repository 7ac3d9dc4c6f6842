//! What `/proc` says of this process's descriptors, read by files that stay open from one
//! fork to the next: to find one by its path takes several times as long as to read it.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{Mode, OFlags, Stat, fstat, stat};
use rustix::io::{Errno, pread, retry_on_intr};
use rustix::process::{Pid, getpid};
use smallvec::SmallVec;

use super::error::{ForkError, Unforkable};
use super::generation;

/// A list of the descriptors, one entry each.
pub(super) const DIRECTORY: &CStr = c"/proc/self/fd";

/// As much as the kernel says of most descriptors: not on the heap, of which the child of
/// a fork would copy a page for each piece that it frees.
const SPACE: usize = 512;
pub(super) type Text = SmallVec<[u8; 2 * SPACE]>;

/// How many texts stay open: a runtime has an instance of epoll, and an eventfd in it.
const TEXTS: usize = 4;

/// The files that are open, of the process that this one was when it opened them.
static KEPT: Mutex<Kept> =
    Mutex::new(Kept { of: None, directory: None, texts: Vec::new(), open: Vec::new() });

#[derive(Debug)]
struct Kept {
    /// In a fork these are still its parent's, which may have the same number in a
    /// namespace of its own.
    of: Option<(Pid, u32)>,
    directory: Option<OwnedFd>,
    /// By the number that each tells of, whatever is open as that.
    texts: Vec<(RawFd, OwnedFd)>,
    /// All numbers that were open at the last fork.
    open: Vec<RawFd>,
}

/// How many descriptors this process has, as the kernel says since Linux 6.2; before, 0.
pub(super) fn count() -> Result<RawFd, ForkError> {
    let mut kept = kept();
    if kept.directory.is_none() {
        // Without one more descriptor it is found by its path each time.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        kept.directory = rustix::fs::open(DIRECTORY, flags, Mode::empty()).ok();
    }
    let status = match &kept.directory {
        Some(directory) => fstat(directory),
        None => stat(DIRECTORY),
    };
    let Stat { st_size, .. } = status.map_err(proc_error)?;
    Ok(RawFd::try_from(st_size).unwrap_or(0))
}

/// The numbers of what is kept open here.
pub(super) fn numbers() -> SmallVec<[RawFd; TEXTS + 1]> {
    let kept = kept();
    let texts = kept.texts.iter().map(|(_, text)| text);
    kept.directory.iter().chain(texts).map(AsRawFd::as_raw_fd).collect()
}

/// The numbers that were open when that was last found out, which may have changed.
pub(super) fn known_before() -> SmallVec<[RawFd; 64]> {
    SmallVec::from_slice(&kept().open)
}

/// Remembers these, unless they are many.
pub(super) fn know(open: &[RawFd]) {
    const MANY: usize = 1024;
    kept().open = if open.len() > MANY { Vec::new() } else { open.to_vec() };
}

/// What the kernel says of a descriptor.
pub(super) fn fdinfo(number: RawFd) -> Result<Text, ForkError> {
    let mut kept = kept();
    if let Some((_, text)) = kept.texts.iter().find(|(of, _)| *of == number) {
        return read(text);
    }
    let path = format!("/proc/self/fdinfo/{number}");
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(proc_error)?;
    let text = read(&file)?;
    if kept.texts.len() < TEXTS {
        kept.texts.push((number, file));
    }
    Ok(text)
}

/// Reads it in few calls: it is made anew for each. One that is not filled is the last.
fn read(file: &OwnedFd) -> Result<Text, ForkError> {
    let (mut text, mut length) = (Text::new(), 0);
    loop {
        text.resize(length + SPACE, 0);
        let read = retry_on_intr(|| pread(file, &mut text[length..], length as u64));
        match read.map_err(proc_error)? {
            SPACE => length += SPACE,
            read => {
                text.truncate(length + read);
                return Ok(text);
            }
        }
    }
}

/// What is kept by this process; what its parent kept is closed.
fn kept() -> MutexGuard<'static, Kept> {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let this = Some((getpid(), generation()));
    if kept.of != this {
        *kept = Kept { of: this, directory: None, texts: Vec::new(), open: Vec::new() };
    }
    kept
}

/// `/proc` cannot be used.
pub(super) fn proc_error(errno: Errno) -> ForkError {
    match errno {
        Errno::MFILE | Errno::NFILE => ForkError::Descriptors(errno),
        errno => Unforkable::Proc(errno).into(),
    }
}
