//! Finding again what a child has started, where it has no cgroup.
//!
//! What loses its parent in a supervised program becomes a child of the keeper, and
//! nothing says any more whose child's it was: not its parent, nor its process group,
//! nor its session, all of which it may have left. So a child is marked by something
//! that all it ever starts inherits, and that none of it can raise: its hard limit on
//! file locks, which Linux has not looked at since 2.4.25. It can be lowered; who
//! does that is found by the keeper alone, in the end.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, thread};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, getpid, getrlimit, pidfd_open};

use super::remains;
use crate::command::Command;
use crate::pidfd::PidFd;
use crate::signal::Signal;

/// The process that has what lost its parent, or 0.
static KEEPER: AtomicI32 = AtomicI32::new(0);

/// What every mark begins with, so that no limit is taken for one. Behind it come
/// the number of the process that made it, which has 22 bits, and 32 bits that count.
const PREFIX: u64 = 0x1bd << 54;
const PROCESS: u32 = 32;

/// Half a mark: what was counted last.
static COUNTED: AtomicU32 = AtomicU32::new(0);

/// How long to wait for the end of what was killed before looking again: longer
/// each time, up to the second one.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(20)];

/// How often nothing must be found before there is nothing: the kernel's list of a
/// process's children may leave one out that comes while it is read.
const LOOKS: u32 = 2;

/// What a child and all that it ever starts are found by.
///
/// [`Mark::kill`] and dropping it kill what carries the mark and has lost its parent,
/// whatever process group or session it is in: what the child itself leaves behind
/// when it is killed with its process group. It is for programs that misbehave, not
/// for those that hide: a process can take its own mark away.
///
/// ```
/// use offspring_spawn::{Command, Mark, Program};
///
/// let mut command = Command::new(&Program::open("/bin/sh")?);
/// // There is none where the program is not supervised.
/// let mark = Mark::new();
/// if let Some(mark) = &mark {
///     mark.set(&mut command);
/// }
/// let child = command.args(["-c", "setsid sleep 1000 &"]).spawn()?;
/// drop(child);
/// drop(mark);
/// # Ok::<(), offspring_spawn::SpawnError>(())
/// ```
#[derive(Debug)]
pub struct Mark(u64);

/// A mark whose carriers are to be killed.
#[derive(Debug)]
struct Wanted {
    number: u64,
    /// Only when this has ended is all that it leaves behind there.
    after: Option<PidFd>,
    /// How often nothing was found.
    looks: u32,
}

static WANTED: Mutex<(Vec<Wanted>, bool)> = Mutex::new((Vec::new(), false));

/// Says who has what lost its parent, from now on.
pub(super) fn kept_by(keeper: Pid) {
    KEEPER.store(keeper.as_raw_pid(), Ordering::Relaxed);
}

impl Mark {
    /// A mark that nothing carries. `None` where this program is not
    /// [supervised](crate::supervise), or has itself less than no limit on locks,
    /// as what carries a mark has.
    pub fn new() -> Option<Mark> {
        let is_kept = KEEPER.load(Ordering::Relaxed) != 0;
        if !is_kept || getrlimit(Resource::Locks).maximum.is_some() {
            return None;
        }
        let counted = COUNTED.fetch_add(1, Ordering::Relaxed);
        Some(Mark(PREFIX | own_process() | u64::from(counted)))
    }

    /// Lets what a command starts carry the mark, in place of another limit on file
    /// locks.
    pub fn set<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let limit = Some(self.0);
        command.limit(Resource::Locks, Rlimit { current: limit, maximum: limit })
    }

    /// Kills what carries the mark and has lost its parent, once this process has
    /// ended, which was the first to carry it. Does not wait.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub fn kill(&self, after: BorrowedFd<'_>) -> io::Result<()> {
        let after = PidFd::from(after.try_clone_to_owned()?);
        want(Wanted { number: self.0, after: Some(after), looks: 0 });
        Ok(())
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        // That of a copy of this process is its parent's to kill.
        let is_ours = self.0 & OF_PROCESS == own_process();
        // Most children leave nothing, and then there is nobody but us.
        if is_ours && !others().is_empty() {
            want(Wanted { number: self.0, after: None, looks: 0 });
        }
    }
}

