//! Threads that spawn, for callers that must not sleep.
//!
//! They are made when they are needed and never end: to Linux the parent of a
//! child is the thread that made it, and a parent death signal comes when that
//! ends.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use rustix::io::Errno;

use crate::abort::SpawnAbort;
use crate::child::Child;
use crate::command::Command;
use crate::error::{SpawnError, Stage};

/// The most threads. Only a spawn that does not come back keeps one for long.
const MAX: usize = 512;

/// More than enough to prepare a command.
const STACK: usize = 256 << 10;

/// A spawn, and who waits for it.
#[derive(Debug)]
struct Job {
    command: Command,
    abort: SpawnAbort,
    to: Arc<Shared>,
}

struct Lanes {
    jobs: VecDeque<Job>,
    idle: usize,
    running: usize,
}

static LANES: Mutex<Lanes> = Mutex::new(Lanes { jobs: VecDeque::new(), idle: 0, running: 0 });
static MORE: Condvar = Condvar::new();

/// A child that is being started on another thread: a future, for any runtime.
///
/// Dropping it aborts the spawn, and nothing is left.
#[derive(Debug)]
#[must_use = "dropping it aborts the spawn"]
pub struct Spawning {
    shared: Arc<Shared>,
    abort: SpawnAbort,
}

#[derive(Debug, Default)]
struct Shared(Mutex<Slot>);

#[derive(Debug, Default)]
struct Slot {
    result: Option<Result<Child, SpawnError>>,
    waker: Option<Waker>,
}

impl Command {
    /// Starts the process on a thread of this crate's own, so that the calling
    /// one does not sleep until the program is executed.
    ///
    /// Those threads live as long as this process, and so may what asks for a
    /// [parent death signal](Command::parent_death_signal). The handing over
    /// costs about as much as the spawn of a small program.
    pub fn spawn_async(self) -> Spawning {
        self.spawn_async_abortable(SpawnAbort::default())
    }

    /// The same, to be stopped from elsewhere too.
    pub fn spawn_async_abortable(self, abort: SpawnAbort) -> Spawning {
        let shared = Arc::<Shared>::default();
        let job = Job { command: self, abort: abort.clone(), to: Arc::clone(&shared) };
        if let Err(errno) = hand_over(job) {
            shared.fill(Err(SpawnError { stage: Stage::Clone, errno }));
        }
        Spawning { shared, abort }
    }
}

impl Shared {
    fn fill(&self, result: Result<Child, SpawnError>) {
        let mut slot = self.slot();
        slot.result = Some(result);
        let waker = slot.waker.take();
        drop(slot);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Future for Spawning {
    type Output = Result<Child, SpawnError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = self.shared.slot();
        match slot.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                slot.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Spawning {
    fn drop(&mut self) {
        // What comes back all the same is dropped by the thread, and so killed.
        self.abort.abort();
    }
}

/// Gives a job to a thread: an idle one, a new one, or the first that becomes
/// idle.
fn hand_over(job: Job) -> Result<(), Errno> {
    let mut lanes = lanes();
    if lanes.idle <= lanes.jobs.len() && lanes.running < MAX {
        let thread = thread::Builder::new().name("offspring-lane".to_owned()).stack_size(STACK);
        match thread.spawn(run) {
            Ok(_) => lanes.running += 1,
            Err(_) if lanes.running > 0 => {}
            Err(error) => return Err(Errno::from_io_error(&error).unwrap_or(Errno::AGAIN)),
        }
    }
    lanes.jobs.push_back(job);
    drop(lanes);
    MORE.notify_one();
    Ok(())
}

fn run() {
    let mut lanes = lanes();
    lanes.idle += 1;
    loop {
        let Some(Job { command, abort, to }) = lanes.jobs.pop_front() else {
            lanes = MORE.wait(lanes).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        lanes.idle -= 1;
        drop(lanes);
        let result = command.spawn_abortable(&abort);
        drop(command);
        // Before anybody is told, who may have the next one at once.
        self::lanes().idle += 1;
        to.fill(result);
        drop(to);
        lanes = self::lanes();
    }
}

fn lanes() -> MutexGuard<'static, Lanes> {
    LANES.lock().unwrap_or_else(PoisonError::into_inner)
}
