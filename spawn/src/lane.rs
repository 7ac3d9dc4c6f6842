//! Threads that spawn, for callers that must not sleep.
//!
//! They are made when they are needed and never end: to Linux the parent of a
//! child is the thread that made it, and a parent death signal comes when that
//! ends.

use std::cell::Cell;
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

/// What is held until a spawn is over.
pub(crate) type Kept = Box<dyn Send>;

/// A spawn, and who waits for it.
struct Job {
    command: Command,
    abort: SpawnAbort,
    to: Arc<Shared>,
    kept: Kept,
}

/// All of them.
struct Lanes {
    queue: Mutex<Queue>,
    more: Condvar,
}

struct Queue {
    jobs: VecDeque<Job>,
    idle: usize,
    running: usize,
}

static LANES: Lanes = Lanes::new();

thread_local! {
    static IS_LANE: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is one of these, and so never ends.
pub(crate) fn is_lane() -> bool {
    IS_LANE.get()
}

/// A child that is being started on another thread: a future, for any runtime.
///
/// Dropping it aborts the spawn, and nothing is left but a child that cannot be
/// killed yet, because it waits for a file system that does not answer: that is
/// gone a moment after it has its answer.
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
        self.spawn_async_abortable(SpawnAbort::default(), ())
    }

    /// The same, to be stopped from elsewhere too. What is `kept` is dropped when
    /// the thread has come back, also where nobody waits for it any more: for
    /// counting what is on its way.
    pub fn spawn_async_abortable(self, abort: SpawnAbort, kept: impl Send + 'static) -> Spawning {
        let (shared, kept) = (Arc::<Shared>::default(), Box::new(kept));
        let job = Job { command: self, abort: abort.clone(), to: Arc::clone(&shared), kept };
        if let Err(errno) = LANES.hand_over(job) {
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
            None if self.abort.poll_aborted(context.waker()) => {
                Poll::Ready(Err(SpawnAbort::error()))
            }
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
        self.abort.abandon();
        // Nobody is to be woken, and a thread that is stuck must not keep a runtime.
        let waker = self.shared.slot().waker.take();
        drop(waker);
    }
}

impl Lanes {
    const fn new() -> Lanes {
        let queue = Queue { jobs: VecDeque::new(), idle: 0, running: 0 };
        Lanes { queue: Mutex::new(queue), more: Condvar::new() }
    }

    /// Gives a job to a thread: an idle one, a new one, or the first that
    /// becomes idle.
    fn hand_over(&'static self, job: Job) -> Result<(), Errno> {
        let mut queue = self.queue();
        if queue.idle <= queue.jobs.len() && queue.running < MAX {
            let thread = thread::Builder::new().name("offspring-lane".to_owned()).stack_size(STACK);
            match thread.spawn(|| self.run()) {
                Ok(_) => queue.running += 1,
                Err(_) if queue.running > 0 => {}
                Err(error) => return Err(Errno::from_io_error(&error).unwrap_or(Errno::AGAIN)),
            }
        }
        queue.jobs.push_back(job);
        drop(queue);
        self.more.notify_one();
        Ok(())
    }

    fn run(&self) {
        IS_LANE.set(true);
        let mut queue = self.queue();
        queue.idle += 1;
        loop {
            let Some(Job { command, abort, to, kept }) = queue.jobs.pop_front() else {
                queue = self.more.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            queue.idle -= 1;
            drop(queue);
            let result = command.spawn_abortable(&abort);
            drop(command);
            // Before anybody is told, who may have the next one at once.
            self.queue().idle += 1;
            // Likewise: who has the child is then the only one to have what is
            // kept.
            if Arc::strong_count(&to) > 1 {
                drop(kept);
                to.fill(result);
            } else {
                drop(result);
                drop(kept);
            }
            drop(to);
            queue = self.queue();
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
