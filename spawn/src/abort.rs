//! Stopping a spawn that does not come back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;

use crate::birth::Birth;
use crate::error::{SpawnError, Stage};
use crate::pidfd;

/// Stops a spawn from another thread, by killing the child that has not executed
/// its program yet.
///
/// A spawn sleeps until that has happened, which takes for ever in a cgroup that
/// stays frozen, or on a file system that does not answer.
///
/// ```
/// use offspring_spawn::{Command, Errno, Program, SpawnAbort};
///
/// let command = Command::new(&Program::open("/bin/sh")?);
/// let abort = SpawnAbort::default();
/// abort.abort();
/// assert_eq!(command.spawn_abortable(&abort).unwrap_err().errno, Errno::CANCELED);
/// # Ok::<(), offspring_spawn::SpawnError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct SpawnAbort(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    progress: Mutex<Progress>,
    birth: Birth,
    /// Who waits for a spawn on another thread.
    waker: Mutex<Option<Waker>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Progress {
    #[default]
    Waiting,
    /// The child is being made, or has been and its program is not executed.
    Started,
    /// The child is to be killed, or never made.
    Aborted,
    /// The spawn has come back.
    Over,
}

/// How long to wait for the kernel to make the child that is to be killed.
const PAUSE: Duration = Duration::from_micros(50);

impl SpawnAbort {
    /// Stops the spawn: it fails with `ECANCELED`, unless it is over. One that
    /// has not begun does not begin. One that has executed its program and is
    /// [patient](crate::Command::patience) is over.
    ///
    /// The calling thread of a spawn sleeps until its child is dead, which a file
    /// system that does not answer can put off. Who awaits a
    /// [`Spawning`](crate::Spawning) is told at once.
    pub fn abort(&self) {
        self.stop(Birth::has_left);
        if let Some(waker) = self.waker().take() {
            waker.wake();
        }
    }

    /// Stops it also when its program runs: nobody will have it.
    pub(crate) fn abandon(&self) {
        self.stop(|_| false);
    }

    /// Whether it was aborted before the spawn was over. If not, the waker is
    /// woken when it is.
    pub(crate) fn poll_aborted(&self, waker: &Waker) -> bool {
        *self.waker() = Some(waker.clone());
        *self.progress() == Progress::Aborted
    }

    fn stop(&self, is_over: fn(&Birth) -> bool) {
        let mut progress = self.progress();
        loop {
            match *progress {
                Progress::Waiting => *progress = Progress::Aborted,
                Progress::Aborted | Progress::Over => {}
                Progress::Started if is_over(&self.0.birth) => {}
                Progress::Started => {
                    let Some(child) = self.0.birth.child() else {
                        drop(progress);
                        thread::sleep(PAUSE);
                        progress = self.progress();
                        continue;
                    };
                    *progress = Progress::Aborted;
                    // The spawn does not close its pidfd before it has said,
                    // behind this lock, that it is over.
                    let _ = pidfd::kill_by_number(child);
                }
            }
            return;
        }
    }

    /// Makes a child, and tells whether it was aborted meanwhile.
    pub(crate) fn watch<T>(&self, make: impl FnOnce(&Birth) -> T) -> Result<(T, bool), SpawnError> {
        {
            let mut progress = self.progress();
            if *progress != Progress::Waiting {
                return Err(SpawnAbort::error());
            }
            *progress = Progress::Started;
        }
        let made = make(&self.0.birth);
        let mut progress = self.progress();
        let aborted = *progress == Progress::Aborted;
        // What was aborted stays so: somebody may still have to be told.
        if !aborted {
            *progress = Progress::Over;
        }
        Ok((made, aborted))
    }

    /// Makes ready for a second attempt, if it was not aborted in the first.
    pub(crate) fn again(&self) -> Result<(), SpawnError> {
        let mut progress = self.progress();
        match *progress {
            Progress::Aborted => Err(SpawnAbort::error()),
            Progress::Waiting | Progress::Started | Progress::Over => {
                self.0.birth.reset();
                *progress = Progress::Waiting;
                Ok(())
            }
        }
    }

    pub(crate) fn error() -> SpawnError {
        SpawnError { stage: Stage::Exec, errno: Errno::CANCELED }
    }

    fn waker(&self) -> MutexGuard<'_, Option<Waker>> {
        self.0.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.0.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
