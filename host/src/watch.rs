//! Seeing a process stop and continue.
//!
//! The kernel tells of that by a wait alone, never by the pidfd. So one thread
//! waits for each process that a guest watches, as long as the process lives.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{io, thread};

use async_trait::async_trait;
use offspring_spawn::{Change, PidFd};
use tokio::sync::Notify;
use wasmtime_wasi_io::poll::Pollable;

use crate::quota::Share;

/// How many processes a guest may watch at once.
pub(crate) const MAX: u32 = 64;

/// More than enough to wait.
const STACK: usize = 64 << 10;

/// What happened to a process that goes on living.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    seen: Mutex<Seen>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Seen {
    /// The last change that nobody has been told of.
    last: Option<Change>,
    ended: bool,
}

impl Watch {
    /// Starts to watch a process.
    ///
    /// # Errors
    /// When no thread can be had.
    pub(crate) fn start(process: PidFd, share: Share) -> io::Result<Arc<Watch>> {
        let watch = Arc::<Watch>::default();
        let told = Arc::clone(&watch);
        let wait = move || {
            // An error will not get better.
            while let Ok(Some(change)) = process.wait_change() {
                told.seen().last = Some(change);
                told.changed.notify_waiters();
            }
            told.seen().ended = true;
            told.changed.notify_waiters();
            drop(share);
        };
        let thread = thread::Builder::new().name("offspring-watch".to_owned()).stack_size(STACK);
        thread.spawn(wait)?;
        Ok(watch)
    }

    /// The last change since this was asked.
    pub(crate) fn take(&self) -> Option<Change> {
        self.seen().last.take()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a guest waits by for the next change.
#[derive(Debug)]
pub(crate) struct Changes(pub(crate) Arc<Watch>);

#[async_trait]
impl Pollable for Changes {
    async fn ready(&mut self) {
        loop {
            // Before the look, so that nothing is missed in between.
            let changed = self.0.changed.notified();
            {
                let seen = self.0.seen();
                if seen.last.is_some() || seen.ended {
                    return;
                }
            }
            changed.await;
        }
    }
}
