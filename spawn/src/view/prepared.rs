//! A view that was made once, for children to join.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;

use super::{Steps, View};
use crate::clone::Clone as Making;
use crate::error::{SpawnError, Stage};
use crate::inside::Building;
use crate::kernel::Kernel;
use crate::namespace::{IdMaps, Namespace, Namespaces};
use crate::stack::Stack;
use crate::stdio::moved_above_stdio;
use crate::wait::{self, Reap};

/// A [`View`] that a command can use; cheap to clone.
///
/// One that was [made](View::make) is joined by children, which costs a fraction of
/// what making it costs. They share what it mounts, as it was mounted then, and a
/// user namespace, if it has one. Where a child cannot join it, it makes one for
/// itself.
#[derive(Debug, Clone)]
pub struct PreparedView {
    pub(crate) steps: Arc<Steps>,
    made: Option<Arc<Made>>,
}

/// Namespaces that live as long as somebody holds them.
#[derive(Debug)]
struct Made {
    /// The one that the other belongs to, if it is not ours.
    user: Option<OwnedFd>,
    mount: OwnedFd,
}

/// What a child joins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Joined<'v> {
    pub(crate) user: Option<BorrowedFd<'v>>,
    pub(crate) mount: BorrowedFd<'v>,
}

impl View {
    /// Makes the view once, in a process that ends at once, for all children that
    /// are given it. With `own_user` in a user namespace of its own, in which an
    /// ordinary user may do so.
    ///
    /// # Errors
    /// As a spawn's: at [`Stage::Namespaces`], [`Stage::IdMaps`], [`Stage::View`] or
    /// [`Stage::Root`], and where no process can be made.
    pub fn make(&self, own_user: bool) -> Result<PreparedView, SpawnError> {
        let kernel = Kernel::get().map_err(|unsupported| SpawnError {
            stage: Stage::Kernel,
            errno: unsupported.errno(),
        })?;
        let mut namespaces: Namespaces = [Namespace::Mount].into_iter().collect();
        if own_user {
            namespaces.insert(Namespace::User);
        }
        let steps = Arc::new(self.steps());
        let building = Building::new(&steps, own_user.then(IdMaps::own));
        let making = Making {
            // Until it has left there what it is made for.
            share_table: true,
            namespaces: namespaces.at_birth(),
            ..Making::by(kernel.method)
        };
        let stack = Stack::take()?;
        let made = making.build(&stack, &building);
        stack.give_back();
        let child = made.map_err(SpawnError::at(Stage::Namespaces))?;
        let ended = wait::wait(child.as_fd(), Reap::Yes);
        let [user, mount] = building.take();
        if let Some(error) = building.failure() {
            return Err(error);
        }
        match (ended, mount) {
            (Ok(_), Some(mount)) => {
                let user = user.map(moved_above_stdio);
                let made = Made { user, mount: moved_above_stdio(mount) };
                Ok(PreparedView { steps, made: Some(Arc::new(made)) })
            }
            // Somebody has killed it.
            (Ok(_), None) => Err(SpawnError { stage: Stage::Root, errno: Errno::CANCELED }),
            (Err(errno), _) => Err(SpawnError { stage: Stage::Root, errno }),
        }
    }
}

impl PreparedView {
    /// What a child with these namespaces joins, if it can: it is born where we are,
    /// so only what can be made later can be its own; and from a user namespace of
    /// its own it cannot join what belongs to ours.
    pub(crate) fn joined(&self, namespaces: Namespaces) -> Option<Joined<'_>> {
        let made = self.made.as_deref()?;
        let lacks = match made.user {
            Some(_) => Namespace::Pid,
            None => Namespace::User,
        };
        let user = made.user.as_ref().map(AsFd::as_fd);
        let can = !namespaces.contains(lacks);
        can.then(|| Joined { user, mount: made.mount.as_fd() })
    }
}

impl From<&View> for PreparedView {
    /// Not made: every child makes one for itself.
    fn from(view: &View) -> PreparedView {
        PreparedView { steps: Arc::new(view.steps()), made: None }
    }
}

impl From<&PreparedView> for PreparedView {
    fn from(view: &PreparedView) -> PreparedView {
        view.clone()
    }
}
