//! Directories for tests, and files in them.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use offspring_spawn::{Command, Program, Stdio};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};

/// A directory that is removed with all that is in it.
#[derive(Debug)]
pub struct Place(PathBuf);

impl Place {
    /// Makes an empty directory.
    pub fn new() -> Place {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("offspring-spawn-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Place(path)
    }

    /// A path in this directory.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// Writes a file with this mode, through a child: were it open for writing
    /// here, another test's child could hold it open, and executing it would
    /// fail.
    pub fn file(&self, name: &str, mode: u32, content: &str) -> PathBuf {
        let path = self.path(name);
        let mut child =
            super::sh("exec cat > \"$0\"").arg(&path).stdin(Stdio::Piped).spawn().unwrap();
        super::write(child.stdin.take(), content);
        assert!(child.wait().unwrap().status.success());
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// A script, opened.
    pub fn script(&self, name: &str, content: &str) -> Program {
        Program::open(self.file(name, 0o755, content)).unwrap()
    }

    /// A copy of a program, made by a child for the same reason.
    pub fn copy_of(&self, program: &str, name: &str) -> PathBuf {
        let path = self.path(name);
        let from = super::program(program);
        let arguments = [OsStr::new("-L"), from.path().as_os_str(), path.as_os_str()];
        let copy = Command::new(&super::program("cp")).args(arguments).spawn();
        assert!(copy.unwrap().wait().unwrap().status.success());
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A directory as a descriptor that can be used for nothing but its place.
pub fn directory(path: &Path) -> OwnedFd {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty()).unwrap()
}

/// A descriptor that a child would inherit, with at least this number.
pub fn inheritable(number: i32) -> OwnedFd {
    let flags = OFlags::RDONLY;
    let fd = openat(CWD, "/dev/null", flags, Mode::empty()).unwrap();
    let fd = fcntl_dupfd_cloexec(fd, number).unwrap();
    fcntl_setfd(&fd, FdFlags::empty()).unwrap();
    fd
}
