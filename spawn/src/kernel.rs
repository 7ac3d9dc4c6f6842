//! What this kernel offers, found out once.

use std::fmt;
use std::os::fd::AsFd;
use std::sync::OnceLock;

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

use crate::clone::{Clone, Method};
use crate::error::{SpawnError, Stage};
use crate::info;
use crate::inside::{self, PROBE_EXIT};
use crate::namespace::Namespaces;
use crate::pidfd;
use crate::signal::Signal;
use crate::stack::Stack;
use crate::status::ExitStatus;
use crate::wait::{self, Reap};
use crate::window;

/// What this kernel offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel {
    pub(crate) method: Method,
    pub(crate) close_range: bool,
    group_signals: bool,
    exit_info: bool,
}

impl Kernel {
    /// Finds out what this kernel offers, once in the life of this process, by
    /// making a process that ends at once. Keeps some low descriptor numbers for
    /// spawns, so that these cost the same however many descriptors are opened
    /// later: a process that will have thousands should ask early.
    ///
    /// # Errors
    /// What this crate cannot do without, in a sentence for people.
    pub fn get() -> Result<Kernel, Unsupported> {
        static KERNEL: OnceLock<Result<Kernel, Unsupported>> = OnceLock::new();
        match KERNEL.get() {
            Some(known) => *known,
            None => match probe() {
                // May be otherwise the next time.
                Err(unsupported) if unsupported.is_transient() => Err(unsupported),
                found => *KERNEL.get_or_init(|| {
                    if found.is_ok() {
                        window::reserve();
                    }
                    found
                }),
            },
        }
    }

    /// Makes a process with these namespaces, in the way that every child is made.
    pub(crate) fn probe_namespaces(self, namespaces: Namespaces) -> Result<(), SpawnError> {
        let at = SpawnError::at;
        let clone = Clone {
            share_table: self.close_range,
            namespaces: namespaces.at_birth(),
            ..Clone::by(self.method)
        };
        let stack = Stack::take()?;
        let probe = clone.probe(&stack);
        stack.give_back();
        let (child, _) = probe.map_err(at(Stage::Namespaces))?;
        wait::wait(child.as_fd(), Reap::Yes).map(drop).map_err(at(Stage::Namespaces))
    }

    /// What there is at least.
    #[cfg(all(test, not(miri)))]
    pub(crate) fn least(close_range: bool) -> Kernel {
        Kernel { method: Method::Clone, close_range, group_signals: false, exit_info: false }
    }

    /// Whether clone3 works here. Where it does not, as in containers whose
    /// seccomp profile refuses it, a child joins its cgroup by itself.
    pub fn has_clone3(&self) -> bool {
        self.method == Method::Clone3
    }

    /// Whether `close_range` works here. Where it does not, a spawn costs more
    /// the more descriptors this process has, and `/proc` is needed.
    pub fn has_close_range(&self) -> bool {
        self.close_range
    }

    /// Whether a process group can be signalled after its leader has ended
    /// (Linux 6.9).
    pub fn has_group_signals(&self) -> bool {
        self.group_signals
    }

    /// Whether a status survives somebody else's waiting for it (Linux 6.15).
    pub fn has_exit_info(&self) -> bool {
        self.exit_info
    }
}

/// What this crate cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsupported {
    /// Neither clone3 nor clone makes a process with a pidfd (Linux 5.2). Some
    /// emulators say `EINVAL`.
    Clone(Errno),
    /// `waitid` does not take a pidfd (Linux 5.4).
    Wait(Errno),
    /// Neither `close_range` (Linux 5.11) nor `/proc/self/fd` is there to close
    /// descriptors by.
    Descriptors(Errno),
    /// A child does not share its parent's memory, as under emulators.
    Memory,
    /// Not known: the process that was to find out was ended by this signal. It is asked
    /// again the next time.
    Killed(Signal),
}

impl Unsupported {
    fn is_transient(self) -> bool {
        use Errno as E;
        match self {
            Unsupported::Clone(errno) => {
                matches!(errno, E::AGAIN | E::NOMEM | E::MFILE | E::NFILE)
            }
            Unsupported::Killed(_) => true,
            Unsupported::Wait(_) | Unsupported::Descriptors(_) | Unsupported::Memory => false,
        }
    }

