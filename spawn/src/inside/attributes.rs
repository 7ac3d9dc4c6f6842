//! What the child is.

use rustix::io::Errno;
use rustix::process::Resource;

use std::os::fd::RawFd;

use super::{NO_FD, Orders, call, exit, identity, word};
use crate::attributes::{Attributes, Scheduler};
use crate::error::{SpawnError, Stage};
use crate::sys::nr;

const PRIO_PROCESS: usize = 0;
const PR_SET_PDEATHSIG: usize = 1;
const PR_SET_NO_NEW_PRIVS: usize = 38;
const TIOCSCTTY: usize = 0x540e;
const NO_CHANGE: usize = usize::MAX;
const NO_SIGNAL: usize = 0;
const UNLIMITED: u64 = u64::MAX;

/// Sets every attribute but the signals, in the order that
/// [`Command`](crate::Command) promises.
pub(super) fn set(orders: &Orders<'_>) -> Result<(), SpawnError> {
    let attributes = orders.attributes;
    set_priorities(attributes)?;
    if attributes.new_session {
        call(Stage::Session, nr::SETSID, [0; 5])?;
    }
    if let Some(group) = orders.group {
        set_group(group, orders.leader)?;
    }
    if orders.terminal != NO_FD {
        let args = [word(orders.terminal), TIOCSCTTY, 0, 0, 0];
        call(Stage::ControllingTerminal, nr::IOCTL, args)?;
    }
    if let Some([user, group]) = orders.ids {
        let effective = |id: u32| [NO_CHANGE, id as usize, NO_CHANGE, 0, 0];
        call(Stage::Ids, nr::SETRESUID, effective(user))?;
        call(Stage::Ids, nr::SETRESGID, effective(group))?;
    }
    if let Some(mask) = attributes.umask {
        // Has no failure.
        let _ = call(Stage::Ids, nr::UMASK, [mask as usize, 0, 0, 0, 0]);
    }
    set_limits(orders)?;
    if let Some(identity) = &attributes.identity {
        identity::take(identity)?;
    }
    if let Some(signal) = attributes.parent_death_signal {
        set_parent_death_signal(signal.as_raw(), orders)?;
    }
    // What carries it has given that up already.
    if attributes.no_new_privileges && orders.key.is_none() {
        let args = [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0];
        call(Stage::NoNewPrivileges, nr::PRCTL, args)?;
    }
    if orders.cwd != NO_FD {
        let args = [word(orders.cwd), 0, 0, 0, 0];
        call(Stage::WorkingDirectory, nr::FCHDIR, args)?;
    }
    if let Some(path) = orders.cwd_path {
        let args = [path.as_ptr() as usize, 0, 0, 0, 0];
        call(Stage::WorkingDirectory, nr::CHDIR, args)?;
    }
    Ok(())
}

fn set_priorities(attributes: &Attributes) -> Result<(), SpawnError> {
    if let Some(Scheduler { policy, priority }) = attributes.scheduler {
        // The whole of a `struct sched_param`.
        let parameter = &raw const priority as usize;
        match policy {
            Some(policy) => {
                let args = [0, policy as usize, parameter, 0, 0];
                call(Stage::Scheduler, nr::SCHED_SETSCHEDULER, args)?
            }
            None => call(Stage::Scheduler, nr::SCHED_SETPARAM, [0, parameter, 0, 0, 0])?,
        };
    }
    if let Some(value) = attributes.nice {
        let args = [PRIO_PROCESS, 0, word(value), 0, 0];
        call(Stage::Nice, nr::SETPRIORITY, args)?;
    }
    if let Some(mask) = &attributes.cpu_affinity {
        let args = [0, size_of_val(mask.as_slice()), mask.as_ptr() as usize, 0, 0];
        call(Stage::CpuAffinity, nr::SCHED_SETAFFINITY, args)?;
    }
    Ok(())
}

/// Joins a group, or makes one. The number was its leader's when the parent
/// asked; if the leader was not waited for until now, it was so all the time,
/// and the group is the right one. A leader that may not be signalled exists.
fn set_group(group: i32, leader: i32) -> Result<(), SpawnError> {
    call(Stage::ProcessGroup, nr::SETPGID, [0, word(group), 0, 0, 0])?;
    if leader != NO_FD {
        let args = [word(leader), NO_SIGNAL, 0, 0, 0];
        match call(Stage::ProcessGroup, nr::PIDFD_SEND_SIGNAL, args) {
            Err(error) if error.errno != Errno::PERM => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

/// The limit of cores is the sandbox's, where it has one: a lower one could not
/// be raised again. What makes no sense is an error even so.
fn set_limits(orders: &Orders<'_>) -> Result<(), SpawnError> {
    let no_core = orders.sandbox.is_some_and(|sandbox| sandbox.core_limit.is_some());
    for (resource, limit) in &orders.attributes.limits {
        let limit = [limit.current.unwrap_or(UNLIMITED), limit.maximum.unwrap_or(UNLIMITED)];
        if no_core && *resource == Resource::Core {
            let [soft, hard] = limit;
            if soft > hard {
                return Err(SpawnError { stage: Stage::ResourceLimit, errno: Errno::INVAL });
            }
            continue;
        }
        let args = [0, *resource as usize, &raw const limit as usize, 0, 0];
        call(Stage::ResourceLimit, nr::PRLIMIT64, args)?;
    }
    Ok(())
}

/// Asks for a signal when the parent dies, unless it already did: then nobody
/// waits for this process, and it ends.
fn set_parent_death_signal(signal: i32, orders: &Orders<'_>) -> Result<(), SpawnError> {
    let args = [PR_SET_PDEATHSIG, word(signal), 0, 0, 0];
    call(Stage::ParentDeathSignal, nr::PRCTL, args)?;
    let is_alive = match orders.parent_pidfd {
        NO_FD => call(Stage::ParentDeathSignal, nr::GETPPID, [0; 5])? == word(orders.parent),
        parent => !has_ended(parent)?,
    };
    if is_alive { Ok(()) } else { exit() }
}

/// Whether a process has ended. Its number says nothing in another process-id
/// namespace: every parent outside is 0 there.
fn has_ended(pidfd: RawFd) -> Result<bool, SpawnError> {
    let mut poll = PollFd { fd: pidfd, events: POLLIN, revents: 0 };
    let at_once = [0_u64; 2];
    let args = [&raw mut poll as usize, 1, &raw const at_once as usize, 0, 0];
    Ok(call(Stage::ParentDeathSignal, nr::PPOLL, args)? != 0)
}

/// `struct pollfd`
#[repr(C)]
struct PollFd {
    fd: RawFd,
    events: i16,
    revents: i16,
}

const POLLIN: i16 = 1;
