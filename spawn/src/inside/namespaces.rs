//! The child's namespaces, once it was born in them.

use std::ffi::CStr;
use std::os::fd::RawFd;

use rustix::fs::OFlags;

use super::table::AT_FDCWD;
use super::view::{self, MountAttr, attach, close, copy_tree, file_system, set_attributes};
use super::{NO_FD, Orders, call, word};
use crate::error::{SpawnError, Stage};
use crate::namespace::{IdMaps, Namespace};
use crate::sys::nr;
use crate::view::{
    MACHINE_MAX, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY, Mount,
};

const CLONE_NEWCGROUP: usize = Namespace::Cgroup.flag() as usize;
const CLONE_NEWNS: usize = Namespace::Mount.flag() as usize;
const CLONE_NEWUSER: usize = Namespace::User.flag() as usize;

/// Brings what the child was born with into order, and makes what it could not be
/// born with.
pub(super) fn arrange(orders: &Orders<'_>) -> Result<(), SpawnError> {
    let namespaces = orders.namespaces;
    if let Some(maps) = &orders.id_maps {
        map_ids(maps)?;
    }
    let numbered = namespaces.contains(Namespace::Pid);
    if let Some([user, mount]) = orders.joined {
        join(user, mount)?;
        let later = namespaces.after_joining(user != NO_FD) as usize;
        if later != 0 {
            call(Stage::Namespaces, nr::UNSHARE, [later, 0, 0, 0, 0])?;
        }
        if let Some(view) = orders.view.filter(|view| numbered && view.has_processes()) {
            // In what is nobody else's, before others are in it.
            call(Stage::Namespaces, nr::UNSHARE, [CLONE_NEWNS, 0, 0, 0, 0])?;
            // What it shows of the machine comes from below what is put over it.
            let mut below = [NO_FD; MACHINE_MAX];
            for (fd, (Mount { from, .. }, _)) in below.iter_mut().zip(&view.machine) {
                *fd = view::number(copy_tree(from, Stage::Proc)?);
            }
            mount_proc(MOUNT_ATTR_RDONLY)?;
            for (fd, (Mount { from, .. }, _)) in below.iter().zip(&view.machine) {
                attach(word(*fd), AT_FDCWD, from, Stage::Proc)?;
                close(word(*fd));
            }
        }
    } else if namespaces.contains(Namespace::Mount) {
        make_private()?;
        match orders.view {
            Some(view) => view::assemble(view, numbered)?,
            None if numbered => mount_proc(0)?,
            None => {}
        }
    }
    if namespaces.contains(Namespace::Cgroup) {
        call(Stage::Namespaces, nr::UNSHARE, [CLONE_NEWCGROUP, 0, 0, 0, 0])?;
    }
    Ok(())
}

/// Takes the place of what was made before, with its root as root and directory.
fn join(user: RawFd, mount: RawFd) -> Result<(), SpawnError> {
    if user != NO_FD {
        call(Stage::Root, nr::SETNS, [word(user), CLONE_NEWUSER, 0, 0, 0])?;
    }
    call(Stage::Root, nr::SETNS, [word(mount), CLONE_NEWNS, 0, 0, 0]).map(drop)
}

pub(super) fn map_ids(maps: &IdMaps) -> Result<(), SpawnError> {
    // Without this the kernel lets nobody map groups who has no right to.
    write(c"/proc/self/setgroups", b"deny")?;
    write(c"/proc/self/uid_map", &maps.users)?;
    write(c"/proc/self/gid_map", &maps.groups)
}

/// Nothing that is mounted here from now on shows outside, nor the other way round.
pub(super) fn make_private() -> Result<(), SpawnError> {
    let private = MountAttr::private();
    set_attributes(AT_FDCWD, c"/", view::AT_RECURSIVE, &private, Stage::Namespaces)
}

/// The processes of the child's own namespace, where ours were.
fn mount_proc(set: u32) -> Result<(), SpawnError> {
    let set = set | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    let mount = file_system(c"proc", &[], set, Stage::Proc)?;
    attach(mount, AT_FDCWD, c"/proc", Stage::Proc)?;
    close(mount);
    Ok(())
}

fn write(path: &CStr, text: &[u8]) -> Result<(), SpawnError> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let args = [word(AT_FDCWD), path.as_ptr() as usize, flags.bits() as usize, 0, 0];
    let file = call(Stage::IdMaps, nr::OPENAT, args)?;
    let written = call(Stage::IdMaps, nr::WRITE, [file, text.as_ptr() as usize, text.len(), 0, 0]);
    close(file);
    written.map(drop)
}
