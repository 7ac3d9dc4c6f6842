//! A timer of the kernel that kills this process.
//!
//! # Safety
//!
//! The kernel reads structures of ours, whose layouts are its own for 64-bit
//! architectures, and writes the number of a timer.

#![expect(unsafe_code, reason = "timers have no wrapper")]

use std::time::Duration;

use rustix::io::Errno;

use crate::signal::Signal;
use crate::sys::{self, nr};

const CLOCK_MONOTONIC: usize = 1;
const SIGEV_SIGNAL: i32 = 0;

/// `struct sigevent`
#[repr(C)]
struct SigEvent {
    value: u64,
    signo: i32,
    notify: i32,
    _rest: [i32; 12],
}

const _: () = assert!(size_of::<SigEvent>() == 64);

/// `struct itimerspec`: how often, and when first, in seconds and nanoseconds.
#[repr(C)]
struct TimerSpec {
    interval: [i64; 2],
    value: [i64; 2],
}

/// Kills this process after this time, whatever it does then. A fork of it has
/// no part in that.
pub(super) fn kill_after(time: Duration) -> Result<(), Errno> {
    let signo = Signal::KILL.as_raw();
    let event = SigEvent { value: 0, signo, notify: SIGEV_SIGNAL, _rest: [0; 12] };
    let mut timer: i32 = 0;
    let args = [CLOCK_MONOTONIC, &raw const event as usize, &raw mut timer as usize, 0, 0];
    // SAFETY: the event and the number are live and of the kernel's layout.
    sys::result(unsafe { sys::call(nr::TIMER_CREATE, args) })?;

    // Zero would call the timer off.
    let time = time.max(Duration::from_nanos(1));
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let spec = TimerSpec { interval: [0, 0], value: [seconds, time.subsec_nanos().into()] };
    let timer = timer.unsigned_abs() as usize;
    let args = [timer, 0, &raw const spec as usize, 0, 0];
    // SAFETY: the time is live and of the kernel's layout; the old one is not
    // asked for.
    sys::result(unsafe { sys::call(nr::TIMER_SETTIME, args) }).map(drop)
}
