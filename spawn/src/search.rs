//! Looking for a program by its name.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;

use crate::error::{SpawnError, Stage};
use crate::executable::Executable;
use crate::program::Program;

/// What a file's name may have at most, in bytes.
const NAME_MAX: usize = 255;

impl Program {
    /// Looks for a name without `/` in a list of directories that are
    /// separated by `:`, as `$PATH` is, and opens the first regular file that
    /// may be executed: by the rules of `pidfd_spawnp`. A name with `/` is
    /// opened as it is.
    ///
    /// What is found is what a spawn executes. If that is in no format that
    /// can be executed, the spawn fails with `ENOEXEC`: no later directory is
    /// looked at, and no shell tries it.
    ///
    /// Different from `pidfd_spawnp`, empty and relative entries, which mean
    /// the current directory or a place below it, are passed over, and the
    /// list is never a default one: `/bin:/usr/bin` is what glibc takes when
    /// there is no `$PATH`. That a script's interpreter is missing is found
    /// out by the spawn, and ends no search.
    ///
    /// # Errors
    /// - `ENOENT` for an empty name, `ENAMETOOLONG` for one of more than 255
    ///   bytes.
    /// - A directory without the program, and what cannot be reached, is passed
    ///   over; any other error of open(2) ends the search.
    /// - In the end, `EACCES` when there was a file of this name that may not
    ///   be executed, or a directory that may not be searched, else that of the last directory, usually `ENOENT`.
    pub fn search(name: impl AsRef<OsStr>, directories: &OsStr) -> Result<Program, SpawnError> {
        let name = name.as_ref();
        if name.as_bytes().contains(&b'/') {
            return Program::open(name);
        }
        let found = search_in(name, directories).map(Program::from);
        found.map_err(SpawnError::at(Stage::Program))
    }
}

/// The first file of this name in these directories that may be executed.
pub(crate) fn search_in(name: &OsStr, directories: &OsStr) -> Result<Executable, Errno> {
    use Errno as E;
    if name.is_empty() {
        return Err(E::NOENT);
    }
    if name.len() > NAME_MAX {
        return Err(E::NAMETOOLONG);
    }
    let (mut last, mut forbidden) = (E::NOENT, false);
    for directory in std::env::split_paths(directories) {
        if !directory.is_absolute() {
            continue;
        }
        let path = directory.join(name);
        let executable = accessat(CWD, &path, Access::EXEC_OK, AtFlags::EACCESS);
        match executable.and_then(|()| Executable::open(&path)) {
            Ok(program) => return Ok(program),
            Err(E::ACCESS) => forbidden = true,
            Err(
                errno @ (E::NOENT | E::STALE | E::NOTDIR | E::NODEV | E::TIMEDOUT | E::NAMETOOLONG),
            ) => last = errno,
            Err(errno) => return Err(errno),
        }
    }
    Err(if forbidden { E::ACCESS } else { last })
}
