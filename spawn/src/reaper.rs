//! Waiting for processes that nobody owns any more, so that a drop need not.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::child::{Child, Gone};
use crate::pidfd::PidFd;
use crate::status::Exit;
use crate::wait::{self, Reap};

/// A process without an owner, and what is called when it is gone.
#[derive(Debug)]
pub(crate) struct Orphan {
    pub(crate) pidfd: PidFd,
    /// How it ended, where only its zombie is left.
    pub(crate) known: Option<Exit>,
    pub(crate) gone: Gone,
}

/// The end of a child that was [released](Child::release).
#[derive(Debug, Clone)]
pub struct Release(Arc<Terms>);

#[derive(Debug)]
struct Terms {
    /// `None` for never.
    until: Option<Instant>,
    revoked: AtomicBool,
}

impl Release {
    pub(crate) fn after(grace: Duration) -> Release {
        let until = Instant::now().checked_add(grace);
        Release(Arc::new(Terms { until, revoked: AtomicBool::new(false) }))
    }

    /// Lets the child be killed now, whatever is left of its time. Done by the
    /// thread that waits for it, a moment later.
    pub fn revoke(&self) {
        self.0.revoked.store(true, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        let late = self.0.until.is_some_and(|until| until <= Instant::now());
        late || self.0.revoked.load(Ordering::Relaxed)
    }
}

/// What is waited for.
#[derive(Debug)]
enum Waiting {
    /// Killed, so that only its end is still to come.
    Killed(Orphan),
    /// Left to itself.
    Left(Orphan),
    /// Asked to end. Dropping it kills what is left.
    Asked(Child, Release),
}

#[derive(Debug)]
struct Orphans {
    waiting: Vec<Waiting>,
    running: bool,
}

static MORE: Condvar = Condvar::new();
static ORPHANS: Mutex<Orphans> = Mutex::new(Orphans { waiting: Vec::new(), running: false });

/// How often to look. Not by the pidfds: one can be readable for long before
/// its process can be waited for, when something traces it.
const INTERVAL: Duration = Duration::from_millis(50);

/// The same while there is nothing but what was left to itself.
const LONG_INTERVAL: Duration = Duration::from_secs(1);

/// Waits for a killed process.
pub(crate) fn adopt(orphan: Orphan) {
    wait_for(Waiting::Killed(orphan));
}

/// Waits for a process that may live as long as it likes.
pub(crate) fn leave(orphan: Orphan) {
    wait_for(Waiting::Left(orphan));
}

/// Waits for a child that was asked to end, and kills it when its time is over.
pub(crate) fn end_within(child: Child, release: Release) {
    wait_for(Waiting::Asked(child, release));
}

/// Waits on a thread that is there only while there is something to wait for.
/// If no thread can be had, a killed process stays a zombie, and one that was
/// asked lives, until the next one comes.
fn wait_for(waiting: Waiting) {
    let mut orphans = orphans();
    orphans.waiting.push(waiting);
    MORE.notify_one();
    if !orphans.running {
        let thread = thread::Builder::new().name("offspring-reaper".to_owned());
        orphans.running = thread.spawn(run).is_ok();
    }
}

fn run() {
    loop {
        let orphans = orphans();
        let only_left = orphans.waiting.iter().all(|waiting| matches!(waiting, Waiting::Left(_)));
        if only_left {
            // Until there is more, or it is time to look.
            drop(MORE.wait_timeout(orphans, LONG_INTERVAL));
        } else {
            drop(orphans);
            thread::sleep(INTERVAL);
        }
        let mut orphans = self::orphans();
        let gone: Vec<_> = orphans.waiting.extract_if(.., |waiting| waiting.is_over()).collect();
        drop(orphans);
        // A drop may take its time, and have another process adopted; what is
        // called may do anything.
        gone.into_iter().for_each(Waiting::end);
        let mut orphans = self::orphans();
        if orphans.waiting.is_empty() {
            orphans.running = false;
            return;
        }
    }
}

impl Waiting {
    fn end(self) {
        match self {
            Waiting::Killed(Orphan { known, gone, .. })
            | Waiting::Left(Orphan { known, gone, .. }) => gone.call(known),
            Waiting::Asked(child, _) => drop(child),
        }
    }

    fn is_over(&mut self) -> bool {
        match self {
            Waiting::Killed(orphan) | Waiting::Left(orphan) => {
                match wait::try_wait(orphan.pidfd.as_fd(), Reap::Yes) {
                    Ok(None) => return false,
                    Ok(Some(exit)) => orphan.known = orphan.known.or(Some(exit)),
                    // It will not get better.
                    Err(_) => {}
                }
                true
            }
            Waiting::Asked(child, release) => {
                release.is_over() || child.is_gone() || child.would_have_ended()
            }
        }
    }
}

fn orphans() -> MutexGuard<'static, Orphans> {
    ORPHANS.lock().unwrap_or_else(PoisonError::into_inner)
}
