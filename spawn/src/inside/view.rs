//! A file system of the child's own, put together of parts of ours.

use std::ffi::CStr;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::table::AT_FDCWD;
use super::{call, word};
use crate::error::{SpawnError, Stage};
use crate::sys::nr;
use crate::view::{
    Inode, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY, Mount, Step,
    Steps,
};

const AT_EMPTY_PATH: usize = 0x1000;
pub(super) const AT_RECURSIVE: usize = 0x8000;
const OPEN_TREE_CLONE: usize = 1;
const CLOEXEC: usize = OFlags::CLOEXEC.bits() as usize;
const MOVE_MOUNT_F_EMPTY_PATH: usize = 4;
const FSOPEN_CLOEXEC: usize = 1;
const FSMOUNT_CLOEXEC: usize = 1;
const FSCONFIG_SET_STRING: usize = 1;
const FSCONFIG_CMD_CREATE: usize = 6;
const MS_PRIVATE: u64 = 1 << 18;
const MNT_DETACH: usize = 2;
const STATX_INO: usize = 0x100;
const S_IFREG: usize = 0o100_000;

/// `struct mount_attr`
#[repr(C)]
#[derive(Default)]
pub(super) struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

impl MountAttr {
    pub(super) fn private() -> MountAttr {
        MountAttr { propagation: MS_PRIVATE, ..MountAttr::default() }
    }
}

/// `struct statx`, 256 bytes, of which two fields matter here.
#[repr(C)]
struct Statx {
    before: [u64; 4],
    inode: u64,
    between: [u64; 12],
    device: [u32; 2],
    rest: [u64; 14],
}

const _: () = assert!(size_of::<Statx>() == 256);

/// Makes a view the root, and takes all else out of reach.
pub(super) fn assemble(view: &Steps, own_processes: bool) -> Result<(), SpawnError> {
    let stage = Stage::Root;
    let root = match &view.root {
        Some(Mount { from, inode, set }) => take_tree(from, *inode, *set, stage)?,
        None => empty(stage)?,
    };
    let at = number(root);
    // Over the root, where there certainly is a directory. Paths still start
    // below it, from what is this process's root.
    attach(root, AT_FDCWD, c"/", stage)?;
    for (index, step) in (0..).zip(&view.steps) {
        take(step, at, own_processes, Stage::View(index))?;
    }
    for (Mount { from, inode, set }, place) in &view.machine {
        put(take_tree(from, *inode, *set, Stage::Proc)?, at, place, Stage::Proc)?;
    }
    if view.root.is_none() {
        let sealed = MountAttr { set: MOUNT_ATTR_RDONLY.into(), ..MountAttr::default() };
        set_attributes(at, c"", AT_EMPTY_PATH, &sealed, stage)?;
    }
    call(stage, nr::FCHDIR, [root, 0, 0, 0, 0])?;
    let here = c".".as_ptr() as usize;
    match call(stage, nr::PIVOT_ROOT, [here, here, 0, 0, 0]) {
        // The old one lies on top of the new one, and `.` means what is on top.
        Ok(_) => call(stage, nr::UMOUNT2, [here, MNT_DETACH, 0, 0, 0]).map(drop)?,
        // What the kernel was booted with cannot be exchanged. The new one lies
        // on top of it.
        Err(error) if error.errno == Errno::INVAL => {
            call(stage, nr::CHROOT, [here, 0, 0, 0, 0]).map(drop)?;
        }
        Err(error) => return Err(error),
    }
    close(root);
    call(stage, nr::CHDIR, [c"/".as_ptr() as usize, 0, 0, 0, 0]).map(drop)
}

fn take(step: &Step, root: i32, own_processes: bool, stage: Stage) -> Result<(), SpawnError> {
    match step {
        Step::Directory { at } => {
            let args = [word(root), at.as_ptr() as usize, 0o755, 0, 0];
            call(stage, nr::MKDIRAT, args).map(drop)
        }
        Step::File { at } => {
            let args = [word(root), at.as_ptr() as usize, S_IFREG | 0o644, 0, 0];
            call(stage, nr::MKNODAT, args).map(drop)
        }
        Step::Link { to, at } => {
            let args = [to.as_ptr() as usize, word(root), at.as_ptr() as usize, 0, 0];
            call(stage, nr::SYMLINKAT, args).map(drop)
        }
        Step::Mount { mount: Mount { from, inode, set }, at } => {
            put(take_tree(from, *inode, *set, stage)?, root, at, stage)
        }
        Step::Empty { at } => put(empty(stage)?, root, at, stage),
        Step::Proc { at } => put(processes(own_processes, stage)?, root, at, stage),
    }
}

