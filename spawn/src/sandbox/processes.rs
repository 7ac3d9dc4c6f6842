//! Where `/proc` is, through which processes look into each other.

use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

use rustix::fs::{FileType, PROC_SUPER_MAGIC, fstat, fstatfs};

use crate::cgroup::unescaped;

/// Whether this is a directory that shows processes, or one above such a directory. What
/// cannot be found out might be.
pub(super) fn are_beneath(fd: impl AsFd) -> bool {
    let fd = fd.as_fd();
    match (fstat(fd), fstatfs(fd)) {
        (Ok(of), _) if FileType::from_raw_mode(of.st_mode) != FileType::Directory => false,
        (Ok(_), Ok(system)) if system.f_type != PROC_SUPER_MAGIC => {
            let path = fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()));
            let mounts = fs::read_to_string("/proc/self/mountinfo");
            match (path, mounts) {
                (Ok(path), Ok(mounts)) => {
                    shown(&mounts).any(|at| Path::new(&at).starts_with(&path))
                }
                _ => true,
            }
        }
        _ => true,
    }
}

/// The places where processes are shown.
///
/// `25 30 0:23 / /proc rw,nosuid shared:13 - proc proc rw`
fn shown(mounts: &str) -> impl Iterator<Item = String> {
    mounts.lines().filter_map(|line| {
        let (fields, kind) = line.split_once(" - ")?;
        let place = fields.split(' ').nth(4)?;
        (kind.split(' ').next() == Some("proc")).then(|| unescaped(place))
    })
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;
    use crate::sandbox::runtime::open_path;

    #[test]
    fn only_what_is_above_them() {
        let are_beneath = |path: &str| are_beneath(open_path(Path::new(path)).unwrap());
        assert!(["/", "/proc", "/proc/self", "/proc/sys"].into_iter().all(are_beneath));
        assert!(!["/usr", "/dev", "/proc/version"].into_iter().any(are_beneath));
    }

    #[test]
    fn they_are_where_the_kernel_says() {
        let mounts = "\
22 1 0:20 / / rw - ext4 /dev/vda rw
25 22 0:23 / /proc rw,nosuid shared:13 - proc proc rw
26 22 0:24 / /sys rw shared:14 master:1 - sysfs proc rw
27 22 0:23 / /a\\040jail/proc rw - proc none rw
";
        assert_eq!(shown(mounts).collect::<Vec<_>>(), ["/proc", "/a jail/proc"]);
    }
}
