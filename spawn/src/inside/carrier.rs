//! A thread that is in a sandbox and makes children there.
//!
//! # Safety
//!
//! It is a thread of this process that no C library knows: it has no storage of its
//! own but its stack, and is never told to do what all threads do. The rule of the
//! module above holds for it as for a child: system calls, no allocation, no lock, no
//! panic, and it writes only to its stack, to its [`Seat`], and to the [`Job`]
//! whose owner sleeps meanwhile.

#![expect(unsafe_code, reason = "system calls are made with prepared pointers")]

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, Ordering};

use super::{Failure, run, sandbox};
use crate::birth::Addresses;
use crate::clone::CloneArgs;
use crate::sandbox::{Instruction, Key, Measures};
use crate::sys::{self, nr};

const FUTEX_WAIT: usize = 0;
const FUTEX_WAKE: usize = 1;
const FUTEX_PRIVATE_FLAG: usize = 128;

const P_ALL: usize = 0;
const WNOHANG: usize = 0x1;
const WEXITED: usize = 0x4;
const WNOWAIT: usize = 0x0100_0000;
/// Children of this thread alone,
const WNOTHREAD: usize = 0x2000_0000;
/// whatever their exit signal.
const WALL: usize = 0x4000_0000;

/// What a thread and those that it works for share.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    /// What the thread is to do; see the constants.
    pub(crate) word: AtomicU32,
    /// What it is to make, as long as the word says so.
    pub(crate) job: AtomicPtr<Job>,
    /// Why it could not enter the sandbox.
    pub(crate) failure: Failure,
    /// Not zero as long as it lives.
    pub(crate) lives: AtomicU32,
}

impl Seat {
    /// It is entering the sandbox.
    pub(crate) const ENTERS: u32 = 0;
    /// It waits for the next job.
    pub(crate) const WAITS: u32 = 1;
    /// There is one.
    pub(crate) const JOB: u32 = 2;
    /// There will be none any more.
    pub(crate) const OVER: u32 = 3;
}

/// How a thread enters the sandbox.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) seat: &'a Seat,
    pub(crate) measures: &'a Measures,
    /// Landlock's rules, or [`NO_FD`](super::NO_FD).
    pub(crate) ruleset: i32,
    /// The filter, with a lock for
    pub(crate) filter: &'a [Instruction],
    /// this key.
    pub(crate) key: Key,
}

/// A child to make. It is its owner's again when the word at `written.memory` is zero:
/// the kernel clears it when the child has left our memory, the thread when there is
/// none.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) args: CloneArgs,
    /// [`Orders`](super::Orders).
    pub(crate) orders: *mut c_void,
    /// Why there is no child: an error of clone3.
    pub(crate) errno: AtomicI32,
    /// Where the kernel writes.
    pub(crate) written: Addresses,
    /// Whether who sleeps at `written.number` is to be woken when the child is made.
    pub(crate) says_made: bool,
}

/// Where the thread starts.
///
/// # Safety
///
/// `entry` points to an [`Entry`] that stays until the seat's word is no longer
/// [`Seat::ENTERS`]; the seat stays until it is no longer alive. Every job that comes
/// is complete, has [`Orders`](super::Orders), and stays as it says.
pub(crate) unsafe extern "C" fn carry(entry: *mut c_void) -> ! {
    let (seat, key, entered) = {
        // SAFETY: the caller passes it, and it stays until the word is changed below.
        let entry = unsafe { &*entry.cast::<Entry<'_>>() };
        (ptr::from_ref(entry.seat), entry.key, sandbox::carried::enter(entry))
    };
    // SAFETY: it stays until the kernel has seen the end of this thread.
    let seat = unsafe { &*seat };
    if let Err(error) = entered {
        seat.failure.set(error);
        say(seat, Seat::OVER);
        exit();
    }
    say(seat, Seat::WAITS);
    loop {
        match seat.word.load(Ordering::Acquire) {
            Seat::JOB => {
                let job = seat.job.load(Ordering::Acquire);
                seat.word.store(Seat::WAITS, Ordering::Release);
                // SAFETY: whoever said so has put a job there, which is complete.
                unsafe { make(job, key) };
            }
            Seat::OVER => break,
            word => wait(&seat.word, word, None),
        }
    }
    // A child whose parent death signal is to come gets it when this thread ends.
    while has_children() {
        wait(&seat.word, Seat::OVER, Some(&[1, 0]));
    }
    exit()
}

/// Makes a child.
///
/// # Safety
///
/// The job is complete and its owner waits. After a success it is not touched any
/// more, because the child may have left already, and the owner gone on.
unsafe fn make(job: *mut Job, key: Key) {
    let (args, orders, Addresses { number, memory, .. }, says_made) = {
        // SAFETY: the caller's.
        let job = unsafe { &*job };
        (ptr::from_ref(&job.args), job.orders, job.written, job.says_made)
    };
    let [fifth, sixth] = key.arguments();
    let args = [args as usize, size_of::<CloneArgs>(), 0, 0, fifth, sixth];
    // SAFETY: the arguments live until the call returns, and give the child a stack of
    // its own. `run` takes orders.
    let answer = unsafe { sys::clone(nr::CLONE3, args, run, orders) };
    if let Err(errno) = sys::result(answer) {
        // SAFETY: there is no child, so the owner still waits.
        unsafe { &*job }.errno.store(errno.raw_os_error(), Ordering::Relaxed);
        // SAFETY: likewise; it is a word that lives as long.
        unsafe { AtomicU32::from_ptr(memory as *mut u32) }.store(0, Ordering::Release);
        wake(memory, 0);
    } else if !says_made {
        return;
    }
    // The owner may be gone by now: the kernel finds nobody there, or wakes somebody
    // who looks again.
    wake(number, FUTEX_PRIVATE_FLAG);
}

fn say(seat: &Seat, word: u32) {
    seat.word.store(word, Ordering::Release);
    wake(ptr::from_ref(&seat.word) as usize, FUTEX_PRIVATE_FLAG);
}

fn wake(address: usize, private: usize) {
    // SAFETY: the kernel looks for who sleeps at this address, and reads nothing.
    unsafe { sys::call(nr::FUTEX, [address, FUTEX_WAKE | private, 1, 0, 0]) };
}

/// Sleeps while the word is this, so long at most (seconds and nanoseconds).
fn wait(word: &AtomicU32, is: u32, at_most: Option<&[i64; 2]>) {
    let at_most = at_most.map_or(0, |time| ptr::from_ref(time) as usize);
    let operation = FUTEX_WAIT | FUTEX_PRIVATE_FLAG;
    let args = [ptr::from_ref(word) as usize, operation, is as usize, at_most, 0];
    // SAFETY: the word and the time are alive.
    unsafe { sys::call(nr::FUTEX, args) };
}

/// Whether this thread has made a child that nobody has waited for yet.
fn has_children() -> bool {
    let options = WNOHANG | WEXITED | WNOWAIT | WNOTHREAD | WALL;
    // SAFETY: nothing is written, for both addresses are null.
    let answer = unsafe { sys::call(nr::WAITID, [P_ALL, 0, 0, options, 0]) };
    answer == 0
}

/// Ends this thread, and no other.
fn exit() -> ! {
    loop {
        // SAFETY: the call takes a number and does not return.
        unsafe { sys::call(nr::EXIT, [0; 5]) };
    }
}
