//! Programs, by descriptor: what was opened is what runs.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Access, AtFlags, CWD, FileType, Mode, OFlags, Stat, accessat, fstat, open};
use rustix::io::Errno;

use crate::error::{SpawnError, Stage};
use crate::stdio::above_stdio;

/// A program that was opened once and is executed by its descriptor, so that
/// replacing, renaming or relinking the path afterwards changes nothing.
///
/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Program(Arc<Opened>);

#[derive(Debug)]
struct Opened {
    /// At least 3.
    fd: OwnedFd,
    path: PathBuf,
    name: CString,
    script: bool,
}

impl Program {
    /// Opens a program. Symbolic links are followed now and never again.
    ///
    /// A script, whose first two bytes are `#!`, is given to its interpreter
    /// as `/dev/fd/3`, because that is what was opened; when 3 is passed or named
    /// by a file action, as the next number that is not.
    ///
    /// # Errors
    /// Those of open(2), and at stage [`Stage::Program`] `EACCES` for what is
    /// not a regular file, as execve(2) has it. Whether the file may be
    /// executed, and has a format that can be, is found out by a spawn.
    pub fn open(path: impl AsRef<Path>) -> Result<Program, SpawnError> {
        Program::open_path(path.as_ref()).map_err(SpawnError::at(Stage::Program))
    }

    pub(crate) fn open_path(path: &Path) -> Result<Program, Errno> {
        let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::INVAL)?;
        let fd = open(name.as_c_str(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
            .and_then(above_stdio)?;
        let stat = fstat(&fd)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Errno::ACCESS);
        }
        let script = is_script(&name, &stat);
        Ok(Program(Arc::new(Opened { fd, path: path.to_owned(), name, script })))
    }

    /// The path that was opened.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Whether the program is a script that another program interprets.
    pub fn is_script(&self) -> bool {
        self.0.script
    }

    /// Whether the file may be executed with our rights, as far as its
    /// permissions say.
    ///
    /// # Errors
    /// `EACCES` when it may not.
    pub fn check_executable(&self) -> Result<(), Errno> {
        // By path: faccessat2 with AT_EMPTY_PATH is younger than our floor,
        // and this is advice for people, not a check that anything relies on.
        accessat(CWD, self.0.name.as_c_str(), Access::EXEC_OK, AtFlags::EACCESS)
    }

    pub(crate) fn name(&self) -> CString {
        self.0.name.clone()
    }
}

impl AsFd for Program {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.fd.as_fd()
    }
}

/// Whether the file at this path is still the one that was opened, and starts
/// with `#!`. What cannot be read cannot be interpreted either.
fn is_script(name: &CString, opened: &Stat) -> bool {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let Ok(file) = open(name.as_c_str(), flags, Mode::empty()) else {
        return false;
    };
    let same =
        fstat(&file).is_ok_and(|stat| (stat.st_dev, stat.st_ino) == (opened.st_dev, opened.st_ino));
    let mut start = [0; 2];
    same && rustix::io::read(&file, &mut start) == Ok(2) && &start == b"#!"
}
