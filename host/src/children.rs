//! The live children of one guest.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::child::{Cause, ChildProcess};
use crate::quota::{Quota, Share};

/// The live children of one guest, for its host: cheap to clone, and usable
/// from any thread while the guest runs.
#[derive(Debug, Clone)]
pub struct Children(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Notified when a child is taken out that was about to be started.
    fewer: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// `None` for a child that is about to be started.
    live: BTreeMap<u64, Option<Weak<ChildProcess>>>,
    next: u64,
    closed: bool,
}

/// How long to wait for a spawn to find out that the host is ending. One that
/// takes longer is stuck in the kernel.
const PATIENCE: Duration = Duration::from_secs(1);

/// A child's place among the live ones, taken before it is started. Dropping
/// it takes the child out.
#[derive(Debug)]
pub(crate) struct Membership {
    children: Children,
    id: u64,
}

impl Children {
    pub(crate) fn new() -> Children {
        Children(Arc::default())
    }

    /// How many there are. A child that has ended counts until the guest, or a
    /// spawn that needs its place, finds out.
    pub fn len(&self) -> usize {
        self.state().live.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Kills every child with its process group, and lets the guest start no
    /// more. For a host that is about to end: the guest itself goes on until
    /// its store is dropped.
    ///
    /// A spawn that has begun on another thread is waited for, for a second at
    /// most, and its child is killed too.
    pub fn shut_down(&self) {
        let mut state = self.state();
        state.closed = true;
        let live: Vec<_> = state.started().collect();
        drop(state);
        for process in live {
            // Those that have ended need no killing.
            let _ = process.kill(Cause::KilledByHost);
        }
        let starting = |state: &mut State| state.live.values().any(Option::is_none);
        let state = self.state();
        drop(self.0.fewer.wait_timeout_while(state, PATIENCE, starting));
    }

    /// Takes the place of a child that is about to be started, unless the host
    /// is about to end.
    pub(crate) fn join(&self) -> Option<Membership> {
        let mut state = self.state();
        if state.closed {
            return None;
        }
        let id = state.next;
        state.next += 1;
        state.live.insert(id, None);
        Some(Membership { children: self.clone(), id })
    }

    /// Says who has a place. Returns whether the host lets it live.
    pub(crate) fn started(&self, id: u64, process: &Arc<ChildProcess>) -> bool {
        let mut state = self.state();
        let open = !state.closed;
        if open && let Some(place) = state.live.get_mut(&id) {
            *place = Some(Arc::downgrade(process));
        }
        open
    }

    /// Takes one of a quota of children. When all are taken, looks whether some
    /// of those have ended without anybody having noticed.
    pub(crate) fn take(&self, quota: &Quota) -> Option<Share> {
        quota.take().or_else(|| {
            self.notice_ends();
            quota.take()
        })
    }

    fn notice_ends(&self) {
        let live: Vec<_> = self.state().started().collect();
        for process in live {
            // A failure leaves it counted.
            let _ = process.try_wait();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn started(&self) -> impl Iterator<Item = Arc<ChildProcess>> {
        self.live.values().flatten().filter_map(Weak::upgrade)
    }
}

impl Membership {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let removed = self.children.state().live.remove(&self.id);
        drop(removed);
        self.children.0.fewer.notify_all();
    }
}
