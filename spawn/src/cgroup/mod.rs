//! Control groups, version 2: directories, by descriptor.

mod controller;
mod error;
mod events;
mod file;
mod lock;
mod mount;
mod setting;
mod stat;
mod tree;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{
    AtFlags, CWD, FsWord, Mode, OFlags, RawDir, fstat, fstatfs, mkdirat, openat, unlinkat,
};
use rustix::io::Errno;

pub use controller::Controller;
pub use error::{CgroupError, CgroupErrorKind};
pub use events::{CgroupEvents, CgroupState, MemoryEvents, MemoryEventsFile};
pub use lock::CgroupLock;
pub use mount::CgroupMount;
pub(crate) use mount::unescaped;
pub use setting::{CpuMax, Device, IoMax, Limit, Setting};
pub use stat::{CpuStat, IoStat, MemoryStat, PidsStat, Pressure, Stall};

use crate::pidfd::PidFd;
use crate::window::aside;

/// What a file system of cgroups, version 2, says that it is.
pub(crate) const CGROUP2_SUPER_MAGIC: FsWord = 0x6367_7270;

/// A cgroup of version 2, by the descriptor of its directory: it never means
/// another one, and says [`CgroupErrorKind::Gone`] once it was removed.
///
/// Cheap to clone. Dropping it removes nothing.
///
/// ```no_run
/// use offspring_spawn::{Cgroup, Command, Limit, Program, Setting};
///
/// let group = Cgroup::own()?.create("build")?;
/// group.set(&Setting::PidsMax(Limit::At(64)))?;
/// let make = Program::search("make", "/bin:/usr/bin".as_ref())?;
/// let child = Command::new(&make).cgroup(&group).spawn()?;
/// child.wait()?;
/// // Whatever it left running.
/// group.kill()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
/// - [cgroups(7)](https://man7.org/linux/man-pages/man7/cgroups.7.html)
/// - [Control Group v2](https://docs.kernel.org/admin-guide/cgroup-v2.html)
#[derive(Debug, Clone)]
pub struct Cgroup {
    directory: Arc<OwnedFd>,
}

impl Cgroup {
    /// Opens the cgroup whose directory this is.
    ///
    /// # Errors
    /// [`NotFound`](CgroupErrorKind::NotFound),
    /// [`NotCgroup`](CgroupErrorKind::NotCgroup) for anything else than a
    /// directory of version 2, and those of open(2).
    pub fn open(path: impl AsRef<Path>) -> Result<Cgroup, CgroupError> {
        let directory = open_directory(CWD, path.as_ref())
            .map_err(|errno| CgroupError::of_name(path.as_ref().to_string_lossy(), errno))?;
        Cgroup::from_directory(directory)
    }

    /// Takes the descriptor of a cgroup's directory; `O_PATH` is enough.
    ///
    /// # Errors
    /// [`NotCgroup`](CgroupErrorKind::NotCgroup) for anything else.
    pub fn from_directory(directory: OwnedFd) -> Result<Cgroup, CgroupError> {
        let check = || match fstatfs(&directory)?.f_type == CGROUP2_SUPER_MAGIC {
            true => aside(directory),
            false => Err(Errno::BADF),
        };
        let directory = check().map_err(|errno| CgroupError::of_name("the directory", errno))?;
        Ok(Cgroup { directory: Arc::new(directory) })
    }

    /// The cgroup that this process is in.
    ///
    /// # Errors
    /// [`NotMounted`](CgroupErrorKind::NotMounted) where there is no version 2,
    /// or none that shows it.
    pub fn own() -> Result<Cgroup, CgroupError> {
        CgroupMount::of_process("self").and_then(|mount| Cgroup::open(mount.path()))
    }

    /// The cgroup that a process is in at this moment.
    ///
    /// # Errors
    /// Those of [`Cgroup::own`], and [`NotFound`](CgroupErrorKind::NotFound)
    /// when the process was waited for.
    pub fn of(process: &PidFd) -> Result<Cgroup, CgroupError> {
        let pid = process.getpid().map_err(|errno| CgroupError::of_name("the process", errno))?;
        let mount = CgroupMount::of_process(&pid.to_string())?;
        // Its number may have been given to another process meanwhile.
        process.getpid().map_err(|errno| CgroupError::of_name("the process", errno))?;
        Cgroup::open(mount.path())
    }

