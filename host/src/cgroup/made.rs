//! The cgroups of a fork, which ends without destructors.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use offspring_spawn::{Cgroup, generation};

/// What this process has made, if it is a fork.
#[derive(Debug)]
struct Made {
    /// Of the process that has written this: a fork has its parent's list.
    generation: u32,
    cgroups: Vec<(Cgroup, String)>,
}

static MADE: Mutex<Made> = Mutex::new(Made { generation: 0, cgroups: Vec::new() });

/// The last generation of forks that led to this process, itself among them, that made one.
static MAKER: AtomicU32 = AtomicU32::new(0);

/// How long each may take to be removed: what is in it is killed.
const PATIENCE: Duration = Duration::from_millis(50);

/// Remembers a cgroup that this process has made in another.
pub(super) fn add(parent: &Cgroup, name: &str) {
    if generation() > 0 {
        MAKER.store(generation(), Ordering::Relaxed);
        made().cgroups.push((parent.clone(), name.to_owned()));
    }
}

/// Forgets one that is about to be removed.
pub(super) fn forget(parent: &Cgroup, name: &str) {
    if generation() > 0 {
        let id = parent.id().ok();
        let is_it = |(other, known): &(Cgroup, String)| known == name && other.id().ok() == id;
        made().cgroups.retain(|entry| !is_it(entry));
    }
}

/// Removes all that this fork has made, with what is in it: it ends. What it does
/// not come to, because it is killed, goes with the cgroup of its guest.
pub(crate) fn remove_all() {
    // As most forks end: to take the lock would copy its page.
    if MAKER.load(Ordering::Relaxed) != generation() {
        return;
    }
    let all = std::mem::take(&mut made().cgroups);
    // What lies in another was made after it.
    for (parent, name) in all.iter().rev() {
        let _ = parent.remove_tree(name, PATIENCE);
    }
}

fn made() -> MutexGuard<'static, Made> {
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if made.generation != generation() {
        *made = Made { generation: generation(), cgroups: Vec::new() };
    }
    made
}