    /// The error number that stands for it.
    pub fn errno(self) -> Errno {
        match self {
            Unsupported::Clone(errno) if self.is_transient() => errno,
            Unsupported::Killed(_) => Errno::AGAIN,
            Unsupported::Clone(_)
            | Unsupported::Wait(_)
            | Unsupported::Descriptors(_)
            | Unsupported::Memory => Errno::NOSYS,
        }
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unsupported::Clone(errno) => {
                write!(f, "cannot make a process with a pidfd: {errno}")?;
                match *errno {
                    _ if self.is_transient() => Ok(()),
                    Errno::INVAL => f.write_str(" (as under emulators)"),
                    _ => f.write_str(" (Linux 5.14 or later is needed, and clone must be allowed)"),
                }
            }
            Unsupported::Wait(errno) => {
                write!(f, "cannot wait for a process by its pidfd: {errno} ")?;
                f.write_str("(Linux 5.14 or later is needed, and waitid must be allowed)")
            }
            Unsupported::Descriptors(errno) => {
                write!(f, "cannot close a range of descriptors: {errno} ")?;
                f.write_str("(close_range must be allowed, or /proc be mounted)")
            }
            Unsupported::Memory => {
                f.write_str("a child does not share its parent's memory here, as under emulators")
            }
            Unsupported::Killed(signal) => {
                write!(f, "cannot find out what the kernel offers: the process that tried it ")?;
                write!(f, "was ended by {signal}")
            }
        }
    }
}

impl std::error::Error for Unsupported {}

fn probe() -> Result<Kernel, Unsupported> {
    // First, because a process that cannot be waited for would stay a zombie.
    wait::check().map_err(Unsupported::Wait)?;
    let close_range = has_close_range().map_err(Unsupported::Descriptors)?;
    match probe_with(Method::Clone3, close_range) {
        // ENOSYS is a kernel's answer and that of well-made seccomp profiles;
        // others say EPERM.
        Err(Unsupported::Clone(Errno::NOSYS | Errno::PERM)) => {
            // Emulators answer ENOSYS too. They make a copy of the process
            // whatever is asked for, and end it for a shared table.
            if close_range {
                probe_with(Method::Clone, false)?;
            }
            probe_with(Method::Clone, close_range)
        }
        other => other,
    }
}

/// Whether a child can close ranges of descriptors; an error when it cannot
/// list them either.
fn has_close_range() -> Result<bool, Errno> {
    let Err(errno) = inside::check_close_range() else {
        return Ok(true);
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match open(c"/proc/self/fd", flags, Mode::empty()) {
        Ok(_) | Err(Errno::MFILE | Errno::NFILE) => Ok(false),
        Err(_) => Err(errno),
    }
}

/// Makes a process in the way that every child is made.
fn probe_with(method: Method, close_range: bool) -> Result<Kernel, Unsupported> {
    let stack = Stack::take().map_err(|error| Unsupported::Clone(error.errno))?;
    // No signal: the process that we run in may count its SIGCHLDs.
    let probe = Clone { share_table: close_range, ..Clone::by(method) }.probe(&stack);
    stack.give_back();
    let (child, shared) = probe.map_err(Unsupported::Clone)?;

    let group_signals = pidfd::has_group_signals(child.as_fd());
    let exit = wait::wait(child.as_fd(), Reap::Yes).map_err(Unsupported::Wait)?;
    // From outside: it tells nothing of the kernel.
    if let ExitStatus::Signaled { signal, .. } = exit.status {
        return Err(Unsupported::Killed(signal));
    }
    if !shared || exit.status != ExitStatus::Exited(PROBE_EXIT) {
        return Err(Unsupported::Memory);
    }
    let exit_info = info::exit_info(child.as_fd()).is_some();
    Ok(Kernel { method, close_range, group_signals, exit_info })
}

/// Whether this is no real Linux, where no child can be made; then the test of
/// this name is skipped.
#[cfg(all(test, not(miri)))]
pub(crate) fn is_emulated(name: &str) -> bool {
    use std::io::Write;

    match Kernel::get() {
        Err(refusal @ (Unsupported::Memory | Unsupported::Clone(Errno::INVAL))) => {
            // The test harness hides what `eprintln` writes.
            let _ = writeln!(std::io::stderr(), "SKIPPED {name}: {refusal}");
            true
        }
        Ok(_) | Err(_) => false,
    }
}
