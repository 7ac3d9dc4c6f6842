//! Cgroups for tests, version 2.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process;
use std::thread::yield_now;

use super::isolation::skip;
use super::place::directory;

/// A cgroup below our own, removed with all that is in it.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
    /// Its name in a `/proc/self/cgroup`.
    pub name: String,
}

impl Cgroup {
    /// Makes an empty one; if that is not allowed, the test is skipped. Tests
    /// of the same name must not run at once, so the name is the test's.
    pub fn new(test: &str) -> Option<Cgroup> {
        match Cgroup::try_new(test) {
            Ok(cgroup) => Some(cgroup),
            Err(error) => {
                skip(test, format_args!("cannot make a cgroup (version 2): {error}"));
                None
            }
        }
    }

    fn try_new(test: &str) -> io::Result<Cgroup> {
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let mut mounts = mounts.lines().map(|line| line.split(' '));
        let root = mounts.find_map(|mut fields| {
            let mount = fields.nth(1)?;
            (fields.next()? == "cgroup2").then_some(mount)
        });
        let root = root.ok_or(io::Error::other("none is mounted"))?;
        let ours = fs::read_to_string("/proc/self/cgroup")?;
        let ours = ours.lines().find_map(|line| line.strip_prefix("0::"));
        let ours = ours.ok_or(io::Error::other("we are in none"))?;
        let name = Path::new(ours).join(format!("offspring-{test}-{}", process::id()));
        let path = Path::new(root).join(name.strip_prefix("/").unwrap_or(&name));
        fs::create_dir(&path)?;
        Ok(Cgroup { path, name: name.display().to_string() })
    }

    /// A file of the group.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The group as a descriptor.
    pub fn directory(&self) -> OwnedFd {
        directory(&self.path)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::write(self.file("cgroup.kill"), "1");
        let _ = fs::write(self.file("cgroup.freeze"), "0");
        // Busy until the last process in it is gone.
        while let Err(error) = fs::remove_dir(&self.path) {
            if error.kind() != io::ErrorKind::ResourceBusy {
                break;
            }
            yield_now();
        }
    }
}
