//! A cgroup of a guest's: the resource `cgroup`.

use std::sync::Arc;

use async_trait::async_trait;
use offspring_spawn::{CgroupError, CgroupEvents, MemoryEventsFile};
use tokio::io::Interest;
use wasmtime_wasi_io::poll::Pollable;

use super::leaf::{Leaf, Spares};
use super::owned::OwnedCgroup;
use crate::policy::is_group_name;
use crate::quota::{Quota, Share};
use crate::readiness::Readiness;

/// A handle of a cgroup that a guest was granted or has made. Dropping the one
/// that it has made kills everything in it.
#[derive(Debug)]
pub struct Cgroup(Arc<Node>);

/// A cgroup among those of a guest.
#[derive(Debug)]
pub(crate) struct Node {
    owned: Arc<OwnedCgroup>,
    /// For children to come.
    spares: Arc<Spares>,
    /// `None` for one that the host has made.
    above: Option<Arc<Node>>,
    /// The group of the policy that it is, or lies beneath.
    granted: String,
    depth: u32,
    _share: Option<Share>,
}

/// Why a guest gets no cgroup.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotMade {
    #[error("no group can have this name")]
    Name,
    #[error("the guest has as many groups, or groups so deep, as its host allows")]
    LimitReached,
    #[error(transparent)]
    Kernel(#[from] CgroupError),
}

/// How deep a guest may nest its groups.
const DEPTH_MAX: u32 = 8;

/// How many processes are listed.
const LISTED: usize = 10_000;

impl Node {
    /// A cgroup that the host has made for this group of the policy.
    pub(super) fn granted(owned: OwnedCgroup, name: &str) -> Node {
        let owned = Arc::new(owned);
        let spares = Arc::default();
        Node { owned, spares, above: None, granted: name.to_owned(), depth: 0, _share: None }
    }

    pub(crate) fn cgroup(&self) -> &offspring_spawn::Cgroup {
        self.owned.cgroup()
    }

    /// Kills every process in it and beneath it.
    ///
    /// # Errors
    /// Those of the engine's `Cgroup::kill`.
    pub(crate) fn kill(&self) -> Result<(), CgroupError> {
        Leaf::note_kill();
        self.cgroup().kill()
    }

    pub(super) fn owned(&self) -> &Arc<OwnedCgroup> {
        &self.owned
    }

    pub(super) fn spares(&self) -> &Arc<Spares> {
        &self.spares
    }

    /// The group of the policy that it is, or lies beneath.
    pub(crate) fn granted_name(&self) -> &str {
        &self.granted
    }

    /// Whether this one is, or lies beneath, that one.
    pub(crate) fn is_within(&self, other: &Node) -> bool {
        self.with_all_above().any(|node| std::ptr::eq(node, other))
    }

    /// Whether it, or one above it, was told to freeze.
    pub(super) fn is_frozen(&self) -> bool {
        self.with_all_above().any(|node| node.cgroup().is_freezing().unwrap_or(false))
    }

    /// Whether it, or one above it, has as many processes as it may.
    pub(crate) fn is_full(&self) -> bool {
        self.with_all_above().any(|node| {
            let stat = node.cgroup().pids_stat();
            stat.is_ok_and(|stat| {
                stat.is_some_and(|stat| offspring_spawn::Limit::At(stat.current) >= stat.max)
            })
        })
    }

    fn with_all_above(&self) -> impl Iterator<Item = &Node> {
        std::iter::successors(Some(self), |node| node.above.as_deref())
    }
}

impl Cgroup {
    pub(crate) fn new(node: Arc<Node>) -> Cgroup {
        Cgroup(node)
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.0
    }

    /// Whether the guest has made it, and so may set its limits.
    pub(crate) fn is_guests(&self) -> bool {
        self.0.above.is_some()
    }

    /// Makes a group beneath this one.
    pub(crate) fn create_child(&self, name: &str, quota: &Quota) -> Result<Cgroup, NotMade> {
        if !is_group_name(name) {
            return Err(NotMade::Name);
        }
        let depth = self.0.depth + 1;
        let share = quota.take().filter(|_| depth <= DEPTH_MAX).ok_or(NotMade::LimitReached)?;
        let owned = OwnedCgroup::within(&self.0.owned, format!("group.{name}"))?;
        owned.open_up();
        Ok(Cgroup(Arc::new(Node {
            owned: Arc::new(owned),
            spares: Arc::default(),
            above: Some(Arc::clone(&self.0)),
            granted: self.0.granted.clone(),
            depth,
            _share: Some(share),
        })))
    }

    /// The numbers of all processes in it and beneath it, up to a bound.
    pub(crate) fn processes(&self) -> Result<Vec<u32>, CgroupError> {
        let mut numbers = Vec::new();
        let mut left = vec![self.0.cgroup().clone()];
        while let Some(cgroup) = left.pop() {
            numbers.extend(cgroup.processes()?);
            if numbers.len() >= LISTED {
                break;
            }
            // One that was removed meanwhile had none.
            left.extend(cgroup.children()?.iter().filter_map(|name| cgroup.child(name).ok()));
        }
        numbers.truncate(LISTED);
        Ok(numbers)
    }

    /// Waits until it is empty.
    pub(crate) fn watch_empty(&self) -> Result<Emptiness, CgroupError> {
        let events = Arc::new(self.0.cgroup().events()?);
        Ok(Emptiness { readiness: Readiness::default(), events })
    }

    /// Waits until memory was out.
    pub(crate) fn watch_out_of_memory(&self) -> Result<OutOfMemory, CgroupError> {
        let before = self.0.cgroup().memory_events()?.oom_kill;
        let events = Arc::new(self.0.cgroup().memory_events_file()?);
        Ok(OutOfMemory { readiness: Readiness::default(), events, before })
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Removed when nothing in it is held any more; killed now.
        if self.is_guests() && self.0.owned.is_ours() {
            let _ = self.0.kill();
        }
    }
}

/// Ready as long as there is no process in a cgroup.
#[derive(Debug)]
pub(crate) struct Emptiness {
    // Before what it refers to.
    readiness: Readiness<Arc<CgroupEvents>>,
    events: Arc<CgroupEvents>,
}

#[async_trait]
impl Pollable for Emptiness {
    async fn ready(&mut self) {
        // One that was removed is empty, too.
        while self.events.read().is_ok_and(|state| state.populated) {
            self.readiness.ready(&self.events, Interest::PRIORITY).await;
        }
    }
}

/// Ready once a process in a cgroup was killed because memory was out.
#[derive(Debug)]
pub(crate) struct OutOfMemory {
    // Before what it refers to.
    readiness: Readiness<Arc<MemoryEventsFile>>,
    events: Arc<MemoryEventsFile>,
    before: u64,
}

#[async_trait]
impl Pollable for OutOfMemory {
    async fn ready(&mut self) {
        // One that was removed never will be; nobody waits for it for ever.
        while self.events.read().is_ok_and(|events| events.oom_kill == self.before) {
            self.readiness.ready(&self.events, Interest::PRIORITY).await;
        }
    }
}
