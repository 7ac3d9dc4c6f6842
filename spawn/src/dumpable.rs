//! Keeping this process dumpable although a child changes its ids.
//!
//! Linux marks memory as not dumpable when a process that uses it changes its
//! effective ids. Until it executes its program, a child uses ours. The mark
//! keeps others from tracing the child meanwhile, so it is taken off only when
//! no such child is left.

use std::sync::{Mutex, PoisonError};

use rustix::process::{DumpableBehavior, dumpable_behavior, set_dumpable_behavior};

static SPAWNS: Mutex<Spawns> = Mutex::new(Spawns { count: 0, before: None });

/// The spawns under way that change ids.
#[derive(Debug)]
struct Spawns {
    count: usize,
    /// What was so before the first of them.
    before: Option<DumpableBehavior>,
}

/// Puts things back when the last of its kind is dropped.
#[derive(Debug)]
pub(crate) struct Kept(());

impl Kept {
    /// Must live until the child has executed its program or ended.
    pub(crate) fn keep() -> Kept {
        let mut spawns = SPAWNS.lock().unwrap_or_else(PoisonError::into_inner);
        if spawns.count == 0 {
            spawns.before = dumpable_behavior().ok();
        }
        spawns.count += 1;
        Kept(())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut spawns = SPAWNS.lock().unwrap_or_else(PoisonError::into_inner);
        spawns.count -= 1;
        // Only this is taken away, and this can always be given back.
        if spawns.count == 0 && spawns.before == Some(DumpableBehavior::Dumpable) {
            let _ = set_dumpable_behavior(DumpableBehavior::Dumpable);
        }
    }
}
