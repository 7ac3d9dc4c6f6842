//! A timer for waits that are rarely so long that it matters: it is set once for many of
//! them.
//!
//! A wait with a time limit sets a timer of the kernel's and clears it, each time. One
//! that looks at a timer besides, which was set before and goes off when it likes, has no
//! need to: it is the timer's expiry that it counts, not the time.

use std::cell::RefCell;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use crate::fork::generation;
use crate::window;

/// Waits up to this long are counted by expiries. Of a longer one twice the time would be
/// far too much.
const SHORT: Duration = Duration::from_millis(20);

thread_local! {
    /// That of this thread's waits, so that no other sets it anew.
    static ALARM: RefCell<Option<Alarm>> = const { RefCell::new(None) };
}

#[derive(Debug)]
struct Alarm {
    timer: OwnedFd,
    /// What the timer is set to, if it has not gone off since.
    set: Option<Duration>,
    /// In a fork the timer is still its parent's.
    generation: u32,
}

/// Waits until there is something to read from this descriptor. `None` where it takes a
/// limit of its own: for long waits, and where there is no timer to be had.
///
/// Returns whether there is: after so long, and after twice the time at the latest.
pub(crate) fn wait(fd: BorrowedFd<'_>, at_most: Duration) -> Option<Result<bool, Errno>> {
    if at_most.is_zero() || at_most > SHORT {
        return None;
    }
    let waited = ALARM.try_with(|alarm| {
        // No signal's handler waits for a child here.
        let mut alarm = alarm.try_borrow_mut().ok()?;
        if alarm.as_ref().is_none_or(|alarm| alarm.generation != generation()) {
            *alarm = Alarm::new().ok();
        }
        alarm.as_mut().map(|alarm| alarm.wait(fd, at_most))
    });
    waited.ok().flatten()
}

impl Alarm {
    fn new() -> Result<Alarm, Errno> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
        Ok(Alarm { timer: window::aside(timer)?, set: None, generation: generation() })
    }

    fn wait(&mut self, fd: BorrowedFd<'_>, at_most: Duration) -> Result<bool, Errno> {
        // It may go off at once when it was set for somebody else.
        let mut was_set_for_this = false;
        loop {
            if self.set != Some(at_most) {
                self.set(at_most)?;
                was_set_for_this = true;
            }
            let mut fds = [
                PollFd::from_borrowed_fd(fd, PollFlags::IN),
                PollFd::new(&self.timer, PollFlags::IN),
            ];
            match poll(&mut fds, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
            let [ready, over] = fds.map(|fd| !fd.revents().is_empty());
            if over {
                self.set = None;
            }
            if ready || (over && was_set_for_this) {
                return Ok(ready);
            }
        }
    }

    fn set(&mut self, to: Duration) -> Result<(), Errno> {
        let once = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec { tv_sec: 0, tv_nsec: to.subsec_nanos().into() },
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        self.set = Some(to);
        Ok(())
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    use std::os::fd::AsFd;
    use std::thread;
    use std::time::Instant;

    use super::*;

    const TIME: Duration = Duration::from_millis(5);

    #[test]
    fn says_what_is_there() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        for _ in 0..3 {
            let begun = Instant::now();
            assert_eq!(wait(reader.as_fd(), TIME), Some(Ok(false)));
            assert!(begun.elapsed() >= TIME);
        }
        rustix::io::write(&writer, b"1").unwrap();
        assert_eq!(wait(reader.as_fd(), TIME), Some(Ok(true)));
        // Whether the timer has gone off meanwhile or not.
        thread::sleep(TIME * 2);
        assert_eq!(wait(reader.as_fd(), TIME), Some(Ok(true)));
        assert_eq!(wait(reader.as_fd(), TIME * 2), Some(Ok(true)));
    }

    #[test]
    fn is_set_anew_for_another_time() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        rustix::io::write(&writer, b"1").unwrap();
        assert_eq!(wait(reader.as_fd(), SHORT), Some(Ok(true)));
        rustix::io::read(&reader, &mut [0]).unwrap();
        let begun = Instant::now();
        assert_eq!(wait(reader.as_fd(), TIME), Some(Ok(false)));
        assert!(begun.elapsed() >= TIME);
    }

    #[test]
    fn counts_no_long_waits() {
        let (reader, _writer) = rustix::pipe::pipe().unwrap();
        for long in [Duration::ZERO, SHORT + Duration::from_nanos(1), Duration::MAX] {
            assert_eq!(wait(reader.as_fd(), long), None);
        }
    }
}
