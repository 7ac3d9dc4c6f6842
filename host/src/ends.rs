//! Which of many processes have ended, without asking each of them.

use std::os::fd::{AsFd, OwnedFd};

use offspring_spawn::Errno;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

/// Processes whose ends are to be found out, by numbers of their own: each is
/// told once. One that is dropped is told of no more.
#[derive(Debug)]
pub(crate) struct Ends(OwnedFd);

/// How many are asked for at once.
const SOME: usize = 64;

/// Told once: a process stays ended.
const END: EventFlags = EventFlags::IN.union(EventFlags::ONESHOT);

impl Ends {
    /// # Errors
    /// When there is no descriptor left.
    pub(crate) fn new() -> Result<Ends, Errno> {
        epoll::create(CreateFlags::CLOEXEC).map(Ends)
    }

    /// Adds a process that runs or has ended. The user has only so many
    /// (`/proc/sys/fs/epoll/max_user_watches`): one too many is not told of, and
    /// one that is known stays as it is.
    pub(crate) fn watch(&self, number: u64, process: impl AsFd) {
        let _ = epoll::add(&self.0, process, EventData::new_u64(number), END);
    }

    /// Has a process told of once more.
    pub(crate) fn watch_again(&self, number: u64, process: impl AsFd) {
        // Fails for one that is not known.
        let _ = epoll::modify(&self.0, process, EventData::new_u64(number), END);
    }

    /// Those that have ended since this was asked.
    pub(crate) fn take(&self) -> Vec<u64> {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut ended = Vec::new();
        loop {
            let mut events = Vec::with_capacity(SOME);
            // A signal comes at the worst before anything was told.
            let count = epoll::wait(&self.0, spare_capacity(&mut events), Some(&now)).unwrap_or(0);
            ended.extend(events.iter().map(|event: &epoll::Event| event.data.u64()));
            if count < SOME {
                return ended;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offspring_spawn::{Child, Command, Program};

    /// What is asked does not grow with those that run: there are many, and only
    /// those that have ended are told, each of them once.
    #[test]
    fn only_those_that_have_ended() {
        let sleep = Program::search("sleep", "/bin:/usr/bin".as_ref()).unwrap();
        let start = || Command::new(&sleep).arg("100000").spawn().unwrap();
        let children: Vec<Child> = (0..200).map(|_| start()).collect();
        let ends = Ends::new().unwrap();
        for (number, child) in (1000..).zip(&children) {
            ends.watch(number, child);
            ends.watch(number, child);
        }
        assert_eq!(ends.take(), [0; 0]);
        let end = |range: std::ops::Range<usize>| {
            for child in &children[range] {
                child.kill().unwrap();
                child.pidfd().poll(std::time::Duration::MAX).unwrap();
            }
        };
        end(17..18);
        assert_eq!(ends.take(), [1017]);
        assert_eq!(ends.take(), [0; 0]);
        // More than are told at once.
        end(20..160);
        let mut ended = ends.take();
        ended.sort_unstable();
        assert_eq!(ended, (1020..1160).collect::<Vec<u64>>());
        ends.watch_again(1030, &children[30]);
        assert_eq!(ends.take(), [1030]);
        children.into_iter().for_each(drop);
        assert_eq!(ends.take(), [0; 0]);
    }
}
