//! Opening what lies beneath a directory, whatever `..` and symbolic links say.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use offspring_spawn::Errno;
use rustix::fs::{Mode, OFlags, ResolveFlags, fstat, openat, openat2};

/// Opens this path as `O_PATH`; the empty one is the directory itself.
///
/// # Errors
/// `EXDEV` for what leads out, and those of openat2(2).
pub(crate) fn open(base: impl AsFd, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let path = if path.is_empty() { "." } else { path };
    let flags = flags | OFlags::PATH | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    // The kernel gives up, and says so, when something is renamed meanwhile that
    // could lead out.
    for _ in 0..16 {
        match openat2(&base, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            opened => return opened,
        }
    }
    Err(Errno::AGAIN)
}

/// A file as the kernel knows it.
pub(crate) type Id = (u64, u64);

/// What the kernel knows a file as.
pub(crate) fn id(fd: BorrowedFd<'_>) -> Result<Id, Errno> {
    fstat(fd).map(|stat| (stat.st_dev, stat.st_ino))
}

/// How many directories there may be above one that is looked at: a guest may make
/// any number.
const DEPTH_MAX: usize = 1024;

/// Asks a directory and those above it, up to the root, until one says yes.
///
/// # Errors
/// `ENAMETOOLONG` when there are more than 1024, and those of openat(2).
pub(crate) fn any_above(
    directory: BorrowedFd<'_>,
    mut asked: impl FnMut(BorrowedFd<'_>, Id) -> bool,
) -> Result<bool, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut current: Option<OwnedFd> = None;
    for _ in 0..DEPTH_MAX {
        let this = current.as_ref().map_or(directory, AsFd::as_fd);
        let known = id(this)?;
        if asked(this, known) {
            return Ok(true);
        }
        let above = openat(this, "..", flags, Mode::empty())?;
        // The root is its own parent.
        if id(above.as_fd())? == known {
            return Ok(false);
        }
        current = Some(above);
    }
    Err(Errno::NAMETOOLONG)
}

/// Whether a directory is this other one or lies beneath it, now.
pub(crate) fn is_beneath(directory: BorrowedFd<'_>, other: BorrowedFd<'_>) -> Result<bool, Errno> {
    let other = id(other)?;
    any_above(directory, |_, this| this == other)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn no_way_out_of_the_base() {
        let base = File::open("/usr").unwrap();
        let open = |path: &str| open(&base, path, OFlags::DIRECTORY);
        for inside in ["", ".", "bin", "bin/..", "bin/../bin/."] {
            assert!(open(inside).is_ok(), "{inside}");
        }
        for outside in ["..", "/", "/usr/bin", "bin/../../usr"] {
            assert_eq!(open(outside).unwrap_err(), Errno::XDEV, "{outside}");
        }
        assert_eq!(open("no such directory").unwrap_err(), Errno::NOENT);
        assert_eq!(open("bin/env").unwrap_err(), Errno::NOTDIR);
    }

    #[test]
    fn what_lies_above() {
        let [root, usr, bin, proc] = ["/", "/usr", "/usr/bin", "/proc"]
            .map(|path| File::open(path).unwrap_or_else(|error| panic!("{path}: {error}")));
        let beneath = |one: &File, other: &File| is_beneath(one.as_fd(), other.as_fd()).unwrap();
        for above in [&root, &usr, &bin] {
            assert!(beneath(&bin, above));
        }
        assert!(beneath(&proc, &root), "another file system");
        assert!(!beneath(&usr, &bin) && !beneath(&bin, &proc) && !beneath(&root, &usr));
    }
}
