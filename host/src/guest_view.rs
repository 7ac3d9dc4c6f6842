//! The file system of a guest's children, if they see what the guest does.

use std::fs::read_link;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use offspring_spawn::{Directory, Errno, PreparedView, SpawnError, Stage, View, ViewAccess};

use crate::preopen::Preopen;

/// Where relative names of the guest's are: they have no place of their own.
const RELATIVE: &str = "/cwd";

/// A view with the guest's directories at the guest's paths, made once.
#[derive(Debug)]
pub(crate) struct GuestView {
    view: View,
    prepared: PreparedView,
    initial: PathBuf,
}

impl GuestView {
    /// Makes the view. A host that may not mount makes it with a user namespace
    /// (`own_user`). Children start in the directory that is `initial` on the host,
    /// if the view has it, else where the guest starts.
    pub(crate) fn make(
        preopens: &[Preopen],
        initial: Option<&Path>,
        own_user: bool,
    ) -> Result<GuestView, SpawnError> {
        let mut view = View::new();
        for preopen in preopens {
            let access = match preopen.perms.write_not_permitted() {
                true => ViewAccess::Read,
                false => ViewAccess::Write,
            };
            view.directory(&preopen.dir, &preopen.host, place(&preopen.guest), access)
                .map_err(|errno| SpawnError { stage: Stage::Root, errno })?;
        }
        view.system().map_err(|errno| SpawnError { stage: Stage::Root, errno })?;
        let prepared = view.make(own_user)?;
        let chosen = initial.and_then(|path| view.find(path.canonicalize().ok()?));
        let guests = preopens.iter().find(|preopen| preopen.is_initial());
        let guests = || guests.map_or_else(|| PathBuf::from("/"), |own| place(&own.guest));
        let initial = chosen.unwrap_or_else(guests);
        Ok(GuestView { view, prepared, initial })
    }

    /// What the engine gives to a child.
    pub(crate) fn prepared(&self) -> &PreparedView {
        &self.prepared
    }

    /// The directory that children start in that have no other.
    pub(crate) fn initial(&self) -> Result<Directory, Errno> {
        Directory::at(&self.initial)
    }

    /// Where a directory of the host's, which the guest holds, is in the view.
    ///
    /// # Errors
    /// `EXDEV` when it is not there.
    pub(crate) fn directory(&self, held: impl AsFd) -> Result<Directory, Errno> {
        Directory::at(self.find(held)?)
    }

    /// The same as a path.
    pub(crate) fn find(&self, held: impl AsFd) -> Result<PathBuf, Errno> {
        let link = format!("/proc/self/fd/{}", held.as_fd().as_raw_fd());
        let path = read_link(link).map_err(|error| Errno::from_io_error(&error));
        let path = path.map_err(|errno| errno.unwrap_or(Errno::NOENT))?;
        self.view.find(path).ok_or(Errno::XDEV)
    }
}

/// Where a directory that the guest holds under this name is.
pub(crate) fn place(guest: &str) -> PathBuf {
    Path::new(RELATIVE).join(guest)
}
