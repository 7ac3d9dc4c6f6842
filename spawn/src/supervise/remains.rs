//! Killing every process beneath this one.

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, WaitId, WaitIdOptions, WaitOptions, getpid, pidfd_open, wait, waitid,
};

use super::signals;
use super::spare::session_of;
use crate::pidfd::PidFd;
use crate::signal::Signal;

/// How long to wait for what was killed. What takes longer is stuck in the
/// kernel, or held by a debugger, and never runs its own code again.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait for the end of one before looking again. A killed process
/// leaves its own children to us, and only its end is told.
const PAUSE: Duration = Duration::from_millis(5);

/// Kills every child of this process until there is none. Those of a killed
/// one become ours, because we adopt them, so in the end these are all that
/// were beneath it, but for what is in a session that is to be spared.
pub(super) fn kill(spared: &BTreeSet<i32>) {
    let is_spared =
        |child: &Pid| session_of(child.as_raw_pid()).is_some_and(|id| spared.contains(&id));
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let mut left = children().unwrap_or_default();
        left.retain(|child| !is_spared(child));
        left.iter().copied().for_each(kill_child);
        match reap() {
            Left::None => return,
            // Nothing was there, nor has anything come meanwhile.
            Left::Some
                if left.is_empty() && children().is_ok_and(|all| all.iter().all(is_spared)) =>
            {
                return;
            }
            Left::Some => drop(signals::wait(PAUSE)),
        }
    }
}

/// Whether children are left.
enum Left {
    None,
    Some,
}

/// Waits for those that have ended.
fn reap() -> Left {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return Left::Some,
            Err(_) => return Left::None,
        }
    }
}

/// Kills the process of this number if it is a child of ours. Its number may
/// have become that of another since it was listed, but not that of another
/// that we may wait for.
fn kill_child(number: Pid) {
    let Ok(pidfd) = pidfd_open(number, PidfdFlags::empty()) else {
        return;
    };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    if waitid(WaitId::PidFd(pidfd.as_fd()), options).is_ok() {
        // Fails for a process that has ended.
        let _ = PidFd::from(pidfd).send_signal(Signal::KILL);
    }
}

/// The children of this process, by the list of its only thread.
pub(super) fn children() -> Result<Vec<Pid>, Errno> {
    children_of(getpid())
}

/// The children of another process that has one thread.
pub(super) fn children_of(process: Pid) -> Result<Vec<Pid>, Errno> {
    let number = process.as_raw_pid();
    let path = format!("/proc/{number}/task/{number}/children");
    let list = std::fs::read_to_string(path);
    let list = list.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    Ok(list.split_whitespace().filter_map(|word| Pid::from_raw(word.parse().ok()?)).collect())
}
