//! Embedders of every kind.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::run::Run;

/// A runtime of one thread: this one.
pub fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A runtime of two threads.
pub fn multi_thread() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// Runs a guest that must end well in every kind of embedder.
#[track_caller]
pub fn everywhere(run: impl Fn() -> Run) {
    run().sync().success();
    current_thread().block_on(run().r#async()).success();
    let runtime = multi_thread();
    runtime.block_on(runtime.spawn(run().r#async())).unwrap().success();
}

/// Drives a future until it is ready, or until something else is so: then it is
/// dropped, and there is no result.
pub async fn drive_until<F>(mut future: F, stop: impl Fn() -> bool) -> Option<F::Output>
where
    F: Future + Unpin,
{
    loop {
        match tokio::time::timeout(Duration::from_millis(1), &mut future).await {
            Ok(output) => return Some(output),
            Err(_) if stop() => return None,
            Err(_) => {}
        }
    }
}
