//! A file that is executed by descriptor.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{
    Access, AtFlags, CWD, FileType, MemfdFlags, Mode, OFlags, SealFlags, Stat, accessat,
    fcntl_add_seals, fstat, memfd_create, open,
};
use rustix::io::Errno;

use crate::script::HEAD;
use crate::stdio::above_stdio;

/// A file, as it was opened; with a copy of it, if it was sealed.
#[derive(Debug, Clone)]
pub(crate) struct Executable {
    /// `O_PATH`, and at least 3.
    source: Arc<OwnedFd>,
    sealed: Option<Arc<OwnedFd>>,
    path: PathBuf,
    name: CString,
    written: Written,
    /// How it begins, if it is a script.
    script: Option<Vec<u8>>,
}

/// What changes when a file is written to: its size, and when that was last done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Written {
    size: i64,
    second: i64,
    nanosecond: u64,
}

impl Executable {
    pub(crate) fn open(path: &Path) -> Result<Executable, Errno> {
        let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::INVAL)?;
        let fd = open(name.as_c_str(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
            .and_then(above_stdio)?;
        let stat = fstat(&fd)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Errno::ACCESS);
        }
        let mut opened = Executable {
            source: Arc::new(fd),
            sealed: None,
            path: path.to_owned(),
            name,
            written: Written::of(&stat),
            script: None,
        };
        // What cannot be read cannot be interpreted either.
        opened.script = opened.read().ok().and_then(|file| script(file).ok().flatten());
        Ok(opened)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn name(&self) -> &CString {
        &self.name
    }

    /// How it begins, if it is a script.
    pub(crate) fn script(&self) -> Option<&[u8]> {
        self.script.as_deref()
    }

    /// What was opened, which is executed only if it was not sealed.
    pub(crate) fn source(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }

    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed.is_some()
    }

    /// Whether what runs is what was there when it was opened, as far as its size and
    /// its time of modification tell.
    pub(crate) fn is_as_opened(&self) -> Result<bool, Errno> {
        Ok(self.is_sealed() || Written::of(&fstat(&self.source)?) == self.written)
    }

    pub(crate) fn check_executable(&self) -> Result<(), Errno> {
        // By path: faccessat2 with AT_EMPTY_PATH is younger than our floor,
        // and this is advice for people, not a check that anything relies on.
        accessat(CWD, self.name.as_c_str(), Access::EXEC_OK, AtFlags::EACCESS)
    }

    /// Opens what is executed, to read it.
    pub(crate) fn read(&self) -> Result<File, Errno> {
        if let Some(sealed) = &self.sealed {
            let mut file = File::from(sealed.try_clone().map_err(|error| errno(&error))?);
            file.rewind().map_err(|error| errno(&error))?;
            return Ok(file);
        }
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = open(self.name.as_c_str(), flags, Mode::empty())?;
        let (opened, read) = (fstat(&self.source)?, fstat(&file)?);
        // Another file has its path now.
        match (opened.st_dev, opened.st_ino) == (read.st_dev, read.st_ino) {
            true => Ok(File::from(file)),
            false => Err(Errno::STALE),
        }
    }

    /// The same with a copy in memory that nothing can change any more.
    pub(crate) fn seal(&self) -> Result<Executable, Errno> {
        let mut file = self.read()?;
        let create = |flags| memfd_create(self.path.file_name().unwrap_or_default(), flags);
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Where the system makes memory not executable unless it is told to.
        let copy = match create(flags | MemfdFlags::EXEC) {
            Err(Errno::INVAL) => create(flags),
            made => made,
        }?;
        let mut copy = File::from(above_stdio(copy)?);
        io::copy(&mut file, &mut copy).map_err(|error| errno(&error))?;
        copy.flush().map_err(|error| errno(&error))?;
        let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
        fcntl_add_seals(&copy, seals)?;
        copy.rewind().map_err(|error| errno(&error))?;
        let script = script(&copy).map_err(|error| errno(&error))?;
        Ok(Executable { sealed: Some(Arc::new(copy.into())), script, ..self.clone() })
    }
}

impl Written {
    #[allow(clippy::useless_conversion, reason = "the types differ between architectures")]
    fn of(stat: &Stat) -> Written {
        Written {
            size: stat.st_size,
            second: stat.st_mtime.into(),
            nanosecond: stat.st_mtime_nsec.into(),
        }
    }
}

impl AsFd for Executable {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.sealed.as_ref().unwrap_or(&self.source).as_fd()
    }
}

/// How a file begins, if that is with `#!`.
fn script(file: impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    file.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head.starts_with(b"#!").then_some(head))
}

pub(crate) fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}
