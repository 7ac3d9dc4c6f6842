//! The child's file actions.

use std::ffi::CStr;
use std::os::fd::RawFd;
use std::ptr;

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::Resource;

use super::table::{AT_FDCWD, close_all_but, duplicate, keep_open};
use super::{NO_FD, Orders, call, word};
use crate::action::{Action, Chdir, Directory, Open, Place};
use crate::error::{SpawnError, Stage};
use crate::sys::nr;

const TIOCSPGRP: usize = 0x5410;
const F_SETFL: usize = 4;
const RESOLVE_BENEATH: u64 = 0x08;

/// How often a path is resolved anew because something was renamed meanwhile.
const ATTEMPTS: usize = 64;

/// `struct open_how`
#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// Does one action. Every number that it names is the child's: what is hidden
/// has others, and is spared by what closes many.
pub(super) fn act(
    orders: &Orders<'_>,
    action: &Action,
    directory: RawFd,
    stage: Stage,
) -> Result<(), SpawnError> {
    match action {
        Action::Open(open) => open_as(open, directory, stage),
        Action::Close(fd) => close(*fd, stage),
        Action::Dup2(from, to) if from == to => keep_open(stage, *from),
        Action::Dup2(from, to) => duplicate(stage, *from, *to, OFlags::empty()),
        Action::Chdir(chdir) => change_directory(chdir, directory, stage),
        Action::Fchdir(fd) => call(stage, nr::FCHDIR, [word(*fd), 0, 0, 0, 0]).map(drop),
        Action::CloseFrom(fd) => close_all_but(orders, &orders.layout.hidden, *fd, stage),
        Action::SetForeground(fd) => {
            let group = call(stage, nr::GETPGID, [0; 5])?;
            // A `pid_t`, in the lower half on these little-endian machines.
            let args = [word(*fd), TIOCSPGRP, &raw const group as usize, 0, 0];
            call(stage, nr::IOCTL, args).map(drop)
        }
    }
}

/// Opens a directory as this number, to stay open.
pub(super) fn open_directory(path: &CStr, number: RawFd, stage: Stage) -> Result<(), SpawnError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let args = [word(AT_FDCWD), path.as_ptr() as usize, flags.bits() as usize, 0, 0];
    let opened = call(stage, nr::OPENAT, args)?;
    match i32::try_from(opened) {
        Ok(fd) if fd != number => {
            duplicate(stage, fd, number, OFlags::empty())?;
            call(stage, nr::CLOSE, [opened, 0, 0, 0, 0]).map(drop)
        }
        Ok(_) | Err(_) => keep_open(stage, number),
    }
}

