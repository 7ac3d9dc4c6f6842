//! Signals of a process that does nothing but wait for them.
//!
//! # Safety
//!
//! `rt_sigtimedwait` and `rt_sigaction` read and write structures of ours.

#![expect(unsafe_code, reason = "there is no safe wrapper that waits for every signal")]

use std::time::Duration;

use rustix::event::Timespec;
use rustix::process::Pid;

use crate::signal::Signal;
use crate::sigset::{SIZE, SignalSet};
use crate::sys::{self, nr};

/// `SI_KERNEL`: nobody sent it; a terminal did, to a whole process group.
const FROM_KERNEL: i32 = 0x80;

/// `siginfo_t`
#[repr(C)]
struct SigInfo {
    signo: i32,
    errno: i32,
    code: i32,
    rest: [i32; 29],
}

const _: () = assert!(size_of::<SigInfo>() == 128);

/// A signal that was sent to this process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Received {
    pub(super) signal: Signal,
    pub(super) from_kernel: bool,
}

/// Waits for any signal that is not taken otherwise; all of them are blocked.
/// `None` when there was none in this time.
pub(super) fn wait(timeout: Duration) -> Option<Received> {
    let mut info = SigInfo { signo: 0, errno: 0, code: 0, rest: [0; 29] };
    let timeout = Timespec::try_from(timeout).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
    let all = SignalSet::ALL;
    let args =
        [&raw const all as usize, &raw mut info as usize, &raw const timeout as usize, SIZE, 0];
    // SAFETY: the set, the details and the time are live variables of the
    // kernel's layouts and sizes.
    let answer = unsafe { sys::call(nr::RT_SIGTIMEDWAIT, args) };
    sys::result(answer).ok()?;
    let signal = Signal::from_raw(info.signo)?;
    Some(Received { signal, from_kernel: info.code == FROM_KERNEL })
}

/// Sets the default action for a signal.
pub(super) fn set_default(signal: Signal) {
    // `struct sigaction`, or longer; zeroes mean the default action.
    let default = [0_u64; 4];
    let number = signal.as_raw().unsigned_abs() as usize;
    let args = [number, &raw const default as usize, 0, SIZE, 0];
    // SAFETY: the action is a live variable, no shorter than the kernel's
    // structure on any architecture. A handler that is taken away is never
    // missed by memory safety.
    unsafe { sys::call(nr::RT_SIGACTION, args) };
}

/// Whether the process that made this one still lives. Not by the wrapper,
/// which takes the answer for never zero: that is a parent outside our
/// namespace.
pub(super) fn parent_is(parent: Pid) -> bool {
    // SAFETY: getppid takes nothing.
    let answer = unsafe { sys::call(nr::GETPPID, [0; 5]) };
    i32::try_from(answer) == Ok(parent.as_raw_pid())
}
