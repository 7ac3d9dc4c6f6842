//! The live children of one guest.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::child::{Cause, ChildProcess};
use crate::quota::{Quota, Share};

/// The live children of one guest, for its host: cheap to clone, and usable
/// from any thread while the guest runs.
#[derive(Debug, Clone)]
pub struct Children(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    live: BTreeMap<u64, Weak<ChildProcess>>,
    next: u64,
    closed: bool,
}

/// A child's place among the live ones. Dropping it takes the child out.
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
    pub fn shut_down(&self) {
        let live = {
            let mut state = self.state();
            state.closed = true;
            std::mem::take(&mut state.live)
        };
        for process in live.into_values().filter_map(|process| process.upgrade()) {
            // Those that have ended need no killing.
            let _ = process.kill(Cause::KilledByHost);
        }
    }

    /// Adds a child, unless the host is about to end.
    pub(crate) fn add(&self, process: &Arc<ChildProcess>) -> Option<Membership> {
        let mut state = self.state();
        if state.closed {
            return None;
        }
        let id = state.next;
        state.next += 1;
        state.live.insert(id, Arc::downgrade(process));
        Some(Membership {
            children: self.clone(),
            id,
        })
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
        let live: Vec<_> = self
            .state()
            .live
            .values()
            .filter_map(Weak::upgrade)
            .collect();
        for process in live {
            // A failure leaves it counted.
            let _ = process.try_wait();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let removed = self.children.state().live.remove(&self.id);
        drop(removed);
    }
}
