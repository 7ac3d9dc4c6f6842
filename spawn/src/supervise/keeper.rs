//! What the processes above the program do.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, WaitOptions, WaitStatus, chdir, getpid, pidfd_open, setpgid,
    setrlimit, wait,
};

use super::signals::Received;
use super::{fork, remains, signals, spare};
use crate::pidfd::PidFd;
use crate::signal::Signal;
use crate::sigset::SignalSet;

/// What a process above the program is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The process that was started, where it has children that are not the
    /// program's.
    Messenger,
    /// The process that was started. A shell has it for its job.
    Guardian,
    /// The parent of the program.
    Keeper,
}

impl Role {
    /// Whether it adopts what has lost its parent, and kills it in the end.
    pub(super) fn adopts(self) -> bool {
        self != Role::Messenger
    }

    /// The signal that its child gets when it dies. One that is ours makes it
    /// look for its parent, even if it was stopped.
    pub(super) fn last_will(self) -> rustix::process::Signal {
        match self {
            Role::Messenger | Role::Guardian => rustix::process::Signal::CONT,
            Role::Keeper => rustix::process::Signal::KILL,
        }
    }
}

/// A process above the program, and the one below it.
#[derive(Debug)]
pub(super) struct Keeper {
    role: Role,
    child: Pid,
    parent: Option<Pid>,
    /// Where the program says what is to outlive it.
    spared: OwnedFd,
}

/// As good as never.
const LONG: Duration = Duration::from_secs(86_400);

impl Keeper {
    pub(super) fn new(role: Role, child: Pid, parent: Option<Pid>, spared: OwnedFd) -> Keeper {
        Keeper { role, child, parent, spared }
    }

    /// Waits for the end of the process below, or of that above, kills what is
    /// left, and ends with the status of the one below.
    pub(super) fn keep(&self) -> ! {
        fork::close_all_but(&self.spared);
        // Neither a mount nor a process group that is killed is to hold it.
        let _ = chdir(c"/");
        if self.role == Role::Keeper {
            let _ = setpgid(None, None);
        }
        let status = self.wait();
        if self.role.adopts() {
            remains::kill(&spare::spared(&self.spared));
        }
        end_like(status)
    }

    /// `None` when it is the process above that has ended.
    fn wait(&self) -> Option<WaitStatus> {
        loop {
            let received = signals::wait(LONG);
            if self.parent.is_some_and(|parent| !signals::parent_is(parent)) {
                return None;
            }
            match received {
                Some(Received { signal: Signal::CHLD, .. }) | None => {
                    if let Some(status) = self.reap() {
                        return Some(status);
                    }
                }
                Some(received) => self.pass_on(received),
            }
        }
    }

    /// Waits for all that have ended, which adopted ones are among.
    fn reap(&self) -> Option<WaitStatus> {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((child, status))) if child == self.child => return Some(status),
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) | Err(_) => return None,
            }
        }
    }

    fn pass_on(&self, Received { signal, from_kernel }: Received) {
        let of_terminal = matches!(
            signal,
            Signal::INT | Signal::QUIT | Signal::TSTP | Signal::TTIN | Signal::TTOU | Signal::WINCH
        );
        // What a terminal sends, it sends to the program too.
        if !(of_terminal && from_kernel) {
            send(self.child, signal);
        }
        let stops = matches!(signal, Signal::TSTP | Signal::TTIN | Signal::TTOU);
        if stops && self.role != Role::Keeper {
            // A shell waits for this process, not for the program.
            send(getpid(), Signal::STOP);
        }
    }
}

/// Sends a signal to this process or to its child, which keeps its number until
/// it was waited for. Fails for one that has ended, which is told otherwise.
fn send(process: Pid, signal: Signal) {
    if let Ok(pidfd) = pidfd_open(process, PidfdFlags::empty()) {
        let _ = PidFd::from(pidfd).send_signal(signal);
    }
}

/// Ends this process as another one ended.
fn end_like(status: Option<WaitStatus>) -> ! {
    let code = |number: i32| number.to_le_bytes()[0];
    let signal = match status {
        Some(status) => match (status.exit_status(), status.terminating_signal()) {
            (Some(exited), _) => fork::exit(code(exited)),
            (None, signal) => signal.unwrap_or(Signal::KILL.as_raw()),
        },
        None => Signal::KILL.as_raw(),
    };
    // The program has dumped its core, if any is wanted.
    let none = Rlimit { current: Some(0), maximum: None };
    let _ = setrlimit(Resource::Core, none);
    if let Some(signal) = Signal::from_raw(signal) {
        signals::set_default(signal);
        send(getpid(), signal);
        let mut others = SignalSet::ALL;
        others.remove(signal);
        others.block();
    }
    // The first process of a namespace is not ended by its own signals.
    fork::exit(code(128 + signal))
}
