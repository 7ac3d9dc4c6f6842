//! The cgroup of one child, and those that are kept for children to come.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use offspring_spawn::{Cgroup, CgroupError, CgroupErrorKind, CgroupEvents, MemoryEventsFile};

use super::group::Node;
use super::owned::{OwnedCgroup, numbered};
use super::place::Place;
use crate::launch::LaunchError;

/// The cgroup of one child. Dropping it kills every process in it. Then it is kept for
/// the next child, or removed.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// There until it is dropped.
    home: Option<Home>,
    killed: AtomicBool,
    /// The group that it lies in, if it has a name.
    pub(crate) group: Option<Arc<Node>>,
    /// Where it may be kept, as long as somebody has a use for that.
    spares: Weak<Spares>,
}

/// Cgroups without processes that lie in the same one: making and removing a cgroup takes
/// as long as to start a small program.
#[derive(Debug, Default)]
pub(crate) struct Spares(Mutex<Vec<Home>>);

/// A cgroup for one child at a time.
#[derive(Debug)]
struct Home {
    owned: OwnedCgroup,
    /// How many kills there had been when it was made.
    kills: u64,
    /// Of one that was kept before.
    state: Option<State>,
}

/// What tells how a cgroup is, kept open.
#[derive(Debug)]
struct State {
    events: CgroupEvents,
    /// None without the controller.
    memory: Option<MemoryEventsFile>,
}

/// How often this process has killed a group, and with it every cgroup beneath.
///
/// A cgroup in which all were killed is not used again: the kernel (seen in Linux 6.18)
/// kills a child that is born there later as well.
static KILLS: AtomicU64 = AtomicU64::new(0);

/// How many are kept: enough for children that come one after the other, a few at a time.
const KEPT: usize = 4;

impl Leaf {
    /// One in the cgroup of a guest, or of a group of its policy.
    ///
    /// # Errors
    /// [`Frozen`](LaunchError::Frozen): a child would be born frozen, and the spawn would
    /// not come back.
    pub(super) fn within(
        parent: &Arc<OwnedCgroup>,
        spares: &Arc<Spares>,
        next: &AtomicU64,
        group: Option<&Arc<Node>>,
    ) -> Result<Leaf, LaunchError> {
        let home = match spares.take() {
            // An empty one is frozen as soon as one above it is told to be.
            Some(spare) if spare.is_frozen() => {
                spares.keep(spare);
                return Err(LaunchError::Frozen);
            }
            Some(spare) => spare,
            None if group.is_some_and(|group| group.is_frozen()) => {
                return Err(LaunchError::Frozen);
            }
            None => Home::made(|| for_child(parent, next))?,
        };
        Ok(Leaf::new(home, spares, group))
    }

    /// One in our place, for a child that is in no group.
    pub(crate) fn in_place(place: &Arc<Place>, spares: &Arc<Spares>) -> Result<Leaf, CgroupError> {
        let home = match spares.take() {
            Some(spare) => spare,
            None => Home::made(|| place.create())?,
        };
        Ok(Leaf::new(home, spares, None))
    }

    fn new(home: Home, spares: &Arc<Spares>, group: Option<&Arc<Node>>) -> Leaf {
        let (killed, spares) = (AtomicBool::new(false), Arc::downgrade(spares));
        Leaf { home: Some(home), killed, group: group.cloned(), spares }
    }

    /// The cgroup; `None` only while it is dropped.
    pub(crate) fn cgroup(&self) -> Option<&Cgroup> {
        self.home.as_ref().map(|home| home.owned.cgroup())
    }

    /// Kills every process in it.
    ///
    /// # Errors
    /// Those of [`Cgroup::kill`].
    pub(crate) fn kill(&self) -> Result<(), CgroupError> {
        self.killed.store(true, Ordering::Release);
        self.cgroup().map_or(Ok(()), Cgroup::kill)
    }

    /// Says that a group is about to be killed, with all that lies in it.
    pub(super) fn note_kill() {
        KILLS.fetch_add(1, Ordering::AcqRel);
    }
}

impl Drop for Leaf {
    fn drop(&mut self) {
        let Some(mut home) = self.home.take() else { return };
        let may_be_kept = home.owned.is_ours() && !self.killed.load(Ordering::Acquire);
        // Else it is removed.
        if let Some(spares) = self.spares.upgrade().filter(|_| may_be_kept)
            && home.is_as_new()
        {
            spares.keep(home);
        }
    }
}

impl Home {
    fn made(make: impl FnOnce() -> Result<OwnedCgroup, CgroupError>) -> Result<Home, CgroupError> {
        // Before it is there to be killed.
        let kills = KILLS.load(Ordering::Acquire);
        Ok(Home { owned: make()?, kills, state: None })
    }

    /// Whether the next child would find it as the last one did: nothing runs in it, so
    /// nothing can come into it either, and nothing was killed for want of memory.
    fn is_as_new(&mut self) -> bool {
        if self.state.is_none() {
            self.state = State::of(self.owned.cgroup()).ok();
        }
        let Some(State { events, memory }) = &self.state else { return false };
        let is_empty = events.read().is_ok_and(|state| !state.populated);
        let had_room = |file: &MemoryEventsFile| file.read().is_ok_and(|all| all.oom_kill == 0);
        is_empty && memory.as_ref().is_none_or(had_room)
    }

    fn is_frozen(&self) -> bool {
        let state = self.state.as_ref().map(|state| state.events.read());
        state.is_some_and(|state| state.is_ok_and(|state| state.frozen))
    }

    /// Whether a child can be born in it. A copy in a fork has its parent's, which are
    /// not its own.
    fn is_of_use(&self) -> bool {
        self.owned.is_ours() && self.kills == KILLS.load(Ordering::Acquire)
    }
}

impl State {
    fn of(cgroup: &Cgroup) -> Result<State, CgroupError> {
        let memory = match cgroup.memory_events_file() {
            Err(error) if matches!(error.kind(), CgroupErrorKind::NoController(_)) => None,
            file => Some(file?),
        };
        Ok(State { events: cgroup.events()?, memory })
    }
}

/// Makes one for a child under a name that nobody else has.
fn for_child(parent: &Arc<OwnedCgroup>, next: &AtomicU64) -> Result<OwnedCgroup, CgroupError> {
    loop {
        match OwnedCgroup::within(parent, numbered("child", next)) {
            // Left by a process that was killed, which had our number.
            Err(error) if error.kind() == CgroupErrorKind::Exists => {}
            made => return made,
        }
    }
}

impl Spares {
    fn take(&self) -> Option<Home> {
        let spare = self.all().pop();
        spare.filter(Home::is_of_use)
    }

    fn keep(&self, home: Home) {
        let mut all = self.all();
        if all.len() < KEPT {
            all.push(home);
        } else {
            // Removing it takes its time.
            drop(all);
            drop(home);
        }
    }

    fn all(&self) -> MutexGuard<'_, Vec<Home>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
