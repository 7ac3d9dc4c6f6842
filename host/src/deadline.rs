//! Killing children whose time is over.
//!
//! One thread waits for the nearest deadline of all children in this process.
//! It is there only while there is one: neither a guest that computes without
//! end nor a runtime that does not run can hold it up.

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
    running: bool,
}

static SCHEDULE: Mutex<Schedule> =
    Mutex::new(Schedule { actions: BTreeMap::new(), next: 0, running: false });
static CHANGED: Condvar = Condvar::new();

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
        if schedule.running {
            CHANGED.notify_one();
            return Ok(Deadline(key));
        }
        let thread = thread::Builder::new().name("offspring-deadline".to_owned());
        if let Err(error) = thread.spawn(run) {
            schedule.actions.remove(&key);
            return Err(error);
        }
        schedule.running = true;
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
        if schedule.actions.is_empty() {
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

/// Waits for one deadline after the other, until there are none.
fn run() {
    let mut schedule = schedule();
    while let Some((&(at, _), _)) = schedule.actions.first_key_value() {
        let time = at.saturating_duration_since(Instant::now());
        if !time.is_zero() {
            schedule = match CHANGED.wait_timeout(schedule, time) {
                Ok((schedule, _)) => schedule,
                Err(poisoned) => poisoned.into_inner().0,
            };
            continue;
        }
        if let Some((_, action)) = schedule.actions.pop_first() {
            drop(schedule);
            action();
            schedule = self::schedule();
        }
    }
    schedule.running = false;
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
    }
}
