//! Where guests run that fork.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::thread;
use std::time::{Duration, Instant};

use offspring_spawn::{ForkError, exit_process, is_single_threaded};
use tokio::runtime::Builder;
use wasmtime::Engine;

use super::ticker::Ticker;
use super::{NotForked, flush};
use crate::cgroup;
use crate::children::Children;

/// Runs guests that fork: a tokio runtime of this thread alone, whose helper
/// threads end as soon as they have nothing to do.
pub struct Runtime {
    tokio: tokio::runtime::Runtime,
    epochs: Option<(Engine, Duration)>,
}

/// What runs on this thread.
#[derive(Debug)]
struct Running {
    /// Whether the process had other threads before the guest did anything.
    crowded: bool,
    /// In a process that was made by a fork: what its guest has started, and
    /// what its parent's had.
    fork: Option<Children>,
    epochs: Option<Ticker>,
}

thread_local! {
    static RUNNING: RefCell<Option<Running>> = const { RefCell::new(None) };
}

/// How long threads that help the guest may take to end before a fork fails: the
/// one that waits for deadlines stays up to two seconds when there are none left.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a fork exits with whose host panicked, as Rust programs do.
const PANICKED: u8 = 101;

impl Runtime {
    /// Makes the runtime. No thread is started.
    ///
    /// # Errors
    /// When the process has no descriptors or memory left.
    pub fn new() -> io::Result<Runtime> {
        let mut builder = Builder::new_current_thread();
        builder.enable_io().enable_time().thread_keep_alive(Duration::ZERO);
        Ok(Runtime { tokio: builder.build()?, epochs: None })
    }

    /// Counts the engine's [epochs](Engine::increment_epoch) while a guest runs, in
    /// every process of it. A thread does so, which ends before each fork and begins
    /// anew after it, in the parent and in the child. That takes some tens of
    /// microseconds.
    pub fn epochs(mut self, engine: &Engine, every: Duration) -> Runtime {
        self.epochs = Some((engine.clone(), every));
        self
    }

    /// Runs a guest on this thread and returns the code that it ends with.
    ///
    /// In every process that the guest forked, this does not return: it kills
    /// the children that are left there and ends the process with the code, or
    /// with 101 after a panic. Nothing on the stack of the caller is dropped
    /// there, nor the future. What the future drops itself at its end it drops in
    /// each process, so what must be dropped once, such as the store, belongs
    /// outside.
    ///
    /// # Panics
    /// Within another runtime, and when the future panics.
    pub fn run(&self, guest: impl Future<Output = u8>) -> u8 {
        let mut guest = pin!(guest);
        let crowded = !matches!(is_single_threaded(), Ok(true));
        let epochs = self.epochs.clone().map(|(engine, every)| Ticker::begin(engine, every));
        let outer = RUNNING.replace(Some(Running { crowded, fork: None, epochs }));
        let ended = catch_unwind(AssertUnwindSafe(|| self.tokio.block_on(guest.as_mut())));
        if let Some(Running { fork: Some(children), .. }) = RUNNING.replace(outer) {
            end(&children, ended.unwrap_or(PANICKED));
        }
        ended.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// Ends this process if a fork made it.
pub(crate) fn end_fork(code: u8) {
    let fork = |running: &Option<Running>| running.as_ref().and_then(|it| it.fork.clone());
    if let Some(children) = RUNNING.with_borrow(fork) {
        end(&children, code);
    }
}

/// Ends a process that a fork made: kills what is left of its children.
fn end(children: &Children, code: u8) -> ! {
    children.shut_down();
    cgroup::remove_all();
    flush();
    exit_process(code)
}

/// Waits until this process can be copied: what helps the guest on another
/// thread may take a moment to end.
pub(super) fn wait_until_alone() -> Result<(), NotForked> {
    let start = Instant::now();
    let crowded = RUNNING.with_borrow(|running| running.as_ref().map(|running| running.crowded));
    while !is_single_threaded()? {
        match crowded {
            Some(false) if start.elapsed() < PATIENCE => thread::sleep(MOMENT),
            Some(false) => return Err(NotForked::Busy),
            Some(true) | None => return Err(ForkError::NotSingleThreaded.into()),
        }
    }
    match crowded {
        Some(_) => Ok(()),
        None => Err(NotForked::NoRuntime),
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let every = self.epochs.as_ref().map(|(_, every)| every);
        f.debug_struct("Runtime").field("epochs", &every).finish_non_exhaustive()
    }
}

/// Stops counting epochs, until this is dropped: in the process that forks, and in
/// the one that was forked.
pub(super) fn pause_epochs() -> Paused {
    let pause = |running: &mut Option<Running>| {
        running.as_mut().and_then(|running| running.epochs.as_mut()).map(Ticker::pause)
    };
    Paused(RUNNING.with_borrow_mut(pause).is_some())
}

/// That epochs are not counted.
#[derive(Debug)]
pub(super) struct Paused(bool);

impl Drop for Paused {
    fn drop(&mut self) {
        if self.0 {
            RUNNING.with_borrow_mut(|running| {
                if let Some(epochs) = running.as_mut().and_then(|running| running.epochs.as_mut()) {
                    epochs.go_on();
                }
            });
        }
    }
}

/// How often to look.
const MOMENT: Duration = Duration::from_micros(20);

/// Remembers that this process was made by a fork.
pub(super) fn enter_fork(children: &Children) {
    RUNNING.with_borrow_mut(|running| {
        if let Some(running) = running {
            running.fork = Some(children.clone());
        }
    });
}
