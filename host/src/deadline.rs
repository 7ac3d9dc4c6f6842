//! Killing children whose time is over.
//!
//! One thread waits for the nearest deadline of all children in this process:
//! neither a guest that computes without end nor a runtime that does not run can
//! hold it up. It is there while there is a deadline and a moment longer, and is
//! not woken for what it would see in time by itself, because to start or to wake
//! a thread costs as much as to start a process.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What is called when a deadline passes.
type Action = Box<dyn FnOnce() + Send>;

/// When, and a number that makes it unique.
type Key = (Instant, u64);

struct Schedule {
    actions: BTreeMap<Key, Action>,
    next: u64,
    /// When the thread looks again by itself; `None` when there is none.
    looks_at: Option<Instant>,
}

static SCHEDULE: Mutex<Schedule> =
    Mutex::new(Schedule { actions: BTreeMap::new(), next: 0, looks_at: None });
static CHANGED: Condvar = Condvar::new();

/// How long the thread stays without a deadline.
const LINGER: Duration = Duration::from_secs(1);

/// A deadline that is waited for. Dropping it calls it off.
pub(crate) struct Deadline(Key);

impl Deadline {
    /// Calls `action` on another thread after this time.
    ///
    /// # Errors
    /// When that thread cannot be started.
    pub(crate) fn after(time: Duration, action: Action) -> std::io::Result<Deadline> {
        // As good as never, for times that have no end.
        const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);
        let at = Instant::now() + time.min(CENTURY);
        let mut schedule = schedule();
        let key = (at, schedule.next);
        schedule.next += 1;
        schedule.actions.insert(key, action);
        if let Some(looks_at) = schedule.looks_at {
            if at < looks_at {
                CHANGED.notify_one();
            }
            return Ok(Deadline(key));
        }
        let thread = thread::Builder::new().name("offspring-deadline".to_owned());
        if let Err(error) = thread.spawn(run) {
            schedule.actions.remove(&key);
            return Err(error);
        }
        schedule.looks_at = Some(at);
        Ok(Deadline(key))
    }
}

impl Deadline {
    pub(crate) fn is_before(&self, other: &Deadline) -> bool {
        self.0 < other.0
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        let mut schedule = schedule();
        // Dropped after the lock is: an action may hold another deadline.
        let _action = schedule.actions.remove(&self.0);
        let soon = || Instant::now() + LINGER;
        if schedule.actions.is_empty() && schedule.looks_at.is_some_and(|at| at > soon()) {
            CHANGED.notify_one();
        }
        drop(schedule);
    }
}

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Deadline").field(&self.0.0).finish()
    }
}

fn schedule() -> MutexGuard<'static, Schedule> {
    SCHEDULE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for one deadline after the other, until there are none any more.
fn run() {
    let mut schedule = schedule();
    let mut leaves_at = None;
    loop {
        let now = Instant::now();
        let nearest = schedule.actions.first_key_value().map(|((at, _), _)| *at);
        let looks_at = match nearest {
            Some(at) if at <= now => {
                let action = schedule.actions.pop_first();
                drop(schedule);
                if let Some((_, action)) = action {
                    action();
                }
                schedule = self::schedule();
                continue;
            }
            Some(at) => {
                leaves_at = None;
                at
            }
            None => *leaves_at.get_or_insert(now + LINGER),
        };
        if looks_at <= now {
            break;
        }
        schedule.looks_at = Some(looks_at);
        schedule = match CHANGED.wait_timeout(schedule, looks_at - now) {
            Ok((schedule, _)) => schedule,
            Err(poisoned) => poisoned.into_inner().0,
        };
    }
    schedule.looks_at = None;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn comes_in_order_and_can_be_called_off() {
        let (sender, receiver) = mpsc::channel();
        let after = |millis, word: &'static str| {
            let sender = sender.clone();
            let action = Box::new(move || sender.send(word).unwrap());
            Deadline::after(Duration::from_millis(millis), action).unwrap()
        };
        let _late = after(60, "late");
        let off = after(20, "off");
        let _early = after(0, "early");
        let _never = after(u64::MAX, "never");
        drop(off);
        assert_eq!(receiver.recv(), Ok("early"));
        assert_eq!(receiver.recv(), Ok("late"));

        // The thread sleeps for a far one, and is woken for a nearer one.
        drop(after(30, "soon, called off"));
        let _soon = after(10, "soon");
        assert_eq!(receiver.recv(), Ok("soon"));
    }
}
