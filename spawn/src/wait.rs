//! Waiting for a process by its pidfd, with what it used.
//!
//! # Safety
//!
//! `waitid` and `getrusage` fill structures of ours, whose layouts are the
//! kernel's for 64-bit architectures.

#![expect(unsafe_code, reason = "waitid with resource usage has no wrapper")]

use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::info::exit_info;
use crate::signal::Signal;
use crate::status::{Change, Exit, ExitStatus, PeakMemory, ResourceUsage};
use crate::sys::{self, nr};

const P_PIDFD: usize = 3;
const WNOHANG: usize = 0x1;
const WSTOPPED: usize = 0x2;
const WEXITED: usize = 0x4;
const WCONTINUED: usize = 0x8;
const WNOWAIT: usize = 0x0100_0000;
/// Waits for children of every exit signal; the kernel resets it at exec, so
/// it is not always SIGCHLD.
const WALL: usize = 0x4000_0000;

const CLD_EXITED: i32 = 1;
const CLD_DUMPED: i32 = 3;
const CLD_STOPPED: i32 = 5;
const CLD_CONTINUED: i32 = 6;

const RUSAGE_SELF: usize = 0;

/// How long to wait for the end of another wait for the same process.
const RECOVERY_PATIENCE_MS: i64 = 200;

/// `siginfo_t` as waitid fills it in.
#[repr(C)]
#[derive(Default)]
struct SigInfo {
    signo: i32,
    errno: i32,
    code: i32,
    _pad: i32,
    pid: i32,
    uid: u32,
    status: i32,
    _rest: [i32; 25],
}

const _: () = assert!(size_of::<SigInfo>() == 128);

/// `struct rusage`
#[repr(C)]
#[derive(Default)]
struct RawUsage {
    user_time: [i64; 2],
    system_time: [i64; 2],
    max_rss: i64,
    _shared: [i64; 3],
    minor_faults: i64,
    major_faults: i64,
    _swaps: i64,
    input_blocks: i64,
    output_blocks: i64,
    _messages: [i64; 3],
    voluntary_switches: i64,
    involuntary_switches: i64,
}

const _: () = assert!(size_of::<RawUsage>() == 144);

/// Whether a wait takes the process away or leaves it a zombie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reap {
    Yes,
    No,
}

/// Asks, without blocking, whether the process has ended.
pub(crate) fn try_wait(pidfd: BorrowedFd<'_>, reap: Reap) -> Result<Option<Exit>, Errno> {
    wait_options(pidfd, WNOHANG, reap)
}

/// Whether the process is a child of this one: `ECHILD` if not.
pub(crate) fn check_child(pidfd: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut info = SigInfo::default();
    let address = &raw mut info as usize;
    let args = [P_PIDFD, raw(pidfd), address, WEXITED | WALL | WNOWAIT | WNOHANG, 0];
    // SAFETY: the structure is live and of the kernel's layout; the other
    // pointer is null, which the call allows.
    sys::result(unsafe { sys::call(nr::WAITID, args) }).map(drop)
}

