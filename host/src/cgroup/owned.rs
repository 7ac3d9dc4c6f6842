//! A cgroup that is removed, with all that is in it, when it is dropped.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use offspring_spawn::{Cgroup, CgroupError, CgroupErrorKind, generation};
use rustix::process::getpid;

use super::controllers::open_up;
use super::made;
use super::place::Place;

/// A cgroup in our place. Dropping it kills every process in it and beneath
/// it, and removes it. It belongs to the process that made it: a copy in a fork of
/// that one names the same cgroup, and its drop does nothing.
#[derive(Debug)]
pub struct OwnedCgroup {
    cgroup: Cgroup,
    removal: Option<Removal>,
    generation: u32,
}

/// What is left to be done for a cgroup that nobody uses any more.
#[derive(Debug)]
struct Removal {
    parent: Cgroup,
    name: String,
    /// What lies in it is removed first.
    _within: Within,
}

/// What a cgroup lies in, which must not be removed before it.
#[derive(Debug, Clone)]
enum Within {
    Place { _kept: Arc<Place> },
    Cgroup { _kept: Arc<OwnedCgroup> },
}

/// How long a drop waits for killed processes to be gone before a thread of its
/// own does.
const PATIENCE: Duration = Duration::from_millis(50);

/// How long that thread waits for one cgroup before it looks at the next.
const INTERVAL: Duration = Duration::from_millis(50);

impl OwnedCgroup {
    /// Makes a cgroup of this name in our place.
    pub(super) fn in_place(place: &Arc<Place>, name: String) -> Result<OwnedCgroup, CgroupError> {
        let within = Within::Place { _kept: Arc::clone(place) };
        OwnedCgroup::create(place.cgroup(), name, within)
    }

    /// Makes a cgroup of this name in another, which is kept until this one is
    /// removed.
    ///
    /// # Errors
    /// Those of [`Cgroup::create`].
    pub fn within(parent: &Arc<OwnedCgroup>, name: String) -> Result<OwnedCgroup, CgroupError> {
        let within = Within::Cgroup { _kept: Arc::clone(parent) };
        OwnedCgroup::create(&parent.cgroup, name, within)
    }

    fn create(parent: &Cgroup, name: String, within: Within) -> Result<OwnedCgroup, CgroupError> {
        let cgroup = parent.create(&name)?;
        made::add(parent, &name);
        let removal = Removal { parent: parent.clone(), name, _within: within };
        Ok(OwnedCgroup { cgroup, removal: Some(removal), generation: generation() })
    }

    /// Whether this process has made it, and not one that it was forked from.
    pub(super) fn is_ours(&self) -> bool {
        self.generation == generation()
    }

    /// Enables every controller that it has for those beneath it.
    pub(super) fn open_up(&self) {
        // What cannot be had is missed by who wants to use it.
        let _ = open_up(&self.cgroup);
    }

    /// The cgroup.
    pub fn cgroup(&self) -> &Cgroup {
        &self.cgroup
    }
}

impl Drop for OwnedCgroup {
    fn drop(&mut self) {
        if !self.is_ours() {
            return;
        }
        if let Some(removal) = self.removal.take() {
            made::forget(&removal.parent, &removal.name);
            if !removal.is_done(PATIENCE) {
                leave_to_thread(removal);
            }
        }
    }
}

/// A name for the next cgroup of a kind. A fork goes on with its parent's numbers,
/// so its names have its own as well.
pub(super) fn numbered(kind: &str, next: &AtomicU64) -> String {
    let number = next.fetch_add(1, Ordering::Relaxed);
    match generation() {
        0 => format!("{kind}.{number}"),
        _ => format!("{kind}.{}-{number}", getpid().as_raw_pid()),
    }
}

impl Removal {
    /// Tries to remove it. An error that waiting does not mend is as good as
    /// done: the next start sweeps.
    fn is_done(&self, timeout: Duration) -> bool {
        match self.parent.remove_tree(&self.name, timeout) {
            Ok(()) => true,
            Err(error) => error.kind() != CgroupErrorKind::Busy,
        }
    }
}

#[derive(Debug)]
struct Left {
    removals: Vec<Removal>,
    running: bool,
}

static LEFT: Mutex<Left> = Mutex::new(Left { removals: Vec::new(), running: false });

/// Removes it on a thread that is there only while there is something to
/// remove. If no thread can be had, the next removal gets one, or the next
/// start sweeps.
fn leave_to_thread(removal: Removal) {
    let mut left = left();
    left.removals.push(removal);
    if !left.running {
        let thread = thread::Builder::new().name("offspring-groups".to_owned());
        left.running = thread.spawn(run).is_ok();
    }
}

fn run() {
    loop {
        let mut removals = std::mem::take(&mut left().removals);
        removals.retain(|removal| !removal.is_done(INTERVAL));
        let mut left = left();
        left.removals.append(&mut removals);
        if left.removals.is_empty() {
            left.running = false;
            return;
        }
    }
}

fn left() -> MutexGuard<'static, Left> {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}