/// Closes a descriptor; only a number that none can have is an error.
fn close(fd: RawFd, stage: Stage) -> Result<(), SpawnError> {
    match call(stage, nr::CLOSE, [word(fd), 0, 0, 0, 0]) {
        Err(error) if error.errno == Errno::BADF => {
            let mut limit = [0_u64; 2];
            let args = [0, Resource::Nofile as usize, 0, &raw mut limit as usize, 0];
            call(stage, nr::PRLIMIT64, args)?;
            let [soft, _] = limit;
            match word(fd) as u64 >= soft {
                true => Err(error),
                false => Ok(()),
            }
        }
        // It is closed, whatever else went wrong.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Opens a file as this number, which is made free first.
fn open_as(open: &Open, directory: RawFd, stage: Stage) -> Result<(), SpawnError> {
    let _ = call(stage, nr::CLOSE, [word(open.fd), 0, 0, 0, 0]);
    let opened = match &open.beneath {
        None => open_path(open, stage)?,
        Some(beneath) => {
            let directory = Opened::new(beneath, directory, stage)?;
            let opened = open_at_once(open, directory.0, stage);
            directory.close(beneath);
            opened?
        }
    };
    match i32::try_from(opened) {
        Ok(fd) if fd != open.fd => {
            duplicate(stage, fd, open.fd, open.flags & OFlags::CLOEXEC)?;
            call(stage, nr::CLOSE, [opened, 0, 0, 0, 0]).map(drop)
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

fn open_path(open: &Open, stage: Stage) -> Result<usize, SpawnError> {
    let path = open.path.as_ptr() as usize;
    let (flags, mode) = (open.flags.bits(), open.mode.bits());
    let args = [word(AT_FDCWD), path, flags as usize, mode as usize, 0];
    call(stage, nr::OPENAT, args)
}

/// Opens a file whose path is not trusted: nothing is waited for, and no
/// terminal becomes the controlling one.
fn open_at_once(open: &Open, directory: RawFd, stage: Stage) -> Result<usize, SpawnError> {
    // Different from openat, openat2 wants no mode where none is used.
    // One bit of O_TMPFILE is O_DIRECTORY.
    let creates = open.flags.contains(OFlags::CREATE) || open.flags.contains(OFlags::TMPFILE);
    let mode = if creates { open.mode.bits() & 0o7777 } else { 0 };
    // A path alone opens nothing that could make anybody wait.
    let is_path = open.flags.contains(OFlags::PATH);
    let at_once = if is_path { OFlags::empty() } else { OFlags::NONBLOCK | OFlags::NOCTTY };
    let how = OpenHow {
        flags: (open.flags | at_once).bits().into(),
        mode: mode.into(),
        resolve: RESOLVE_BENEATH,
    };
    let opened = resolve(&open.path, &how, directory, stage)?;
    if !is_path && !open.flags.contains(OFlags::NONBLOCK) {
        // Takes the others that it knows, and passes over the rest.
        let flags = open.flags.bits() as usize;
        call(stage, nr::FCNTL, [opened, F_SETFL, flags, 0, 0])?;
    }
    Ok(opened)
}

fn change_directory(chdir: &Chdir, directory: RawFd, stage: Stage) -> Result<(), SpawnError> {
    let Some(beneath) = &chdir.beneath else {
        let args = [chdir.path.as_ptr() as usize, 0, 0, 0, 0];
        return call(stage, nr::CHDIR, args).map(drop);
    };
    let directory = Opened::new(beneath, directory, stage)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let how = OpenHow { flags: flags.bits().into(), mode: 0, resolve: RESOLVE_BENEATH };
    let opened = resolve(&chdir.path, &how, directory.0, stage);
    directory.close(beneath);
    let opened = opened?;
    let changed = call(stage, nr::FCHDIR, [opened, 0, 0, 0, 0]);
    let _ = call(stage, nr::CLOSE, [opened, 0, 0, 0, 0]);
    changed.map(drop)
}

/// A directory for one action.
struct Opened(RawFd);

impl Opened {
    /// What the child holds of its parent's, or what is at its own path.
    fn new(beneath: &Directory, held: RawFd, stage: Stage) -> Result<Opened, SpawnError> {
        let Place::Path(path) = &beneath.0 else {
            return Ok(Opened(held));
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let args = [word(AT_FDCWD), path.as_ptr() as usize, flags.bits() as usize, 0, 0];
        let fd = call(stage, nr::OPENAT, args)?;
        Ok(Opened(i32::try_from(fd).unwrap_or(NO_FD)))
    }

    /// Gives up what was opened here, whose number may be the one that the action
    /// is about.
    fn close(&self, beneath: &Directory) {
        if matches!(beneath.0, Place::Path(_)) {
            let _ = call(Stage::Exec, nr::CLOSE, [word(self.0), 0, 0, 0, 0]);
        }
    }
}

/// Opens a path beneath a directory, again and again while something is renamed
/// that could lead out.
fn resolve(
    path: &CStr,
    how: &OpenHow,
    directory: RawFd,
    stage: Stage,
) -> Result<usize, SpawnError> {
    let path = path.as_ptr() as usize;
    let args = [word(directory), path, ptr::from_ref(how) as usize, size_of::<OpenHow>(), 0];
    let mut opened = call(stage, nr::OPENAT2, args);
    for _ in 1..ATTEMPTS {
        match opened {
            Err(error) if error.errno == Errno::AGAIN => opened = call(stage, nr::OPENAT2, args),
            Ok(_) | Err(_) => break,
        }
    }
    opened
}