/// Blocks until the process has ended, and leaves it to be waited for.
pub(crate) fn block(pidfd: impl AsRawFd) -> Result<(), Errno> {
    let mut info = SigInfo::default();
    let address = &raw mut info as usize;
    let args = [P_PIDFD, raw(pidfd), address, WEXITED | WALL | WNOWAIT, 0];
    loop {
        // SAFETY: the structure is live and of the kernel's layout; the other
        // pointer is null, which the call allows.
        let answer = unsafe { sys::call(nr::WAITID, args) };
        match sys::result(answer) {
            // What somebody else waited for has ended, too.
            Ok(_) | Err(Errno::CHILD) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Blocks until the process has ended.
pub(crate) fn wait(pidfd: BorrowedFd<'_>, reap: Reap) -> Result<Exit, Errno> {
    loop {
        if let Some(exit) = wait_options(pidfd, 0, reap)? {
            return Ok(exit);
        }
    }
}

/// Whether waitid takes a pidfd: then it looks at the descriptor, and here
/// finds that there is none of this number.
pub(crate) fn check() -> Result<(), Errno> {
    const NO_FD: usize = i32::MAX as usize;
    let mut info = SigInfo::default();
    let args = [P_PIDFD, NO_FD, &raw mut info as usize, WEXITED | WNOHANG, 0];
    // SAFETY: the structure is live and of the kernel's layout; the other
    // pointer is null, which the call allows.
    let answer = unsafe { sys::call(nr::WAITID, args) };
    match sys::result(answer) {
        Ok(_) | Err(Errno::BADF) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Blocks until the process has been stopped or continued, which is told once.
/// `None` when it has ended instead.
pub(crate) fn wait_change(pidfd: BorrowedFd<'_>) -> Result<Option<Change>, Errno> {
    let mut info = SigInfo::default();
    let options = WSTOPPED | WCONTINUED | WALL;
    let args = [P_PIDFD, raw(pidfd), &raw mut info as usize, options, 0];
    loop {
        // SAFETY: the structure is live and of the kernel's layout; the null
        // pointer is allowed.
        let answer = unsafe { sys::call(nr::WAITID, args) };
        match (sys::result(answer), info.code) {
            (Ok(_), CLD_STOPPED) => {
                return Ok(Signal::from_raw(info.status).map(Change::Stopped));
            }
            (Ok(_), CLD_CONTINUED) => return Ok(Some(Change::Continued)),
            (Ok(_), _) | (Err(Errno::INTR), _) => {}
            (Err(Errno::CHILD), _) => return Ok(None),
            (Err(errno), _) => return Err(errno),
        }
    }
}

fn wait_options(pidfd: BorrowedFd<'_>, more: usize, reap: Reap) -> Result<Option<Exit>, Errno> {
    let mut info = SigInfo::default();
    let mut usage = RawUsage::default();
    let leave = if reap == Reap::No { WNOWAIT } else { 0 };
    let args = [
        P_PIDFD,
        raw(pidfd),
        &raw mut info as usize,
        WEXITED | WALL | leave | more,
        &raw mut usage as usize,
    ];
    loop {
        // SAFETY: both structures are live and of the kernel's layout.
        let answer = unsafe { sys::call(nr::WAITID, args) };
        match sys::result(answer) {
            Ok(_) if info.signo == 0 => return Ok(None),
            Ok(_) => {
                return Ok(Some(Exit { status: status(&info), usage: Some(usage.read()) }));
            }
            Err(Errno::INTR) => {}
            // Somebody else waited for it. If it had not ended, this process
            // would still be our child, so there is an end to report.
            Err(Errno::CHILD) => {
                return Ok(Some(Exit { status: recover(pidfd), usage: None }));
            }
            Err(errno) => return Err(errno),
        }
    }
}

fn status(info: &SigInfo) -> ExitStatus {
    if info.code == CLD_EXITED {
        return ExitStatus::Exited(info.status.to_le_bytes()[0]);
    }
    match Signal::from_raw(info.status) {
        Some(signal) => ExitStatus::Signaled { signal, core_dumped: info.code == CLD_DUMPED },
        None => ExitStatus::Lost,
    }
}

/// The status of a process that somebody else waited for, which Linux 6.15 and
/// later keep as long as its pidfd is open.
fn recover(pidfd: BorrowedFd<'_>) -> ExitStatus {
    for patience in [0, RECOVERY_PATIENCE_MS] {
        let mut hang_up = [PollFd::new(&pidfd, PollFlags::empty())];
        let timeout = Timespec { tv_sec: 0, tv_nsec: patience * 1_000_000 };
        // Only delays the second try; its failure changes nothing.
        let _ = poll(&mut hang_up, Some(&timeout));
        if let Some(status) = exit_info(pidfd) {
            return status;
        }
    }
    ExitStatus::Lost
}

impl RawUsage {
    fn read(&self) -> ResourceUsage {
        ResourceUsage {
            user_time: time(self.user_time),
            system_time: time(self.system_time),
            peak_memory: peak_memory(bytes(self.max_rss)),
            minor_faults: count(self.minor_faults),
            major_faults: count(self.major_faults),
            input_blocks: count(self.input_blocks),
            output_blocks: count(self.output_blocks),
            voluntary_switches: count(self.voluntary_switches),
            involuntary_switches: count(self.involuntary_switches),
        }
    }
}

/// A child starts with its parent's peak, because they share memory until
/// exec. Ours can only have grown since, so what exceeds it is the child's.
fn peak_memory(child: u64) -> PeakMemory {
    /// Our peak when it was last asked for.
    static KNOWN: AtomicU64 = AtomicU64::new(0);
    if child > KNOWN.load(Ordering::Relaxed) {
        KNOWN.store(own_peak(), Ordering::Relaxed);
    }
    match child > KNOWN.load(Ordering::Relaxed) {
        true => PeakMemory::Exact(child),
        false => PeakMemory::AtMost(child),
    }
}

fn own_peak() -> u64 {
    let mut own = RawUsage::default();
    let args = [RUSAGE_SELF, &raw mut own as usize, 0, 0, 0];
    // SAFETY: the structure is live and of the kernel's layout; the call has
    // no failure with these arguments.
    unsafe { sys::call(nr::GETRUSAGE, args) };
    bytes(own.max_rss)
}

fn raw(fd: impl AsRawFd) -> usize {
    fd.as_raw_fd().unsigned_abs() as usize
}

/// Seconds and microseconds.
fn time([seconds, micros]: [i64; 2]) -> Duration {
    Duration::from_secs(count(seconds)) + Duration::from_micros(count(micros))
}

/// The kernel's kibibytes in bytes.
fn bytes(kibibytes: i64) -> u64 {
    count(kibibytes).saturating_mul(1024)
}

fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
