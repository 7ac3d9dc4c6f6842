//! Counting epochs, on a thread that can be done without for a moment.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wasmtime::Engine;

/// Increments the epoch of an engine at intervals.
pub(super) struct Ticker {
    engine: Engine,
    every: Duration,
    /// The thread, which ends when the other half goes.
    thread: Option<(SyncSender<()>, JoinHandle<()>)>,
}

impl Ticker {
    pub(super) fn begin(engine: Engine, every: Duration) -> Ticker {
        let mut ticker = Ticker { engine, every, thread: None };
        ticker.go_on();
        ticker
    }

    /// Ends the thread, and waits until it has.
    pub(super) fn pause(&mut self) {
        if let Some((end, thread)) = self.thread.take() {
            drop(end);
            // It does nothing that panics.
            let _ = thread.join();
        }
    }

    /// Begins another one. Where none can be had, nothing is counted before the
    /// next fork.
    pub(super) fn go_on(&mut self) {
        let (end, ended) = sync_channel::<()>(0);
        let (engine, every) = (self.engine.clone(), self.every);
        let tick = move || {
            while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                engine.increment_epoch();
            }
        };
        let thread = thread::Builder::new().name("offspring-epochs".to_owned()).spawn(tick);
        self.thread = thread.ok().map(|thread| (end, thread));
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.pause();
    }
}

impl std::fmt::Debug for Ticker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticker").field("every", &self.every).finish_non_exhaustive()
    }
}
