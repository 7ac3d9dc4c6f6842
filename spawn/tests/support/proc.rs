//! The `/proc` of a thread. Only for a process that runs one test.

#![expect(unsafe_code, reason = "mounts have no wrapper here")]

use std::{io, ptr};

/// Takes `/proc` out of this thread's sight, if that is allowed.
pub fn hide_proc() -> io::Result<()> {
    own_mounts()?;
    // There may be several, one above the other.
    for count in 0.. {
        // SAFETY: the path is a C string.
        match checked(unsafe { libc::umount2(c"/proc".as_ptr(), libc::MNT_DETACH) }) {
            Err(error) if count > 0 && error.raw_os_error() == Some(libc::EINVAL) => break,
            unmounted => unmounted?,
        }
    }
    Ok(())
}

/// Gives this thread a `/proc` of its own, if that is allowed.
pub fn own_proc() -> io::Result<()> {
    own_mounts()?;
    mount_proc(0)
}

/// Has the kernel forget the files of that.
pub fn forget_proc() -> io::Result<()> {
    mount_proc(libc::MS_REMOUNT)
}

/// Nothing that this thread mounts is seen by others.
fn own_mounts() -> io::Result<()> {
    // SAFETY: this thread gets a mount namespace of its own.
    checked(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    let private = libc::MS_REC | libc::MS_PRIVATE;
    let (root, none) = (c"/".as_ptr(), ptr::null());
    // SAFETY: the path is a C string, and what is null may be.
    checked(unsafe { libc::mount(none, root, none, private, none.cast()) })
}

fn mount_proc(flags: libc::c_ulong) -> io::Result<()> {
    let (kind, at) = (c"proc".as_ptr(), c"/proc".as_ptr());
    // SAFETY: the strings are C strings, and what is null may be.
    checked(unsafe { libc::mount(kind, at, kind, flags, ptr::null()) })
}

fn checked(answer: libc::c_int) -> io::Result<()> {
    match answer {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
