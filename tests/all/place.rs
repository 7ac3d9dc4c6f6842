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
    pub fn program(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        let mut child = host_sh("exec cat > \"$1\"").arg(&path).spawn().unwrap();
        child.stdin.take().unwrap().write_all(content.as_ref()).unwrap();
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

/// A dynamic program whose loader is missing: as small as one can be.
pub fn without_loader() -> Vec<u8> {
    const LOADER: &[u8] = b"/no such loader\0";
    let machine: u16 = match std::env::consts::ARCH {
        "x86_64" => 62,
        "aarch64" => 183,
        _ => 243,
    };
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    // ET_DYN, the machine, the version, no entry, and one header behind this.
    for half in [3, machine] {
        file.extend(half.to_le_bytes());
    }
    file.extend(1_u32.to_le_bytes());
    for word in [0_u64, 64, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 1, 0, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    // PT_INTERP, to be read, behind both.
    let size = LOADER.len() as u64;
    file.extend([3_u32, 4].iter().flat_map(|word| word.to_le_bytes()));
    for word in [120, 0, 0, size, size, 1] {
        file.extend(word.to_le_bytes());
    }
    file.extend(LOADER);
    file
}

/// A script that the test itself runs.
fn host_sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).env("PATH", PATH).stdin(Stdio::piped());
    command
}