/// Leaves it to a thread that is there only while something is wanted. If there can
/// be no thread, the next one does it, or the keeper in the end.
fn want(one: Wanted) {
    let mut wanted = wanted();
    wanted.0.push(one);
    if !wanted.1 {
        let thread = thread::Builder::new().name("offspring-marks".to_owned());
        wanted.1 = thread.spawn(run).is_ok();
    }
}

fn run() {
    let [mut pause, longest] = PAUSES;
    loop {
        let mut all = std::mem::take(&mut wanted().0);
        let has_ended = |one: &Wanted| {
            one.after.as_ref().is_none_or(|after| after.poll(Duration::ZERO) != Ok(false))
        };
        let (mut now, mut later): (Vec<_>, Vec<_>) = all.drain(..).partition(has_ended);
        let found = kill(&now.iter().map(|one| one.number).collect());
        now.retain_mut(|one| {
            one.looks = if found.contains(&one.number) { 0 } else { one.looks + 1 };
            one.looks < LOOKS
        });
        later.append(&mut now);
        let mut wanted = wanted();
        wanted.0.append(&mut later);
        if wanted.0.is_empty() {
            wanted.1 = false;
            return;
        }
        drop(wanted);
        thread::sleep(pause);
        pause = longest.min(pause * 2);
    }
}

/// Kills each child of the keeper that carries one of these marks, and returns the
/// marks that were found.
fn kill(marks: &BTreeSet<u64>) -> BTreeSet<u64> {
    let kill = |number: Pid| {
        // Before the mark is read: then that is this process's mark, or the process
        // is gone, and killing it fails.
        let process = PidFd::from(pidfd_open(number, PidfdFlags::empty()).ok()?);
        let mark = mark_of(number).filter(|mark| marks.contains(mark))?;
        match process.send_signal(Signal::KILL) {
            // Not for us to kill. It would be found for ever.
            Err(Errno::PERM) => None,
            Ok(()) | Err(_) => Some(mark),
        }
    };
    if marks.is_empty() {
        return BTreeSet::new();
    }
    others().into_iter().filter_map(kill).collect()
}

/// The children of the keeper, but for this process.
fn others() -> Vec<Pid> {
    let keeper = Pid::from_raw(KEEPER.load(Ordering::Relaxed));
    let mut children = keeper.and_then(|keeper| remains::children_of(keeper).ok());
    if let Some(children) = &mut children {
        children.retain(|child| *child != getpid());
    }
    children.unwrap_or_default()
}

/// The part of a mark that says which process made it.
const OF_PROCESS: u64 = ((1 << 22) - 1) << PROCESS;

fn own_process() -> u64 {
    u64::from(getpid().as_raw_pid().unsigned_abs()) << PROCESS
}

/// The mark that a process carries.
fn mark_of(process: Pid) -> Option<u64> {
    parse(&fs::read_to_string(format!("/proc/{}/limits", process.as_raw_pid())).ok()?)
}

/// `Max file locks            8027787946453041152  8027787946453041152  locks`
fn parse(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max file locks "))?;
    let hard: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    (hard >> 54 == PREFIX >> 54).then_some(hard)
}

fn wanted() -> MutexGuard<'static, (Vec<Wanted>, bool)> {
    WANTED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_limits() {
        let text = |hard: &str| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max cpu time              unlimited            unlimited            seconds   \n\
                 Max file locks            7                    {hard:<20} locks     \n"
            )
        };
        let mark = PREFIX | 7;
        assert_eq!(parse(&text(&mark.to_string())), Some(mark));
        for other in ["unlimited", "0", "4294967295", "18446744073709551614"] {
            assert_eq!(parse(&text(other)), None, "{other}");
        }
        assert_eq!(parse(""), None);
    }

    /// Nobody keeps what the tests leave behind.
    #[test]
    fn none_without_a_keeper() {
        assert!(Mark::new().is_none());
        assert_eq!(mark_of(getpid()), None);
    }
}
