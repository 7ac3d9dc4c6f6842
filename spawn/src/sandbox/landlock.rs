//! Landlock's rule sets.
//!
//! The crate `landlock` hides behind its levels of compatibility what decides
//! here: which rights this kernel knows, and which of them a rule set handles.
//! There are three system calls, and a child makes one of them by itself.
//!
//! # Safety
//!
//! The calls take structures that live on this stack, of the sizes that are
//! given with them, and plain numbers.
//!
//! # References
//! - [landlock(7)](https://man7.org/linux/man-pages/man7/landlock.7.html)

#![expect(unsafe_code, reason = "system calls that rustix has not")]

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use linux_raw_sys::general::{__NR_landlock_add_rule, __NR_landlock_create_ruleset};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;

use crate::stdio::above_stdio;
use crate::sys;

/// What may be done with a file, or with what lies beneath a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Access {
    /// Read files and list directories.
    Read,
    /// That, and execute files. What can be read can be mapped and executed as
    /// well by a program that wants to: this right is about who starts what.
    Execute,
    /// Read, write, make, rename and remove files and directories, and ioctl
    /// for a device that is named itself. No devices can be made, and nothing
    /// can be executed.
    Write,
}

// `LANDLOCK_ACCESS_FS_*`
const EXECUTE: u64 = 1 << 0;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const REMOVE_DIR: u64 = 1 << 4;
const REMOVE_FILE: u64 = 1 << 5;
const MAKE_DIR: u64 = 1 << 7;
const MAKE_REG: u64 = 1 << 8;
const MAKE_SOCK: u64 = 1 << 9;
const MAKE_FIFO: u64 = 1 << 10;
const MAKE_BLOCK: u64 = 1 << 11;
const MAKE_SYM: u64 = 1 << 12;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

/// All rights of the first version, those to make devices among them.
const FIRST: u64 = (MAKE_SYM << 1) - 1;

const READ: u64 = READ_FILE | READ_DIR;
const WRITE: u64 = READ
    | WRITE_FILE
    | REMOVE_DIR
    | REMOVE_FILE
    | MAKE_DIR
    | MAKE_REG
    | MAKE_SOCK
    | MAKE_FIFO
    | MAKE_SYM
    | REFER
    | TRUNCATE;

// `LANDLOCK_ACCESS_NET_*`
const BIND_TCP: u64 = 1 << 0;
const CONNECT_TCP: u64 = 1 << 1;

// `LANDLOCK_SCOPE_*`
const ABSTRACT_UNIX_SOCKET: u64 = 1 << 0;
const SIGNAL: u64 = 1 << 1;

const CREATE_RULESET_VERSION: usize = 1 << 0;
const RULE_PATH_BENEATH: usize = 1;

/// `struct landlock_ruleset_attr`
#[repr(C)]
struct RulesetAttr {
    handled_access_fs: u64,
    handled_access_net: u64,
    scoped: u64,
}

/// `struct landlock_path_beneath_attr`
#[repr(C, packed)]
struct PathBeneathAttr {
    allowed_access: u64,
    parent_fd: RawFd,
}

/// What a file that is no directory can be given.
const OF_A_FILE: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;

/// What a rule set decides. All that it handles is refused but for its rules.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Handled {
    pub(super) files: bool,
    pub(super) truncate: bool,
    pub(super) device_ioctl: bool,
    pub(super) tcp: bool,
    pub(super) signals: bool,
    pub(super) abstract_sockets: bool,
}

/// A domain for one child, within that which it shares with others: it is closed to
/// them, and nothing else is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope {
    handled: Handled,
    version: u32,
}

impl Scope {
    /// With what this is of the domain that is shared.
    pub(super) fn of(handled: Handled, version: u32) -> Scope {
        let Handled { signals, abstract_sockets, .. } = handled;
        Scope { handled: Handled { signals, abstract_sockets, ..Handled::default() }, version }
    }

    pub(super) fn ruleset(self) -> Result<OwnedFd, Errno> {
        match Ruleset::new(self.handled, self.version)? {
            Some(ruleset) => Ok(ruleset.into()),
            None => Ok(Ruleset::harmless()?.into()),
        }
    }
}

impl Handled {
    fn rights(self, version: u32) -> u64 {
        let mut rights = 0;
        if self.files {
            rights |= FIRST;
            // Without it, and in the first version, nothing can be linked or
            // moved from one directory to another at all.
            if version >= 2 {
                rights |= REFER;
            }
        }
        if self.truncate {
            rights |= TRUNCATE;
        }
        if self.device_ioctl {
            rights |= IOCTL_DEV;
        }
        rights
    }
}

