//! What else the kernel executes to execute a program: the interpreter that a
//! script names in its first line, the loader that a dynamic program names in
//! its headers.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, fstat, open};
use rustix::io::Errno;

use crate::error::{SpawnError, Stage};
use crate::program::Program;
use crate::script::{self, HEAD, NESTED_MAX};

/// How many files there can be behind one: interpreters, and a loader.
const DEPTH: usize = NESTED_MAX + 1;

/// Opens, as `O_PATH`, everything that the kernel executes to execute this program.
/// What cannot be read, or is not there, has none: then a spawn says so.
pub(super) fn interpreters(program: File) -> Vec<OwnedFd> {
    let mut found = Vec::new();
    let mut next = named(&program);
    while let (Some(path), true) = (next, found.len() < DEPTH) {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let Ok(fd) = open(&path, flags, Mode::empty()) else { break };
        next = same(&fd, &path).as_ref().and_then(named);
        found.push(fd);
    }
    found
}

/// Opens a path to read, if that is still what was opened.
pub(super) fn same(opened: impl AsFd, path: &Path) -> Option<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = open(path, flags, Mode::empty()).ok()?;
    let (one, other) = (fstat(&opened).ok()?, fstat(&file).ok()?);
    ((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)).then(|| File::from(file))
}

/// The path that a program names.
fn named(file: &File) -> Option<PathBuf> {
    let mut start = [0; HEAD];
    let length = read_at(file, &mut start, 0).ok()?;
    let start = start.get(..length)?;
    let name = match script::interpreter(start) {
        Some(name) => name.to_vec(),
        None => loader(start, |buffer, offset| read_at(file, buffer, offset))?,
    };
    Some(PathBuf::from(OsString::from_vec(name)))
}

impl Program {
    /// The dynamic loader that the kernel executes to execute this program, or the
    /// last interpreter of it that is pinned, by the path that stands in there;
    /// `None` for what has none, as scripts whose interpreter is not pinned. The
    /// kernel looks for it at every spawn.
    ///
    /// # Errors
    /// Those of open(2) and read(2), and `ESTALE` when another file has the path of
    /// the program now.
    pub fn loader(&self) -> Result<Option<PathBuf>, SpawnError> {
        let Some(file) = self.files().last() else { return Ok(None) };
        if file.script().is_some() {
            return Ok(None);
        }
        let file = file.read().map_err(SpawnError::at(Stage::Program))?;
        Ok(named(&file))
    }
}

fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
    file.read_at(buffer, offset).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

const PT_INTERP: u32 = 3;

/// The longest path that a header is believed to have.
const PATH_MAX: usize = 4096;

/// The loader in the headers of an ELF file of 64 bits, little-endian.
fn loader(start: &[u8], read: impl Fn(&mut [u8], u64) -> Result<usize, Errno>) -> Option<Vec<u8>> {
    if start.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let table = u64::from_le_bytes(*start.get(32..)?.first_chunk()?);
    let size = u16::from_le_bytes(*start.get(54..)?.first_chunk()?);
    let count = u16::from_le_bytes(*start.get(56..)?.first_chunk()?);
    for index in 0..count {
        let mut header = [0; 56];
        let offset = table.checked_add(u64::from(index) * u64::from(size))?;
        if read(&mut header, offset).ok()? != header.len() {
            return None;
        }
        if u32::from_le_bytes(*header.first_chunk()?) != PT_INTERP {
            continue;
        }
        let offset = u64::from_le_bytes(*header[8..].first_chunk()?);
        let length = u64::from_le_bytes(*header[32..].first_chunk()?);
        let length = usize::try_from(length).ok().filter(|length| *length <= PATH_MAX)?;
        let mut name = vec![0; length];
        if read(&mut name, offset).ok()? != length {
            return None;
        }
        return Some(name.split(|byte| *byte == 0).next().unwrap_or_default().to_vec());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_are_cut_short_or_lie() {
        let whole = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let whole = &whole[..4096];
        let read_of = |file: Vec<u8>| {
            move |buffer: &mut [u8], offset: u64| {
                let rest = file.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
                let length = rest.len().min(buffer.len());
                buffer[..length].copy_from_slice(&rest[..length]);
                Ok(length)
            }
        };
        let found = loader(&whole[..HEAD], read_of(whole.to_vec())).unwrap();
        assert!(found.starts_with(b"/") && !found.contains(&0), "{found:?}");
        for length in 0..HEAD {
            let cut = whole[..length].to_vec();
            assert_eq!(loader(&cut.clone(), read_of(cut)), None, "{length}");
        }
        // A table at the end of all numbers.
        let mut lies = whole.to_vec();
        lies[32..40].fill(0xff);
        let read = |_: &mut [u8], _| Ok(0);
        assert_eq!(loader(&lies[..HEAD], read), None);
    }

    #[test]
    fn a_script_and_its_interpreter_and_its_loader() {
        let path = std::env::temp_dir().join(format!("interpreter.{}", std::process::id()));
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        let script = File::open(&path).unwrap();
        let found = interpreters(same(&script, &path).unwrap());
        let shell = std::fs::metadata("/bin/sh").unwrap();
        let inode = |fd: &OwnedFd| fstat(fd).unwrap().st_ino;
        use std::os::unix::fs::MetadataExt;
        assert_eq!(found.first().map(inode), Some(shell.ino()));
        // The path has something else now, which is not looked at.
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "#!/bin/cat\n").unwrap();
        assert!(same(&script, &path).is_none());
        std::fs::remove_file(&path).unwrap();
    }
}
