//! Telling the host what a guest does: its log, and its audit sink.

use std::fmt::{Display, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use offspring_spawn::{ExitStatus, Signal};

use crate::audit::{Audit, ChildName, Event, Exit, Record, Refusal};
use crate::child::Cause;
use crate::plan::Plan;
use crate::policy::text::quoted;
use crate::rate::Rate;
use crate::request::Request;

/// How many refusals and signals of one guest are told: a guest that is refused
/// in a loop must not fill its host's disk. Spawns, which every other record
/// comes from, have a limit of the policy's.
const A_SECOND: u32 = 10;
const AT_ONCE: u32 = 1000;

/// Tells the host what one guest does.
#[derive(Debug)]
pub(crate) struct Recorder {
    guest: String,
    /// The names of the policy's grants, in its order.
    grants: Vec<String>,
    sink: Option<Arc<dyn Audit>>,
    rate: Rate,
    omitted: AtomicU64,
    children: AtomicU64,
    /// Which fork of the guest this process is: the numbers that led to it.
    fork: Mutex<String>,
}

impl Recorder {
    pub(crate) fn new(
        guest: String,
        grants: Vec<String>,
        sink: Option<Arc<dyn Audit>>,
    ) -> Recorder {
        Recorder {
            guest,
            grants,
            sink,
            rate: Rate::new(A_SECOND, AT_ONCE),
            omitted: AtomicU64::new(0),
            children: AtomicU64::new(0),
            fork: Mutex::new(String::with_capacity(16)),
        }
    }

    /// Begins to tell of a child that was started, for which all began at this moment.
    pub(crate) fn spawned(
        self: &Arc<Recorder>,
        plan: &Plan,
        pid: Option<u32>,
        started: Instant,
    ) -> Account {
        let number = self.next_child();
        let name = Name { number, grant: Some(plan.grant), pid };
        let child = self.child(name);
        let ChildName { number, grant, pid } = child;
        tracing::info!(guest = self.guest, child = number, grant, pid, "spawned");
        self.tell(Event::Spawned { child, plan });
        let recorder = Arc::clone(self);
        Account { recorder, name, started, is_over: AtomicBool::new(false) }
    }

    /// The number of the next child.
    pub(crate) fn next_child(&self) -> u64 {
        self.children.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Begins to tell of a fork that was just made.
    pub(crate) fn forked(self: &Arc<Recorder>, number: u64, pid: Option<u32>) -> Account {
        let name = Name { number, grant: None, pid };
        tracing::info!(guest = self.guest, child = number, pid, "forked");
        self.tell(Event::Forked { child: self.child(name) });
        let recorder = Arc::clone(self);
        Account { recorder, name, started: Instant::now(), is_over: AtomicBool::new(false) }
    }

    /// Tells from now on of a fork, which has children of its own.
    pub(crate) fn enter_fork(&self, number: u64) {
        let mut fork = self.fork.lock().unwrap_or_else(PoisonError::into_inner);
        if !fork.is_empty() {
            fork.push('.');
        }
        // Without another allocation, for each of which the child would copy a page.
        let _ = write!(fork, "{number}");
        self.children.store(0, Ordering::Relaxed);
        // What was not told its parent tells.
        self.omitted.store(0, Ordering::Relaxed);
    }

    pub(crate) fn not_spawned(&self, request: &Request, refusal: Refusal<'_>) {
        if self.has_room() {
            self.warn(&quoted(&request.program), &refusal.message);
            self.tell(Event::NotSpawned { request, refusal });
        }
    }

    fn signaled(&self, name: Name, signal: Signal, group: bool, refusal: Option<Refusal<'_>>) {
        if !self.has_room() {
            return;
        }
        let child = self.child(name);
        let ChildName { number, grant, pid } = child;
        match &refusal {
            Some(refusal) => self.warn(&quoted(grant), &refusal.message),
            None => {
                tracing::info!(guest = self.guest, child = number, grant, pid, %signal, group, "signaled");
            }
        }
        self.tell(Event::Signaled { child, signal, group, refusal });
    }

    pub(crate) fn limited(&self, function: &'static str, refusal: Refusal<'_>) {
        if self.has_room() {
            self.warn(&function, &refusal.message);
            self.tell(Event::Limited { function, refusal });
        }
    }

    fn exited(&self, name: Name, exit: Exit, started: Instant) {
        let child = self.child(name);
        let ChildName { number, grant, pid } = child;
        let (status, cause) = (exit.status, exit.cause);
        tracing::info!(guest = self.guest, child = number, grant, pid, %status, ?cause, "exited");
        if self.sink.is_some() {
            self.tell(Event::Exited { child, exit, lived: started.elapsed() });
        }
    }

    fn warn(&self, of: &dyn Display, why: &dyn Display) {
        tracing::warn!(guest = self.guest, "refused for {of}: {why}");
    }

    fn child(&self, Name { number, grant, pid }: Name) -> ChildName<'_> {
        let grant = grant.and_then(|grant| self.grants.get(grant));
        ChildName { number, grant: grant.map_or("", String::as_str), pid }
    }

    /// Whether one more record may be made of what a guest can do as often as it
    /// likes. Counts it if not, and says how many were, if so.
    fn has_room(&self) -> bool {
        let has_room = self.rate.take(Instant::now()).is_ok();
        match has_room {
            true => self.tell_omitted(),
            false => {
                self.omitted.fetch_add(1, Ordering::Relaxed);
            }
        }
        has_room
    }

    fn tell_omitted(&self) {
        let count = self.omitted.swap(0, Ordering::Relaxed);
        if count > 0 {
            tracing::warn!(guest = self.guest, count, "refusals or signals were not told");
            self.tell(Event::Omitted { count });
        }
    }

    fn tell(&self, event: Event<'_>) {
        if let Some(sink) = &self.sink {
            let fork = self.fork.lock().unwrap_or_else(PoisonError::into_inner);
            sink.record(&Record {
                time: SystemTime::now(),
                guest: &self.guest,
                fork: &fork,
                event,
            });
        }
    }
}

/// What is told of one child, from its start to its end.
#[derive(Debug)]
pub(crate) struct Account {
    recorder: Arc<Recorder>,
    name: Name,
    started: Instant,
    is_over: AtomicBool,
}

/// What the host calls a child.
#[derive(Debug, Clone, Copy)]
struct Name {
    number: u64,
    /// The grant, by its index in the policy; `None` for a fork.
    grant: Option<usize>,
    pid: Option<u32>,
}

impl Account {
    /// Tells of its end, once.
    pub(crate) fn exited(&self, exit: Exit) {
        if !self.is_over.swap(true, Ordering::Relaxed) {
            self.recorder.exited(self.name, exit, self.started);
        }
    }

    /// The same for a process that nobody holds any more.
    pub(crate) fn gone(&self, exit: Option<offspring_spawn::Exit>, cause: Option<Cause>) {
        let lost = offspring_spawn::Exit { status: ExitStatus::Lost, usage: None };
        let offspring_spawn::Exit { status, usage } = exit.unwrap_or(lost);
        self.exited(Exit { status, cause, usage });
    }

    /// Tells that the guest sent it a signal, or why it could not.
    pub(crate) fn signaled(&self, signal: Signal, group: bool, refusal: Option<Refusal<'_>>) {
        self.recorder.signaled(self.name, signal, group, refusal);
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.tell_omitted();
    }
}
