//! What a child does with its descriptors before it executes its program.

use crate::bindings::file_actions as host;
use crate::error::from_host;
use crate::{ErrorCode, fs};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// What a child does, in order, before it executes its program.
///
/// All numbers are the child's. It starts with its standard streams, 0 to 2,
/// and what was [passed](crate::Command::pass) to it. The first action that
/// fails ends the spawn, with [`Stage::FileAction`](crate::Stage::FileAction)
/// and its index.
///
/// ```no_run
/// # use offspring_guest::{Command, FileActions, OpenOptions};
/// # fn main() -> std::io::Result<()> {
/// // What a shell calls `make >>/logs/make 2>&1`.
/// let mut actions = FileActions::new();
/// actions.open(1, "/logs/make", OpenOptions::new().append(true).create(true))?;
/// actions.dup2(1, 2)?;
/// Command::new("make").file_actions(&actions).status()?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Every method that takes a number answers `EBADF`
/// ([`ErrorCode::BadDescriptor`]) when it is not below the host's limit of open
/// files; and every method `QuotaExceeded` when there are too many.
#[derive(Debug)]
#[doc(alias = "posix_spawn_file_actions_t")]
pub struct FileActions(Arc<host::FileActions>);

/// How an action opens a file, in the words of [`std::fs::OpenOptions`].
#[derive(Clone, Copy, Debug)]
pub struct OpenOptions {
    read: bool,
    write: bool,
    flags: host::OpenFlags,
    mode: u32,
}

impl FileActions {
    /// No actions.
    pub fn new() -> Self {
        Self(Arc::new(host::FileActions::new()))
    }

    /// Opens a file beneath a directory that the component has, as this
    /// number, which is closed first if it is open.
    ///
    /// # Errors
    ///
    /// - `PermissionDenied`: the component may only read there.
    /// - `NotFound`: no directory given to the component holds the path.
    #[doc(alias = "posix_spawn_file_actions_addopen")]
    pub fn open(
        &mut self,
        fd: u32,
        path: impl AsRef<Path>,
        options: &OpenOptions,
    ) -> io::Result<&mut Self> {
        let (directory, rest) = resolve(path.as_ref())?;
        let access = match (options.read, options.write) {
            (true, true) => host::Access::ReadWrite,
            (false, true) => host::Access::Write,
            (_, false) => host::Access::Read,
        };
        self.0
            .open(fd, directory, &rest, access, options.flags, options.mode)
            .map_err(from_host)?;
        Ok(self)
    }

    /// Closes a descriptor. That it is not open is no error.
    #[doc(alias = "posix_spawn_file_actions_addclose")]
    pub fn close(&mut self, fd: u32) -> io::Result<&mut Self> {
        self.0.close(fd).map_err(from_host)?;
        Ok(self)
    }

    /// Makes `to` another number of what `from` is. If they are the same, the
    /// descriptor stays open at exec.
    #[doc(alias = "posix_spawn_file_actions_adddup2")]
    pub fn dup2(&mut self, from: u32, to: u32) -> io::Result<&mut Self> {
        self.0.dup2(from, to).map_err(from_host)?;
        Ok(self)
    }

    /// Changes the working directory to one that the component has, or one
    /// beneath it.
    #[doc(alias = "posix_spawn_file_actions_addchdir")]
    pub fn chdir(&mut self, path: impl AsRef<Path>) -> io::Result<&mut Self> {
        let (directory, rest) = resolve(path.as_ref())?;
        self.0.chdir(directory, &rest).map_err(from_host)?;
        Ok(self)
    }

    /// Changes the working directory to what a descriptor is.
    #[doc(alias = "posix_spawn_file_actions_addfchdir")]
    pub fn fchdir(&mut self, fd: u32) -> io::Result<&mut Self> {
        self.0.fchdir(fd).map_err(from_host)?;
        Ok(self)
    }

    /// Closes every descriptor from this number on.
    #[doc(alias = "posix_spawn_file_actions_addclosefrom_np")]
    pub fn close_from(&mut self, fd: u32) -> io::Result<&mut Self> {
        self.0.closefrom(fd).map_err(from_host)?;
        Ok(self)
    }

    /// Makes the child's process group the foreground group of its controlling
    /// terminal, which this descriptor is. The host's own terminal is never
    /// given away.
    #[doc(alias = "posix_spawn_file_actions_addtcsetpgrp_np")]
    pub fn set_foreground(&mut self, fd: u32) -> io::Result<&mut Self> {
        self.0.tcsetpgrp(fd).map_err(from_host)?;
        Ok(self)
    }

    pub(crate) fn share(&self) -> Arc<host::FileActions> {
        Arc::clone(&self.0)
    }
}

impl Default for FileActions {
    fn default() -> Self {
        Self::new()
    }
}

fn resolve(path: &Path) -> io::Result<(&'static wasip2::filesystem::types::Descriptor, String)> {
    fs::resolve(path).map_err(|(code, message)| io::Error::new(ErrorCode::kind(&code), message))
}

impl OpenOptions {
    /// For reading, unless something else is said; a file that is made has the
    /// permissions 0666 but for the umask.
    pub fn new() -> Self {
        Self { read: false, write: false, flags: host::OpenFlags::empty(), mode: 0o666 }
    }

    /// For reading.
    pub fn read(&mut self, yes: bool) -> &mut Self {
        self.read = yes;
        self
    }

    /// For writing.
    pub fn write(&mut self, yes: bool) -> &mut Self {
        self.write = yes;
        self
    }

    /// For writing at the end.
    pub fn append(&mut self, yes: bool) -> &mut Self {
        self.write |= yes;
        self.set(host::OpenFlags::APPEND, yes)
    }

    /// Empties the file.
    pub fn truncate(&mut self, yes: bool) -> &mut Self {
        self.set(host::OpenFlags::TRUNCATE, yes)
    }

    /// Makes the file if it does not exist.
    pub fn create(&mut self, yes: bool) -> &mut Self {
        self.set(host::OpenFlags::CREATE, yes)
    }

    /// Makes the file, and fails if it exists.
    pub fn create_new(&mut self, yes: bool) -> &mut Self {
        self.set(host::OpenFlags::CREATE | host::OpenFlags::EXCLUSIVE, yes)
    }

    /// Fails if it is no directory.
    pub fn directory(&mut self, yes: bool) -> &mut Self {
        self.set(host::OpenFlags::DIRECTORY, yes)
    }

    /// Fails if it is a symbolic link.
    pub fn no_follow(&mut self, yes: bool) -> &mut Self {
        self.set(host::OpenFlags::NO_FOLLOW, yes)
    }

    /// For later actions only: closed when the program is executed.
    #[doc(alias = "O_CLOEXEC")]
    pub fn close_on_exec(&mut self, yes: bool) -> &mut Self {
        self.set(host::OpenFlags::CLOSE_ON_EXEC, yes)
    }

    /// The permissions of a file that is made.
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        self.mode = mode;
        self
    }

    fn set(&mut self, flags: host::OpenFlags, yes: bool) -> &mut Self {
        if yes {
            self.flags |= flags;
        } else {
            self.flags &= !flags;
        }
        self
    }
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self::new()
    }
}