/// A rule set that is being made.
#[derive(Debug)]
pub(super) struct Ruleset {
    fd: OwnedFd,
    rights: u64,
}

impl Ruleset {
    /// Makes one without rules; `None` when it would handle nothing.
    pub(super) fn new(handled: Handled, version: u32) -> Result<Option<Ruleset>, Errno> {
        let rights = handled.rights(version);
        let flag = |is, bit: u64| if is { bit } else { 0 };
        let attr = RulesetAttr {
            handled_access_fs: rights,
            handled_access_net: flag(handled.tcp, BIND_TCP | CONNECT_TCP),
            scoped: flag(handled.signals, SIGNAL)
                | flag(handled.abstract_sockets, ABSTRACT_UNIX_SOCKET),
        };
        if (attr.handled_access_fs, attr.handled_access_net, attr.scoped) == (0, 0, 0) {
            return Ok(None);
        }
        Ruleset::create(&attr).map(Some)
    }

    /// One that refuses nothing but to make block devices, which nobody may in whose
    /// sandbox files are, and who may do it in none has `CAP_MKNOD`.
    fn harmless() -> Result<Ruleset, Errno> {
        Ruleset::create(&RulesetAttr {
            handled_access_fs: MAKE_BLOCK,
            handled_access_net: 0,
            scoped: 0,
        })
    }

    fn create(attr: &RulesetAttr) -> Result<Ruleset, Errno> {
        let rights = attr.handled_access_fs;
        let args = [ptr::from_ref(attr) as usize, size_of_val(attr), 0, 0, 0];
        // SAFETY: as the module says. A kernel that knows less of the
        // structure takes it as long as the rest is zero.
        let answer = unsafe { sys::call(__NR_landlock_create_ruleset as usize, args) };
        let fd = RawFd::try_from(sys::result(answer)?).map_err(|_| Errno::BADF)?;
        // SAFETY: the kernel has just made this descriptor for us.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Ruleset { fd: above_stdio(fd)?, rights })
    }

    /// Allows something for a file, or for all beneath a directory; `O_PATH` is
    /// enough.
    pub(super) fn allow(&self, fd: BorrowedFd<'_>, access: Access) -> Result<(), Errno> {
        let kind = FileType::from_raw_mode(fstat(fd)?.st_mode);
        let mut rights = match access {
            Access::Read => READ,
            Access::Execute => READ | EXECUTE,
            Access::Write => WRITE,
        };
        if access == Access::Write && kind == FileType::CharacterDevice {
            rights |= IOCTL_DEV;
        }
        if kind != FileType::Directory {
            rights &= OF_A_FILE;
        }
        rights &= self.rights;
        if rights == 0 {
            return Ok(());
        }
        let rule = PathBeneathAttr { allowed_access: rights, parent_fd: fd.as_raw_fd() };
        let args = [self.raw(), RULE_PATH_BENEATH, &raw const rule as usize, 0, 0];
        // SAFETY: as the module says; both descriptors are open.
        let answer = unsafe { sys::call(__NR_landlock_add_rule as usize, args) };
        match sys::result(answer) {
            // Not in any directory, as a pipe is, and so not Landlock's to refuse.
            Ok(_) | Err(Errno::BADFD) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    fn raw(&self) -> usize {
        self.fd.as_raw_fd().unsigned_abs() as usize
    }
}

impl From<Ruleset> for OwnedFd {
    fn from(ruleset: Ruleset) -> OwnedFd {
        ruleset.fd
    }
}

/// The version of Landlock's interface in this kernel.
pub(super) fn version() -> Result<u32, Errno> {
    let args = [0, 0, CREATE_RULESET_VERSION, 0, 0];
    // SAFETY: as the module says; the version is asked for without a structure.
    let answer = unsafe { sys::call(__NR_landlock_create_ruleset as usize, args) };
    sys::result(answer).map(|version| u32::try_from(version).unwrap_or(u32::MAX))
}

/// Whether the kernel filters system calls by these answers.
pub(super) fn has_seccomp() -> Result<(), Errno> {
    const SECCOMP_GET_ACTION_AVAIL: usize = 2;
    const SECCOMP_RET_ERRNO: u32 = 0x0005_0000;
    let action = SECCOMP_RET_ERRNO;
    let args = [SECCOMP_GET_ACTION_AVAIL, 0, &raw const action as usize, 0, 0];
    // SAFETY: as the module says; the kernel reads one word.
    let answer = unsafe { sys::call(sys::nr::SECCOMP, args) };
    sys::result(answer).map(drop)
}
