//! What makes a view for others and ends.

use std::ffi::c_void;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::fs::OFlags;

use super::table::AT_FDCWD;
use super::{Failure, NO_FD, call, exit, namespaces, view, word};
use crate::error::{SpawnError, Stage};
use crate::namespace::IdMaps;
use crate::sys::nr;
use crate::view::Steps;

const CLONE_FILES: usize = 0x400;

/// What such a process is to do, and where it leaves descriptors of its namespaces,
/// which its parent has too.
#[derive(Debug)]
pub(crate) struct Building<'v> {
    steps: &'v Steps,
    id_maps: Option<IdMaps>,
    user: AtomicI32,
    mount: AtomicI32,
    failure: Failure,
}

impl<'v> Building<'v> {
    pub(crate) fn new(steps: &'v Steps, id_maps: Option<IdMaps>) -> Building<'v> {
        let none = || AtomicI32::new(NO_FD);
        Building { steps, id_maps, user: none(), mount: none(), failure: Failure::default() }
    }

    /// Why there is no view.
    pub(crate) fn failure(&self) -> Option<SpawnError> {
        self.failure.get()
    }

    /// The user and the mount namespace, as far as they were opened. Only once the
    /// process has ended.
    pub(crate) fn take(&self) -> [Option<OwnedFd>; 2] {
        [&self.user, &self.mount].map(|left| {
            let fd = left.swap(NO_FD, Ordering::AcqRel);
            // SAFETY: the process has opened it in our table, told nobody else, and
            // ended; it is taken once.
            (fd != NO_FD).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
        })
    }
}

/// Where the process starts.
///
/// # Safety
///
/// `building` points to a [`Building`] that stays as it is, and the process has been
/// made by [`crate::clone::Clone`].
pub(crate) unsafe extern "C" fn build(building: *mut c_void) -> ! {
    // SAFETY: the caller passes such a one, and only shared references to it exist.
    let building = unsafe { &*building.cast::<Building<'_>>() };
    if let Err(error) = make(building) {
        building.failure.set(error);
    }
    exit()
}

/// First the descriptors, in the table that is the parent's; then, with one of its own,
/// the rest, of which nothing is left there whatever goes wrong.
fn make(building: &Building<'_>) -> Result<(), SpawnError> {
    if building.id_maps.is_some() {
        building.user.store(open(c"/proc/self/ns/user")?, Ordering::Release);
    }
    building.mount.store(open(c"/proc/self/ns/mnt")?, Ordering::Release);
    call(Stage::DescriptorTable, nr::UNSHARE, [CLONE_FILES, 0, 0, 0, 0])?;
    if let Some(maps) = &building.id_maps {
        namespaces::map_ids(maps)?;
    }
    namespaces::make_private()?;
    view::assemble(building.steps, false)
}

fn open(path: &core::ffi::CStr) -> Result<RawFd, SpawnError> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let args = [word(AT_FDCWD), path.as_ptr() as usize, flags.bits() as usize, 0, 0];
    let fd = call(Stage::Namespaces, nr::OPENAT, args)?;
    Ok(i32::try_from(fd).unwrap_or(NO_FD))
}
