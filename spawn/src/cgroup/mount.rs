//! Where cgroups of version 2 are mounted, and where a process is in them.

use std::fs;
use std::path::{Path, PathBuf};

use super::CgroupError;

/// Where a process is among the cgroups of version 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CgroupMount {
    path: PathBuf,
    name: String,
}

impl CgroupMount {
    /// Where this process is.
    ///
    /// # Errors
    /// [`NotMounted`](super::CgroupErrorKind::NotMounted) where there is no
    /// version 2, or none that shows the cgroup that we are in.
    pub fn own() -> Result<CgroupMount, CgroupError> {
        CgroupMount::of_process("self")
    }

    /// The directory of its cgroup.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its cgroup as `/proc/self/cgroup` has it: seen from the root of our
    /// cgroup namespace.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn of_process(process: &str) -> Result<CgroupMount, CgroupError> {
        let cgroups = fs::read_to_string(format!("/proc/{process}/cgroup"));
        let mounts = fs::read_to_string("/proc/self/mountinfo");
        let (Ok(cgroups), Ok(mounts)) = (cgroups, mounts) else {
            return Err(CgroupError::not_mounted());
        };
        find(&cgroups, &mounts).ok_or_else(CgroupError::not_mounted)
    }
}

/// From the text of `/proc/PID/cgroup` and of `/proc/self/mountinfo`.
fn find(cgroups: &str, mounts: &str) -> Option<CgroupMount> {
    let name = cgroups.lines().find_map(|line| line.strip_prefix("0::"))?;
    // What was removed has a mark behind its name.
    let name = name.strip_suffix(" (deleted)").unwrap_or(name);
    // The last mount over a place is the one that is seen.
    mounts.lines().rev().find_map(|line| {
        let (fields, kind) = line.split_once(" - ")?;
        let mut fields = fields.split(' ').skip(3);
        let (root, place) = (unescaped(fields.next()?), unescaped(fields.next()?));
        let is_ours = kind.split(' ').next() == Some("cgroup2");
        let below = Path::new(name).strip_prefix(&root).ok().filter(|_| is_ours)?;
        // Empty where the process is at the mount's root: no `/` behind it.
        let path = match below.as_os_str().is_empty() {
            true => PathBuf::from(place),
            false => Path::new(&place).join(below),
        };
        Some(CgroupMount { path, name: name.to_owned() })
    })
}

/// A path of a mount table, in which some characters stand by their octal
/// number.
pub(crate) fn unescaped(path: &str) -> String {
    ["\\040 ", "\\011\t", "\\012\n", "\\134\\"]
        .iter()
        .fold(path.to_owned(), |path, pair| path.replace(&pair[..4], &pair[4..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
22 1 0:21 / / rw - ext4 /dev/vda rw
31 22 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
32 22 0:28 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";
    const CONTAINER: &str = "\
600 500 0:30 /../.. /host rw - cgroup2 cgroup rw
601 500 0:30 / /sys/fs/cgroup\\040of\\134us ro,nosuid shared:3 - cgroup2 cgroup rw,nsdelegate
";
    const PART: &str = "700 500 0:30 /a/b /mnt rw - cgroup2 cgroup2 rw\n";

    fn path(cgroups: &str, mounts: &str) -> Option<String> {
        find(cgroups, mounts).map(|mount| mount.path().display().to_string())
    }

    #[test]
    fn a_process_is_found_in_the_mount_that_shows_it() {
        let table = [
            ("9:name=systemd:/x\n0::/\n", HYBRID, Some("/sys/fs/cgroup/unified")),
            ("0::/a/b\n", HYBRID, Some("/sys/fs/cgroup/unified/a/b")),
            ("0::/a (deleted)\n", HYBRID, Some("/sys/fs/cgroup/unified/a")),
            ("0::/x y\n", CONTAINER, Some("/sys/fs/cgroup of\\us/x y")),
            ("0::/a/b/c\n", PART, Some("/mnt/c")),
            ("0::/a/b\n", PART, Some("/mnt")),
            // A neighbour whose name only begins alike, and what lies outside.
            ("0::/a/bc\n", PART, None),
            ("0::/\n", PART, None),
            // Version 1 alone.
            ("4:memory:/\n", HYBRID, None),
            ("0::/\n", "22 1 0:21 / / rw - ext4 /dev/vda rw\n", None),
            ("", "", None),
            ("0::/\n", "- cgroup2\n1 2 3 - cgroup2 x y\n", None),
        ];
        for (cgroups, mounts, expected) in table {
            assert_eq!(path(cgroups, mounts).as_deref(), expected, "{cgroups:?} in {mounts}");
        }
    }
}
