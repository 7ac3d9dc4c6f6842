//! The directories of the host that a guest holds from the start.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use offspring_spawn::Errno;
use rustix::fs::{CWD, Mode, OFlags, openat};
use wasmtime_wasi::FsPerms;

/// One of them, opened when the context is built.
#[derive(Debug, Clone)]
#[allow(dead_code, reason = "what children may reach is decided by these")]
pub(crate) struct Preopen {
    /// The directory, as `O_PATH`.
    pub(crate) dir: Arc<OwnedFd>,
    /// Its path on the host, absolute and without symbolic links, when it was
    /// opened.
    pub(crate) host: PathBuf,
    /// Its path for the guest, as the host gave it: `/src`, `.`.
    pub(crate) guest: String,
    /// What the guest may do beneath it.
    pub(crate) perms: FsPerms,
}

impl Preopen {
    pub(crate) fn open(path: &Path, guest: &str, perms: FsPerms) -> Result<Preopen, Errno> {
        let host = path.canonicalize();
        let host = host.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::NOENT))?;
        Ok(Preopen { dir: Arc::new(open_directory(&host)?), host, guest: guest.to_owned(), perms })
    }

    /// Whether it is where the guest starts: WASI has no working directory, and
    /// libraries of guests resolve relative paths from here.
    pub(crate) fn is_initial(&self) -> bool {
        matches!(&*self.guest, "/" | ".")
    }
}

pub(crate) fn open_directory(path: &Path) -> Result<OwnedFd, Errno> {
    openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}
