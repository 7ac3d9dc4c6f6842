//! A child process that a guest owns: the resource `pidfd`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use offspring_spawn::{ExitStatus, ResourceUsage};
use tokio::io::Interest;
use wasmtime_wasi_io::poll::Pollable;

use crate::held::Narrowed;
use crate::process::ChildProcess;
use crate::readiness::Readiness;

/// Why a process ended, where it did not end by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Its deadline passed.
    Deadline,
    /// The guest ended it by its handle.
    Killed,
    /// The host ended it.
    KilledByHost,
    /// Its handle was dropped, by the guest or with the store.
    Dropped,
    /// The kernel killed it, because the memory of its group was out.
    OutOfMemory,
}

impl Cause {
    /// The word that the audit log has for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Cause::Deadline => "deadline",
            Cause::Killed => "killed",
            Cause::KilledByHost => "killed-by-host",
            Cause::Dropped => "dropped",
            Cause::OutOfMemory => "out-of-memory",
        }
    }
}

/// The end of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Exit {
    /// How it ended.
    pub status: ExitStatus,
    /// Why, where the host knows.
    pub cause: Option<Cause>,
    /// What it used.
    pub usage: Option<ResourceUsage>,
}

/// A child process that a guest owns. Dropping it ends the process with its
/// process group, and waits for it.
#[derive(Debug)]
pub struct Child {
    // Before the process: it refers to its descriptor.
    readiness: Readiness<Arc<ChildProcess>>,
    process: Arc<ChildProcess>,
    origin: Origin,
    narrowed: Narrowed,
}

/// Where a child comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Started by a grant, which has this index in the policy.
    Grant(usize),
    /// A fork of the guest itself.
    Fork,
}

impl Child {
    pub(crate) fn new(process: Arc<ChildProcess>, origin: Origin, narrowed: Narrowed) -> Child {
        Child { readiness: Readiness::default(), process, origin, narrowed }
    }

    /// What was taken away from the grant that it was started by.
    pub(crate) fn narrowed(&self) -> &Narrowed {
        &self.narrowed
    }

    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    pub(crate) fn process(&self) -> &Arc<ChildProcess> {
        &self.process
    }
}

#[async_trait]
impl Pollable for Child {
    async fn ready(&mut self) {
        // A process of our parent's is not waited for: `try-wait` says so.
        while self.process.is_ours() {
            let process = &self.process;
            self.readiness.ready(process, Interest::READABLE).await;
            if !matches!(process.try_wait(), Ok(None)) {
                return;
            }
            // Dead, but not ours to wait for yet: something traces it.
            tokio::time::sleep(TRACED).await;
        }
    }
}

/// How often to look whether a dead process is let go by what traces it.
const TRACED: Duration = Duration::from_millis(10);
