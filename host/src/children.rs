//! The live children of one guest.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use offspring_spawn::Release;

use crate::cgroup::Node;
use crate::child::Cause;
use crate::ends::Ends;
use crate::process::{ChildProcess, Ending};
use crate::quota::{Quota, Share};
use crate::slots::Slots;

/// The live children of one guest, for its host: cheap to clone, and usable
/// from any thread while the guest runs.
#[derive(Debug, Clone)]
pub struct Children(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Notified when a child is taken out, or has been started.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    live: Slots<Place>,
    closed: bool,
    /// How many threads wait for a change: to wake nobody is a system call too.
    waiting: u32,
    /// There from when the guest first had as many children as it may.
    ends: Option<Ends>,
}

/// What a child is to its host.
#[derive(Debug)]
enum Place {
    /// About to be started, and not by whom.
    Reserved,
    Starting(Weak<ChildProcess>),
    Started(Weak<ChildProcess>),
    /// Nobody holds it: it was asked to end, and has its grace period.
    Released(Release),
    /// Lives on, whatever becomes of its host.
    Detached,
}

/// How long to wait for what was killed, and for a spawn to find out that the
/// host is ending. What takes longer is stuck in the kernel.
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

    /// Kills every child with its process group, also those that are about to be
    /// started or have a grace period left, and lets the guest start no more. For
    /// a host that is about to end: the guest itself goes on until its store is
    /// dropped.
    ///
    /// Waits for them, for a second at most. A spawn that has begun on another
    /// thread is waited for as well. Those that may live on without their handles
    /// do.
    pub fn shut_down(&self) {
        let mut state = self.state();
        state.closed = true;
        if state.live.len() == 0 {
            // As most forks end: not even the time is asked for.
            return;
        }
        let live = state.processes();
        for (_, place) in state.live.iter() {
            if let Place::Released(release) = place {
                release.revoke();
            }
        }
        drop(state);
        for process in &live {
            // Those that have ended need no killing.
            let _ = process.end(Cause::KilledByHost, Ending::Kill);
        }
        let begin = Instant::now();
        // Those that are being started are killed by who starts them.
        let is_starting = |state: &mut State| {
            let mut live = state.live.iter();
            live.any(|(_, place)| matches!(place, Place::Reserved | Place::Starting(_)))
        };
        self.wait_while(PATIENCE, is_starting);
        // Their ends are told before the host is gone.
        for process in live {
            // What cannot be asked is told when the child is dropped.
            let _ = process.try_wait_within(PATIENCE.saturating_sub(begin.elapsed()));
        }
    }

    /// Waits until there are none but those that live on without their handles, for
    /// so long at most: those that were asked to end when their store was dropped
    /// have their grace period still. Returns whether there are none.
    pub fn wait_until_gone(&self, timeout: Duration) -> bool {
        let is_left = |state: &mut State| {
            !state.live.iter().all(|(_, place)| matches!(place, Place::Detached))
        };
        self.wait_while(timeout, is_left)
    }

    /// Says of every child in this group that the guest is about to kill it.
    pub(crate) fn note_killed(&self, group: &Node) {
        let live = self.state().processes();
        for process in live {
            if process.is_within(group) {
                process.note_killed();
            }
        }
    }

    /// Takes the place of a child that is about to be started, unless the host
    /// is about to end.
    pub(crate) fn join(&self) -> Option<Membership> {
        let mut state = self.state();
        if state.closed {
            return None;
        }
        let id = state.live.insert(Place::Reserved)?;
        drop(state);
        Some(Membership { children: self.clone(), id })
    }

    /// Says who has a place and is about to be started. Returns whether the
    /// host lets it.
    pub(crate) fn starting(&self, id: u64, process: &Arc<ChildProcess>) -> bool {
        self.put(id, Place::Starting(Arc::downgrade(process)))
    }

    /// Says that it has been started.
    pub(crate) fn started(&self, id: u64, process: &Arc<ChildProcess>) {
        if process.detach {
            self.put(id, Place::Detached);
            return;
        }
        self.put(id, Place::Started(Arc::downgrade(process)));
        if let Some(ends) = &self.state().ends {
            ends.watch(id, process);
        }
    }

    /// Says that nobody holds it any more.
    pub(crate) fn released(&self, id: u64, release: Release) {
        if !self.put(id, Place::Released(release.clone())) {
            release.revoke();
        }
    }

    /// Changes a place that there still is. Returns whether the host goes on.
    fn put(&self, id: u64, now: Place) -> bool {
        let mut state = self.state();
        if let Some(place) = state.live.get_mut(id) {
            *place = now;
        }
        let (open, waiting) = (!state.closed, state.waiting);
        drop(state);
        self.notify(waiting);
        open
    }

    /// Waits as long as something is so, for this long at most. Returns whether
    /// it is no more.
    fn wait_while(&self, timeout: Duration, is_so: impl FnMut(&mut State) -> bool) -> bool {
        let mut state = self.state();
        state.waiting += 1;
        let waited = self.0.changed.wait_timeout_while(state, timeout, is_so);
        let (mut state, result) = waited.unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        !result.timed_out()
    }

    /// Wakes those who waited when the state was last locked.
    fn notify(&self, waiting: u32) {
        if waiting > 0 {
            self.0.changed.notify_all();
        }
    }

    /// Takes one of a quota of children. When all are taken, looks whether some
    /// of those have ended without anybody having noticed.
    pub(crate) fn take(&self, quota: &Quota) -> Option<Share> {
        quota.take().or_else(|| {
            self.notice_ends();
            quota.take()
        })
    }

    /// Finds out which children have ended. What it costs grows with their number
    /// the first time, and then with that of those that have ended since: a guest
    /// that goes on spawning at its limit does not make its host ask each child.
    pub(crate) fn notice_ends(&self) {
        let mut state = self.state();
        let mut known = Vec::new();
        if state.ends.is_none() {
            // A failure leaves them counted.
            state.ends = Ends::new().ok();
            known.extend(state.live.iter().filter_map(|(id, _)| state.started(id)));
            if let Some(ends) = &state.ends {
                known.iter().for_each(|(id, process)| ends.watch(*id, process));
            }
        }
        let ended = state.ends.as_ref().map(Ends::take).unwrap_or_default();
        let ended: Vec<_> = ended.into_iter().filter_map(|id| state.started(id)).collect();
        drop(state);
        drop(known);
        for (id, process) in ended {
            if matches!(process.try_wait(), Ok(None))
                && let Some(ends) = &self.state().ends
            {
                // Dead, but not ours to wait for yet: something traces it.
                ends.watch_again(id, &process);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Those that somebody holds. To be dropped when this is unlocked: dropping
    /// the last hold of one ends it, and its place changes.
    fn processes(&self) -> Vec<Arc<ChildProcess>> {
        let held = self.live.iter().filter_map(|(_, place)| match place {
            Place::Starting(process) | Place::Started(process) => process.upgrade(),
            Place::Reserved | Place::Released(_) | Place::Detached => None,
        });
        held.collect()
    }

    /// One that runs, or has ended, and that somebody holds: likewise.
    fn started(&self, id: u64) -> Option<(u64, Arc<ChildProcess>)> {
        match self.live.get(id)? {
            Place::Started(process) => Some((id, process.upgrade()?)),
            Place::Reserved | Place::Starting(_) | Place::Released(_) | Place::Detached => None,
        }
    }
}

impl Membership {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut state = self.children.state();
        let (removed, waiting) = (state.live.remove(self.id), state.waiting);
        drop(state);
        drop(removed);
        self.children.notify(waiting);
    }
}
