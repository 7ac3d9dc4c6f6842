//! What a child does with its descriptors before it executes its program.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

/// What a child does, in order, before it executes its program.
///
/// All numbers are the child's. It starts with its standard streams and what
/// was [passed](crate::Command::pass) to it; nothing else that this process has
/// open, or that the spawn itself needs, has a number that an action could
/// name. What an action opens is the child's alone.
///
/// The first action that fails ends the spawn, with
/// [`Stage::FileAction`](crate::Stage::FileAction) and its index. What the
/// actions before it did to files is not undone.
///
/// Like `posix_spawn_file_actions_add*`, every method but those that change
/// the directory answers `EBADF` at once to a number that is
/// negative or not below the soft limit of open files, and adds nothing then. A
/// path with a NUL byte is `EINVAL`.
///
/// ```
/// use offspring_spawn::{Command, FileActions, Mode, OFlags, Program};
///
/// let sh = Program::search("sh", "/bin:/usr/bin".as_ref())?;
/// let mut actions = FileActions::new();
/// actions
///     .chdir("/")?
///     .open(5, "proc/self/status", OFlags::RDONLY, Mode::empty())?
///     .dup2(5, 0)?
///     .close(5)?;
/// let mut command = Command::new(&sh);
/// command.args(["-c", "read name _ && test $name = Name:"]);
/// let child = command.file_actions(actions).spawn()?;
/// assert!(child.wait()?.status.success());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # References
/// - [posix_spawn(3)](https://man7.org/linux/man-pages/man3/posix_spawn.3.html)
#[derive(Debug, Clone, Default)]
pub struct FileActions(Vec<Action>);

#[derive(Debug, Clone)]
pub(crate) enum Action {
    Open(Open),
    Close(RawFd),
    Dup2(RawFd, RawFd),
    Chdir(Chdir),
    Fchdir(RawFd),
    CloseFrom(RawFd),
    SetForeground(RawFd),
}

#[derive(Debug, Clone)]
pub(crate) struct Open {
    pub(crate) fd: RawFd,
    /// What the path must not lead out of, if anything.
    pub(crate) beneath: Option<Directory>,
    pub(crate) path: CString,
    pub(crate) flags: OFlags,
    pub(crate) mode: Mode,
}

/// A directory: by a descriptor of this process, or by a path of the child's.
#[derive(Debug, Clone)]
pub struct Directory(pub(crate) Place);

#[derive(Debug, Clone)]
pub(crate) enum Place {
    Held(Arc<OwnedFd>),
    Path(CString),
}

impl Directory {
    /// The directory that is at this path for the child, in its
    /// [view](crate::View) if it has one. A relative path starts at its working
    /// directory. The path must be trusted, symbolic links in it included; `..`
    /// does not lead out of a view.
    ///
    /// # Errors
    /// `EINVAL` for a path with a NUL byte.
    pub fn at(path: impl AsRef<Path>) -> Result<Directory, Errno> {
        Ok(Directory(Place::Path(c_string(path.as_ref().as_os_str())?)))
    }

    /// The path of the child's.
    pub(crate) fn path(&self) -> Option<&CStr> {
        match &self.0 {
            Place::Path(path) => Some(path),
            Place::Held(_) => None,
        }
    }

    /// The descriptor of this process.
    pub(crate) fn held(&self) -> Option<BorrowedFd<'_>> {
        match &self.0 {
            Place::Held(fd) => Some(fd.as_fd()),
            Place::Path(_) => None,
        }
    }
}

