//! The child's descriptor table.

use std::os::fd::RawFd;

use rustix::fs::OFlags;

use super::{Orders, call, word};
use crate::error::{SpawnError, Stage};
use crate::sys::nr;

const CLOSE_RANGE_UNSHARE: usize = 1 << 1;
pub(super) const CLOSE_RANGE_CLOEXEC: usize = 1 << 2;
const F_SETFD: usize = 2;
const FD_CLOEXEC: usize = 1;
pub(super) const AT_FDCWD: i32 = -100;

/// The largest number that `close_range` takes.
const LAST: RawFd = RawFd::MAX;

/// Takes of the parent's table what is needed, if this is not a copy already.
pub(super) fn separate(orders: &Orders<'_>) -> Result<(), SpawnError> {
    if orders.close_range {
        let args = [word(orders.cut), usize::MAX >> 32, CLOSE_RANGE_UNSHARE, 0, 0];
        call(Stage::DescriptorTable, nr::CLOSE_RANGE, args)?;
    }
    Ok(())
}

/// Puts everything in its place. The rest is closed: at exec, if nothing can
/// look at it before.
pub(super) fn arrange(orders: &Orders<'_>) -> Result<(), SpawnError> {
    let layout = &orders.layout;
    for (from, to) in &layout.moves {
        duplicate(Stage::Descriptors, *from, *to, OFlags::CLOEXEC)?;
    }
    for (source, number) in &layout.places {
        let stage = match *number {
            stream @ 0..=2 => Stage::StandardStream(stream.to_le_bytes()[0]),
            script if layout.scripts.contains(&script) => Stage::Descriptors,
            passed => Stage::Passed(passed.cast_unsigned()),
        };
        duplicate(stage, *source, *number, OFlags::empty())?;
    }
    if orders.close_range && orders.actions.is_empty() {
        let stay = layout.places.iter().map(|(_, number)| *number);
        return close_ranges(stay, 0, CLOSE_RANGE_CLOEXEC, Stage::Descriptors);
    }
    for fd in &layout.hidden {
        // Its interpreter opens a script.
        if !layout.scripts.contains(fd) {
            let args = [word(*fd), F_SETFD, FD_CLOEXEC, 0, 0];
            call(Stage::Descriptors, nr::FCNTL, args)?;
        }
    }
    close_all_but(orders, &layout.kept, 0, Stage::Descriptors)
}

/// Makes `to` another number of `from`, which is not the same.
pub(super) fn duplicate(
    stage: Stage,
    from: RawFd,
    to: RawFd,
    flags: OFlags,
) -> Result<(), SpawnError> {
    let args = [word(from), word(to), flags.bits() as usize, 0, 0];
    call(stage, nr::DUP3, args).map(drop)
}

/// Lets a descriptor stay open at exec.
pub(super) fn keep_open(stage: Stage, fd: RawFd) -> Result<(), SpawnError> {
    call(stage, nr::FCNTL, [word(fd), F_SETFD, 0, 0, 0]).map(drop)
}

/// Closes every descriptor from `first` on but these, which are in ascending
/// order.
pub(super) fn close_all_but(
    orders: &Orders<'_>,
    kept: &[RawFd],
    first: RawFd,
    stage: Stage,
) -> Result<(), SpawnError> {
    match orders.close_range {
        true => close_ranges(kept.iter().copied(), first, 0, stage),
        false => close_listed(kept, first, stage),
    }
}

/// Closes the ranges between these, now or at exec.
fn close_ranges(
    kept: impl Iterator<Item = RawFd>,
    mut first: RawFd,
    flags: usize,
    stage: Stage,
) -> Result<(), SpawnError> {
    for fd in kept {
        close_range(first, fd.wrapping_sub(1), flags, stage)?;
        first = first.max(fd.wrapping_add(1));
    }
    close_range(first, LAST, flags, stage)
}

fn close_range(first: RawFd, last: RawFd, flags: usize, stage: Stage) -> Result<(), SpawnError> {
    if first <= last {
        let args = [word(first), word(last), flags, 0, 0];
        call(stage, nr::CLOSE_RANGE, args)?;
    }
    Ok(())
}

/// What `getdents64` fills in.
#[repr(C, align(8))]
struct Entries([u8; 1024]);

/// The same where ranges cannot be closed. The list is sorted by number, and
/// closing what was listed changes nothing of what is still to come.
fn close_listed(kept: &[RawFd], first: RawFd, stage: Stage) -> Result<(), SpawnError> {
    let path = c"/proc/self/fd";
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let path = path.as_ptr() as usize;
    let args = [word(AT_FDCWD), path, flags.bits() as usize, 0, 0];
    let directory = call(stage, nr::OPENAT, args)?;
    let mut entries = Entries([0; 1024]);
    loop {
        let buffer = &raw mut entries as usize;
        let size = size_of::<Entries>();
        let length = call(stage, nr::GETDENTS64, [directory, buffer, size, 0, 0])?;
        if length == 0 {
            break;
        }
        let mut rest = entries.0.get(..length).unwrap_or_default();
        while let Some((fd, next)) = next_entry(rest) {
            rest = next;
            if let Some(fd) = fd
                && fd >= first
                && word(fd) != directory
                && !kept.contains(&fd)
            {
                // It is closed, whatever the answer.
                let _ = call(stage, nr::CLOSE, [word(fd), 0, 0, 0, 0]);
            }
        }
    }
    call(stage, nr::CLOSE, [directory, 0, 0, 0, 0]).map(drop)
}

/// Splits off the first `struct linux_dirent64`: the number that is its name,
/// if it is one, and the entries behind it.
fn next_entry(entries: &[u8]) -> Option<(Option<RawFd>, &[u8])> {
    let length = entries.get(16..18)?.first_chunk()?;
    let length = usize::from(u16::from_ne_bytes(*length));
    let name = entries.get(19..length)?;
    let mut number = None;
    for byte in name {
        match byte {
            b'0'..=b'9' => {
                let value = number.unwrap_or(0_i32).wrapping_mul(10);
                number = Some(value.wrapping_add((byte & 0xf).into()));
            }
            _ => break,
        }
    }
    Some((number, entries.get(length..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, padding: usize) -> Vec<u8> {
        let length = 19 + name.len() + 1 + padding;
        let mut entry = vec![0xff; 16];
        entry.extend(u16::try_from(length).unwrap().to_ne_bytes());
        entry.push(10);
        entry.extend(name.as_bytes());
        entry.resize(length, 0);
        entry
    }

    #[test]
    fn names_are_numbers() {
        let names = [".", "..", "0", "17", "1048575"];
        let list: Vec<u8> = names.iter().flat_map(|name| entry(name, 3)).collect();
        let (mut rest, mut found) = (&list[..], Vec::new());
        while let Some((fd, next)) = next_entry(rest) {
            found.push(fd);
            rest = next;
        }
        assert_eq!(found, [None, None, Some(0), Some(17), Some(1_048_575)]);
        assert_eq!(rest, []);
    }

    #[test]
    fn what_is_cut_short_ends_the_list() {
        let whole = entry("17", 0);
        for length in 0..whole.len() {
            assert_eq!(next_entry(&whole[..length]), None);
        }
        assert_eq!(next_entry(&[0; 32]), None);
    }
}
