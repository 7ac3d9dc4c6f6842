//! Directories for tests, and files in them.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::run::PATH;

/// A directory that is removed with all that is in it.
#[derive(Debug)]
pub struct Place(PathBuf);

impl Place {
    /// Makes an empty directory.
    pub fn new() -> Place {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("offspring-tests-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Place(fs::canonicalize(path).unwrap())
    }

    pub fn root(&self) -> &Path {
        &self.0
    }

    /// A path in this directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file that may be executed, through a child: were it open for
    /// writing here, another test's child could hold it open, and executing it
    /// would fail.
    pub fn program(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        let mut child = host_sh("exec cat > \"$1\"").arg(&path).spawn().unwrap();
        child.stdin.take().unwrap().write_all(content.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// A copy of the shell, made by a child for the same reason.
    pub fn shell(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        let mut copy = host_sh("cp -L \"$(command -v sh)\" \"$1\"");
        assert!(copy.arg(&path).status().unwrap().success());
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A script that the test itself runs.
fn host_sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).env("PATH", PATH).stdin(Stdio::piped());
    command
}