/// A file system with nothing in it.
fn empty(stage: Stage) -> Result<usize, SpawnError> {
    let set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    file_system(c"tmpfs", &[(c"mode", c"0755")], set, stage)
}

fn put(mount: usize, root: i32, at: &CStr, stage: Stage) -> Result<(), SpawnError> {
    attach(mount, root, at, stage)?;
    close(mount);
    Ok(())
}

/// `/proc`: of the child's own process-id namespace if it has one; else of those
/// processes that it could trace; else, where the right to make that is not there,
/// ours.
fn processes(own: bool, stage: Stage) -> Result<usize, SpawnError> {
    let set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    if own {
        return file_system(c"proc", &[], set, stage);
    }
    let options = [(c"hidepid", c"ptraceable")];
    match file_system(c"proc", &options, set, stage) {
        Ok(mount) => Ok(mount),
        Err(_) => take_tree(c"/proc", None, set, stage),
    }
}

/// Takes a copy of what is mounted at a path and below, if it is what it was.
fn take_tree(
    from: &CStr,
    inode: Option<Inode>,
    set: u32,
    stage: Stage,
) -> Result<usize, SpawnError> {
    let tree = copy_tree(from, stage)?;
    if let Some(inode) = inode
        && identify(tree, stage)? != inode
    {
        return Err(SpawnError { stage, errno: Errno::STALE });
    }
    let attributes = MountAttr { set: set.into(), ..MountAttr::private() };
    set_attributes(number(tree), c"", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, stage)?;
    Ok(tree)
}

/// Takes a copy with the same attributes.
pub(super) fn copy_tree(from: &CStr, stage: Stage) -> Result<usize, SpawnError> {
    let flags = OPEN_TREE_CLONE | CLOEXEC | AT_RECURSIVE;
    let args = [word(AT_FDCWD), from.as_ptr() as usize, flags, 0, 0];
    call(stage, nr::OPEN_TREE, args)
}

fn identify(fd: usize, stage: Stage) -> Result<Inode, SpawnError> {
    let mut found =
        Statx { before: [0; 4], inode: 0, between: [0; 12], device: [0; 2], rest: [0; 14] };
    let (path, buffer) = (c"".as_ptr() as usize, &raw mut found as usize);
    call(stage, nr::STATX, [fd, path, AT_EMPTY_PATH, STATX_INO, buffer])?;
    Ok(Inode { device: found.device, number: found.inode })
}

/// Makes a file system of the kernel's own that is mounted nowhere yet.
pub(super) fn file_system(
    kind: &CStr,
    options: &[(&CStr, &CStr)],
    set: u32,
    stage: Stage,
) -> Result<usize, SpawnError> {
    let context = call(stage, nr::FSOPEN, [kind.as_ptr() as usize, FSOPEN_CLOEXEC, 0, 0, 0])?;
    let made = configure(context, options, set, stage);
    close(context);
    made
}

fn configure(
    context: usize,
    options: &[(&CStr, &CStr)],
    set: u32,
    stage: Stage,
) -> Result<usize, SpawnError> {
    for (key, value) in options {
        let (key, value) = (key.as_ptr() as usize, value.as_ptr() as usize);
        call(stage, nr::FSCONFIG, [context, FSCONFIG_SET_STRING, key, value, 0])?;
    }
    call(stage, nr::FSCONFIG, [context, FSCONFIG_CMD_CREATE, 0, 0, 0])?;

    call(stage, nr::FSMOUNT, [context, FSMOUNT_CLOEXEC, set as usize, 0, 0])
}

/// Mounts what is not mounted yet.
pub(super) fn attach(mount: usize, root: i32, at: &CStr, stage: Stage) -> Result<(), SpawnError> {
    let (nowhere, at) = (c"".as_ptr() as usize, at.as_ptr() as usize);
    let args = [mount, nowhere, word(root), at, MOVE_MOUNT_F_EMPTY_PATH];
    call(stage, nr::MOVE_MOUNT, args).map(drop)
}

pub(super) fn set_attributes(
    directory: i32,
    path: &CStr,
    flags: usize,
    attributes: &MountAttr,
    stage: Stage,
) -> Result<(), SpawnError> {
    let attributes = std::ptr::from_ref(attributes) as usize;
    let args = [word(directory), path.as_ptr() as usize, flags, attributes, size_of::<MountAttr>()];
    call(stage, nr::MOUNT_SETATTR, args).map(drop)
}

pub(super) fn close(fd: usize) {
    // It is closed, whatever the answer.
    let _ = call(Stage::Root, nr::CLOSE, [fd, 0, 0, 0, 0]);
}

/// A descriptor as a number.
pub(super) fn number(fd: usize) -> i32 {
    i32::try_from(fd).unwrap_or(super::NO_FD)
}