    /// Makes a cgroup beneath this one.
    ///
    /// # Errors
    /// - [`Exists`](CgroupErrorKind::Exists).
    /// - [`NotDelegated`](CgroupErrorKind::NotDelegated): we may not.
    /// - [`LimitReached`](CgroupErrorKind::LimitReached): `cgroup.max.depth` or
    ///   `cgroup.max.descendants` of this one or of one above it.
    /// - [`InvalidValue`](CgroupErrorKind::InvalidValue): no name of a file.
    pub fn create(&self, name: &str) -> Result<Cgroup, CgroupError> {
        check_name(name)?;
        mkdirat(&*self.directory, name, Mode::from(0o755)).map_err(|errno| match errno {
            // Not the new one is missing, but this one.
            Errno::NOENT => CgroupError::of_name(name, Errno::NODEV),
            errno => CgroupError::of_name(name, errno),
        })?;
        self.child(name)
    }

    /// Opens a cgroup directly beneath this one.
    ///
    /// # Errors
    /// [`NotFound`](CgroupErrorKind::NotFound).
    pub fn child(&self, name: &str) -> Result<Cgroup, CgroupError> {
        check_name(name)?;
        let directory = open_directory(&*self.directory, Path::new(name))
            .map_err(|errno| CgroupError::of_name(name, errno))?;
        Cgroup::from_directory(directory)
    }

    /// The names of the cgroups directly beneath this one, sorted.
    ///
    /// # Errors
    /// [`NotDelegated`](CgroupErrorKind::NotDelegated),
    /// [`Gone`](CgroupErrorKind::Gone).
    pub fn children(&self) -> Result<Vec<String>, CgroupError> {
        let mut names = self.list().map_err(|errno| CgroupError::of_name(".", errno))?;
        names.sort_unstable();
        Ok(names)
    }

    /// Removes a cgroup directly beneath this one, which has no process and no
    /// cgroup in it. Zombies do not count.
    ///
    /// # Errors
    /// [`Busy`](CgroupErrorKind::Busy), [`NotFound`](CgroupErrorKind::NotFound),
    /// [`NotDelegated`](CgroupErrorKind::NotDelegated).
    pub fn remove_child(&self, name: &str) -> Result<(), CgroupError> {
        check_name(name)?;
        unlinkat(&*self.directory, name, AtFlags::REMOVEDIR)
            .map_err(|errno| CgroupError::of_name(name, errno))
    }

    /// The kernel's number of this cgroup, which is never used again as long
    /// as the machine is up. [`ProcessInfo`](crate::ProcessInfo) has it of a
    /// process.
    ///
    /// # Errors
    /// Those of fstat(2), though none is expected.
    pub fn id(&self) -> Result<u64, CgroupError> {
        let stat = fstat(&*self.directory).map_err(|errno| CgroupError::of_name(".", errno))?;
        Ok(stat.st_ino)
    }

    /// Whether this is the root of all cgroups of the machine, for which many
    /// rules do not hold.
    pub fn is_root(&self) -> bool {
        // Seen from within a namespace every root is called `/`, but only the
        // real one has no type.
        matches!(self.read("cgroup.type"), Err(error) if error.is_missing_file())
    }

    /// Whether no process can be in it, because one above it is threaded: it was
    /// made so, or has processes and has enabled controllers such as `cpu` for
    /// those beneath it. A spawn into it is
    /// [`InvalidDomain`](CgroupErrorKind::InvalidDomain).
    ///
    /// # Errors
    /// [`Gone`](CgroupErrorKind::Gone).
    pub fn is_invalid_domain(&self) -> Result<bool, CgroupError> {
        let kind = self.read_if_any("cgroup.type")?;
        Ok(kind.is_some_and(|kind| kind.trim() == "domain invalid"))
    }

    fn list(&self) -> Result<Vec<String>, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let readable = openat(&*self.directory, c".", flags, Mode::empty())?;
        let mut buffer = Vec::with_capacity(8192);
        let mut entries = RawDir::new(readable, buffer.spare_capacity_mut());
        let mut names = Vec::new();
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy();
            if entry.file_type().is_dir() && name != "." && name != ".." {
                names.push(name.into_owned());
            }
        }
        Ok(names)
    }
}

impl AsFd for Cgroup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

/// For [`Command::cgroup`](crate::Command::cgroup).
impl From<&Cgroup> for Arc<OwnedFd> {
    fn from(cgroup: &Cgroup) -> Arc<OwnedFd> {
        Arc::clone(&cgroup.directory)
    }
}

fn open_directory(at: impl AsFd, path: &Path) -> Result<OwnedFd, Errno> {
    openat(at, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// A name is one component, and so leads nowhere else.
fn check_name(name: &str) -> Result<(), CgroupError> {
    match matches!(name, "" | "." | "..") || name.contains(['/', '\0', '\n']) {
        true => Err(CgroupError::of_name(name, Errno::INVAL)),
        false => Ok(()),
    }
}
