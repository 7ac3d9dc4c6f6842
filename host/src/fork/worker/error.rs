//! Why there is no worker.

use std::io;
use std::time::Duration;

use offspring_spawn::{CgroupError, ExitStatus, SpawnError};

/// Why a worker or a zygote could not be started. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Its program cannot be opened.
    #[error("cannot open the program of workers: {0}")]
    Program(SpawnError),
    /// Its process cannot be started.
    #[error("cannot start the program of workers: {0}")]
    Spawn(#[from] SpawnError),
    /// It can have no cgroup of its own.
    #[error("no group for a worker: {0}")]
    Group(#[from] CgroupError),
    /// The program could not prepare itself, in its own words.
    #[error("the program of workers cannot prepare itself: {0}")]
    Prepare(String),
    /// The zygote could not be copied; in words of
    /// [`ForkError`](offspring_spawn::ForkError).
    #[error("the zygote cannot be forked: {0}")]
    Fork(String),
    /// It ended before it was ready, or closed its standard input and was killed.
    #[error("it ended before it was ready: {0}; does its `main` call `worker_main`?")]
    Ended(ExitStatus),
    /// The zygote has ended.
    #[error("the zygote has ended: {0}")]
    ZygoteEnded(ExitStatus),
    /// It was not ready in time, and was killed.
    #[error("it was not ready within {0:?}; does its `main` call `worker_main`?")]
    TimedOut(Duration),
    /// This is not called within a runtime of tokio's.
    #[error("workers are started within a runtime of tokio's, with its drivers enabled")]
    NoRuntime,
    /// Something else went wrong between the two processes.
    #[error("cannot talk to a worker: {0}")]
    Io(#[from] io::Error),
}
