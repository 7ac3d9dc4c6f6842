//! The files of a cgroup, through the descriptor of its directory.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

use rustix::fs::{Access, AtFlags, Mode, OFlags, accessat, openat};
use rustix::io::Errno;

use super::{Cgroup, CgroupError};
use crate::window::aside;

impl Cgroup {
    /// Reads a whole file.
    pub(super) fn read(&self, file: &str) -> Result<String, CgroupError> {
        let read = || {
            let mut text = String::new();
            let mut opened = File::from(self.open_raw(file, OFlags::RDONLY)?);
            opened.read_to_string(&mut text).map_err(|error| errno_of(&error))?;
            Ok(text)
        };
        read().map_err(|errno| self.file_error(file, errno))
    }

    /// The same, with nothing where the cgroup has no such file, or it cannot
    /// be used.
    pub(super) fn read_if_any(&self, file: &str) -> Result<Option<String>, CgroupError> {
        match self.read(file) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.is_missing_file() || error.errno() == Errno::OPNOTSUPP => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a value, with one call, as these files want it.
    pub(super) fn write(&self, file: &str, value: &str) -> Result<(), CgroupError> {
        let write = || {
            let mut opened = File::from(self.open_raw(file, OFlags::WRONLY)?);
            let written = opened.write(value.as_bytes()).map_err(|error| errno_of(&error))?;
            if written == value.len() { Ok(()) } else { Err(Errno::IO) }
        };
        write().map_err(|errno| self.file_error(file, errno))
    }

    /// Opens a file to be read again and again.
    pub(super) fn open_file(&self, file: &str) -> Result<OwnedFd, CgroupError> {
        self.open_raw(file, OFlags::RDONLY)
            .and_then(aside)
            .map_err(|errno| self.file_error(file, errno))
    }

    fn open_raw(&self, file: &str, mode: OFlags) -> Result<OwnedFd, Errno> {
        openat(&*self.directory, file, mode | OFlags::CLOEXEC, Mode::empty())
    }

    pub(super) fn file_error(&self, file: &str, errno: Errno) -> CgroupError {
        // Every cgroup that exists has this file.
        let exists = || {
            let file = c"cgroup.controllers";
            accessat(&*self.directory, file, Access::EXISTS, AtFlags::empty()).is_ok()
        };
        let is_of_something = matches!(errno, Errno::NOENT | Errno::NODEV);
        CgroupError::of_file(file, errno, is_of_something && exists())
    }
}

fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

/// The values of a file whose lines are `key value`.
pub(super) fn value_of(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))?;
    line.trim().parse().ok()
}