impl<T: Into<Arc<OwnedFd>>> From<T> for Directory {
    fn from(fd: T) -> Directory {
        Directory(Place::Held(fd.into()))
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Chdir {
    /// What the path must not lead out of, if anything.
    pub(crate) beneath: Option<Directory>,
    pub(crate) path: CString,
}

impl FileActions {
    /// No actions.
    pub fn new() -> FileActions {
        FileActions::default()
    }

    /// Opens a file as this number, which is closed first if it is open. A
    /// relative path starts at what is the working directory by then. Whose path
    /// this is must be trusted: `/proc/self/fd` leads to what the spawn itself
    /// needs, too. [`open_beneath`](Self::open_beneath) is for the others.
    ///
    /// With [`OFlags::CLOEXEC`] the descriptor is for later actions only. (In
    /// glibc the flag is lost unless the number happens to be the lowest free.)
    ///
    /// # Errors
    /// At a spawn, those of open(2).
    pub fn open(
        &mut self,
        fd: RawFd,
        path: impl AsRef<Path>,
        flags: OFlags,
        mode: Mode,
    ) -> Result<&mut FileActions, Errno> {
        self.add_open(fd, None, path.as_ref(), flags, mode)
    }

    /// Opens a file as this number, by a path that is resolved beneath a
    /// directory: absolute paths, `..` and symbolic links that
    /// lead out of it are refused. `O_PATH` is enough for the directory, which
    /// the child itself never has.
    ///
    /// Whoever chose the path cannot make the spawn wait, nor give the child a
    /// controlling terminal: a FIFO is opened without waiting for its other
    /// side, and what is opened then blocks as usual, unless
    /// [`OFlags::NONBLOCK`] is among the flags.
    ///
    /// # Errors
    /// At a spawn, those of openat2(2): `EXDEV` for what leads out; `ENXIO` for
    /// a FIFO that is opened for writing and that nobody reads.
    ///
    /// # References
    /// - [openat2(2)](https://man7.org/linux/man-pages/man2/openat2.2.html),
    ///   `RESOLVE_BENEATH`
    pub fn open_beneath(
        &mut self,
        fd: RawFd,
        directory: impl Into<Directory>,
        path: impl AsRef<Path>,
        flags: OFlags,
        mode: Mode,
    ) -> Result<&mut FileActions, Errno> {
        self.add_open(fd, Some(directory.into()), path.as_ref(), flags, mode)
    }

    /// Closes a descriptor. That it is not open is no error.
    ///
    /// # Errors
    /// At a spawn, `EBADF` when the number is not below the child's limit of
    /// open files.
    pub fn close(&mut self, fd: RawFd) -> Result<&mut FileActions, Errno> {
        self.add(Action::Close(check(fd)?))
    }

    /// Makes `to` another number of what `from` is. If they are the same, the
    /// descriptor stays open at exec, as every result of this does.
    ///
    /// # Errors
    /// At a spawn, `EBADF` when `from` is not open.
    pub fn dup2(&mut self, from: RawFd, to: RawFd) -> Result<&mut FileActions, Errno> {
        self.add(Action::Dup2(check(from)?, check(to)?))
    }

    /// Changes the working directory. Whose path this is must be trusted;
    /// [`chdir_beneath`](Self::chdir_beneath) is for the others.
    ///
    /// # Errors
    /// At a spawn, those of chdir(2).
    pub fn chdir(&mut self, path: impl AsRef<Path>) -> Result<&mut FileActions, Errno> {
        let path = c_string(path.as_ref().as_os_str())?;
        self.add(Action::Chdir(Chdir { beneath: None, path }))
    }

    /// Changes the working directory, by a path that is resolved beneath a
    /// directory as in [`open_beneath`](Self::open_beneath).
    ///
    /// # Errors
    /// At a spawn, those of openat2(2) and fchdir(2): `EXDEV` for what leads
    /// out.
    pub fn chdir_beneath(
        &mut self,
        directory: impl Into<Directory>,
        path: impl AsRef<Path>,
    ) -> Result<&mut FileActions, Errno> {
        let path = c_string(path.as_ref().as_os_str())?;
        self.add(Action::Chdir(Chdir { beneath: Some(directory.into()), path }))
    }

    /// Changes the working directory to what this descriptor is. Its number is
    /// not checked before a spawn.
    ///
    /// # Errors
    /// None here. At a spawn, those of fchdir(2).
    pub fn fchdir(&mut self, fd: RawFd) -> Result<&mut FileActions, Errno> {
        self.add(Action::Fchdir(fd))
    }

    /// Closes every descriptor from this number on.
    ///
    /// # Errors
    /// At a spawn, none unless `close_range` is refused: then those of reading
    /// `/proc/self/fd`.
    pub fn close_from(&mut self, fd: RawFd) -> Result<&mut FileActions, Errno> {
        self.add(Action::CloseFrom(check(fd)?))
    }

    /// Makes the child's process group the foreground group of its controlling
    /// terminal, which this descriptor is: `tcsetpgrp`.
    ///
    /// # Errors
    /// At a spawn, `ENOTTY` when that is not the controlling terminal, as for
    /// the leader of a new session that has none; `EBADF` when it is not open.
    pub fn set_foreground(&mut self, fd: RawFd) -> Result<&mut FileActions, Errno> {
        self.add(Action::SetForeground(check(fd)?))
    }

    fn add_open(
        &mut self,
        fd: RawFd,
        beneath: Option<Directory>,
        path: &Path,
        flags: OFlags,
        mode: Mode,
    ) -> Result<&mut FileActions, Errno> {
        self.add(Action::Open(Open {
            fd: check(fd)?,
            beneath,
            path: c_string(path.as_os_str())?,
            flags,
            mode,
        }))
    }

    fn add(&mut self, action: Action) -> Result<&mut FileActions, Errno> {
        self.0.push(action);
        Ok(self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Action> {
        self.0.iter()
    }
}

impl Action {
    /// The numbers that it names.
    pub(crate) fn named(&self) -> impl Iterator<Item = RawFd> {
        let (first, second) = match self {
            Action::Open(open) => (Some(open.fd), None),
            Action::Close(fd)
            | Action::Fchdir(fd)
            | Action::CloseFrom(fd)
            | Action::SetForeground(fd) => (Some(*fd), None),
            Action::Dup2(from, to) => (Some(*from), Some(*to)),
            Action::Chdir(_) => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// The descriptor of the parent's that it needs, if any.
    pub(crate) fn source(&self) -> Option<BorrowedFd<'_>> {
        let beneath = match self {
            Action::Open(open) => &open.beneath,
            Action::Chdir(chdir) => &chdir.beneath,
            Action::Close(_)
            | Action::Dup2(..)
            | Action::Fchdir(_)
            | Action::CloseFrom(_)
            | Action::SetForeground(_) => &None,
        };
        beneath.as_ref().and_then(Directory::held)
    }
}

/// Whether a descriptor could have this number.
pub(crate) fn check(fd: RawFd) -> Result<RawFd, Errno> {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    match u64::try_from(fd) {
        Ok(number) if number < limit => Ok(fd),
        Ok(_) | Err(_) => Err(Errno::BADF),
    }
}

fn c_string(text: &OsStr) -> Result<CString, Errno> {
    CString::new(text.as_bytes()).map_err(|_| Errno::INVAL)
}
