//! Opening what lies beneath a directory, whatever `..` and symbolic links say.

use std::os::fd::{AsFd, OwnedFd};

use offspring_spawn::Errno;
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

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
}
