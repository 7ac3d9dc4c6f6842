//! What children have apart from their host, found out when a context is built.

use std::path::Path;
use std::sync::Arc;

use offspring_spawn::{Errno, Identity, Namespace, Namespaces, SpawnError};
use rustix::thread::{CapabilitySet, capabilities};

use crate::accounts::Accounts;
use crate::error::BuildError;
use crate::guest_view::GuestView;
use crate::policy::{Grant, Location, User, View};
use crate::preopen::Preopen;

/// What the children of one grant have.
#[derive(Debug, Default)]
pub(crate) struct Apart {
    pub(crate) identity: Option<Identity>,
    pub(crate) namespaces: Namespaces,
    pub(crate) view: Option<Arc<GuestView>>,
}

/// What the grants of one guest have in common.
#[derive(Debug)]
pub(crate) struct Separation<'c> {
    preopens: &'c [Preopen],
    initial: Option<&'c Path>,
    accounts: Option<Accounts>,
    view: Option<Arc<GuestView>>,
}

/// Whether this process may start children that are other users: as root may, or with
/// `CAP_SETUID` and `CAP_SETGID`.
pub fn may_change_ids() -> bool {
    rights().contains(CapabilitySet::SETUID | CapabilitySet::SETGID)
}

fn rights() -> CapabilitySet {
    capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective)
}

impl<'c> Separation<'c> {
    pub(crate) fn new(preopens: &'c [Preopen], initial: Option<&'c Path>) -> Separation<'c> {
        Separation { preopens, initial, accounts: None, view: None }
    }

    /// Finds out what a grant's children have, and whether they can have it.
    pub(crate) fn of(&mut self, grant: &Grant) -> Result<Apart, BuildError> {
        let wanted = grant.get_apart();
        let refuse = |what, location: Option<&Location>, why: String| BuildError::Apart {
            grant: grant.name().to_owned(),
            what,
            location: location.cloned(),
            why,
        };
        let identity = wanted.get_user().map(|user| self.identity(user)).transpose();
        let identity =
            identity.map_err(|why| refuse("run as another user", wanted.user_location(), why))?;

        let mut namespaces = wanted.get_namespaces();
        let is_alone = namespaces.is_empty() && wanted.get_view() == View::Host;
        if !is_alone && !Separation::may_mount() {
            if identity.is_some() {
                let why = "a host without CAP_SYS_ADMIN needs a user namespace, which knows the \
                    host's own user only";
                return Err(refuse("be another user here", wanted.user_location(), why.to_owned()));
            }
            namespaces.insert(Namespace::User);
        }
        let checked = if namespaces.is_empty() { Ok(()) } else { namespaces.check() };
        checked.map_err(|error| {
            let location = wanted.namespaces_location().or(wanted.view_location());
            refuse("have namespaces of its own", location, why_no_namespaces(error))
        })?;
        let view = match wanted.get_view() {
            View::Host => None,
            View::Guest => Some(self.view().map_err(|error| {
                refuse("see what its guest does", wanted.view_location(), error.to_string())
            })?),
        };
        Ok(Apart { identity, namespaces, view })
    }

    fn may_mount() -> bool {
        rights().contains(CapabilitySet::SYS_ADMIN)
    }

    fn identity(&mut self, user: &User) -> Result<Identity, String> {
        let accounts = match &mut self.accounts {
            Some(accounts) => accounts,
            none => none.insert(Accounts::read()?),
        };
        let identity = accounts.resolve(user)?;
        match may_change_ids() {
            true => Ok(identity),
            false => Err("the host may not change ids: it has to be root, or to have CAP_SETUID \
                and CAP_SETGID"
                .to_owned()),
        }
    }

    /// Made once for all grants.
    fn view(&mut self) -> Result<Arc<GuestView>, SpawnError> {
        if let Some(view) = &self.view {
            return Ok(Arc::clone(view));
        }
        let view = GuestView::make(self.preopens, self.initial, !Separation::may_mount())?;
        Ok(Arc::clone(self.view.insert(Arc::new(view))))
    }
}

fn why_no_namespaces(error: SpawnError) -> String {
    let mend = match error.errno {
        Errno::NOSPC => "; /proc/sys/user has how many there may be",
        Errno::PERM | Errno::ACCESS => {
            "; the system, or what contains the host, forbids them: for an ordinary user see \
            kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns"
        }
        _ => "",
    };
    format!("{error}{mend}")
}
