//! The child's half: what runs between clone and exec.
//!
//! # Safety
//!
//! The child shares its parent's memory, and the parent's other threads go on
//! using it. So this code makes system calls and nothing else: it allocates
//! nothing, takes no lock, cannot panic, and writes only to its own stack and
//! to [`Orders::failure`]. Of the C library it calls nothing but the `memcpy`
//! and `memset` that a compiler puts into unoptimised code. Everything that it
//! reads was prepared by the parent, which sleeps until the child has executed
//! its program or ended.

#![expect(unsafe_code, reason = "system calls are made with prepared pointers")]

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::os::fd::RawFd;
use std::ptr;

use rustix::io::Errno;

use crate::cstrings::Pointers;
use crate::error::{SpawnError, Stage};
use crate::sigset::{SET_MASK, SIZE, SigSet};
use crate::sys::{self, nr};

const AT_EMPTY_PATH: usize = 0x1000;
const CLOSE_RANGE_UNSHARE: usize = 1 << 1;
const CLOSE_RANGE_CLOEXEC: usize = 1 << 2;
const F_SETFD: usize = 2;
const PR_SET_PDEATHSIG: usize = 1;
const PR_SET_NO_NEW_PRIVS: usize = 38;
const SIG_DFL: usize = 0;
const SIG_IGN: usize = 1;
const SIGPIPE: usize = 13;

/// The first descriptor behind the standard streams.
const FIRST_OTHER: RawFd = 3;

/// No descriptor.
pub(crate) const NO_FD: RawFd = -1;

/// What a child is to do. All descriptors are at least [`FIRST_OTHER`] and
/// below [`Orders::cut`].
#[derive(Debug)]
pub(crate) struct Orders<'a> {
    /// Descriptors from this number on are not needed.
    pub(crate) cut: RawFd,
    /// What becomes descriptors 0, 1 and 2.
    pub(crate) stdio: [RawFd; 3],
    /// The program, by descriptor.
    pub(crate) program: RawFd,
    /// Whether the program is a script, whose interpreter opens it again by
    /// its descriptor.
    pub(crate) script: bool,
    /// The directory to change to, or [`NO_FD`].
    pub(crate) cwd: RawFd,
    /// A `cgroup.procs` to write to, or [`NO_FD`].
    pub(crate) cgroup_procs: RawFd,
    /// Whether signal handlers are still those of the parent.
    pub(crate) clear_handlers: bool,
    /// Whether to lead a process group of its own.
    pub(crate) new_group: bool,
    /// The signal to get when the parent dies; 0 for none.
    pub(crate) parent_death_signal: i32,
    /// The parent as the child sees it.
    pub(crate) parent: i32,
    pub(crate) no_new_privileges: bool,
    pub(crate) argv: Pointers<'a>,
    pub(crate) envp: Pointers<'a>,
    /// Where the child says why it ended.
    pub(crate) failure: Failure,
}

/// Written by the child, read by the parent after the child has ended.
#[derive(Debug, Default)]
pub(crate) struct Failure(UnsafeCell<Option<(u32, i32)>>);

impl Failure {
    /// The child's last word, if it had to give up.
    pub(crate) fn get(&self) -> Option<SpawnError> {
        // SAFETY: the only writer is the child, which has executed its program
        // or ended when the parent comes here, and sees its memory no more.
        let failure = unsafe { ptr::read_volatile(self.0.get()) };
        failure.map(|(code, errno)| SpawnError {
            stage: Stage::from_code(code),
            errno: Errno::from_raw_os_error(errno),
        })
    }

    /// Leaves the last word.
    fn set(&self, stage: Stage, errno: Errno) {
        // SAFETY: the parent reads only after we have ended, and nobody else
        // has a reference to this cell.
        unsafe { ptr::write_volatile(self.0.get(), Some((stage.to_code(), errno.raw_os_error()))) };
    }
}

/// Where a new process starts.
///
/// # Safety
///
/// `orders` points to [`Orders`] that are as they should be and stay so, and
/// the process has been made by [`crate::clone::Clone`].
pub(crate) unsafe extern "C" fn run(orders: *mut c_void) -> ! {
    // SAFETY: the caller passes valid orders, and only shared references to
    // them exist.
    let orders = unsafe { &*orders.cast::<Orders<'_>>() };
    if let Err((stage, errno)) = obey(orders) {
        orders.failure.set(stage, errno);
    }
    exit()
}

/// Does everything in order and executes the program. Returns only on failure.
///
/// The order matters: descriptors first, while nothing restricts the process;
/// the standard streams after the descriptors that are used only here; the
/// signal mask last, so that no signal comes in between.
fn obey(orders: &Orders<'_>) -> Result<(), (Stage, Errno)> {
    let unshare = [fd(orders.cut), usize::MAX >> 32, CLOSE_RANGE_UNSHARE, 0, 0];
    call(Stage::DescriptorTable, nr::CLOSE_RANGE, unshare)?;

    if orders.cgroup_procs != NO_FD {
        let myself = b"0";
        let args = [fd(orders.cgroup_procs), myself.as_ptr() as usize, 1, 0, 0];
        call(Stage::Cgroup, nr::WRITE, args)?;
    }
    if orders.new_group {
        call(Stage::ProcessGroup, nr::SETPGID, [0; 5])?;
    }
    if orders.parent_death_signal != 0 {
        set_parent_death_signal(orders)?;
    }
    if orders.no_new_privileges {
        call(
            Stage::NoNewPrivileges,
            nr::PRCTL,
            [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0],
        )?;
    }
    if orders.cwd != NO_FD {
        call(
            Stage::WorkingDirectory,
            nr::FCHDIR,
            [fd(orders.cwd), 0, 0, 0, 0],
        )?;
    }

    let [stdin, stdout, stderr] = orders.stdio;
    for (source, number) in [(stdin, 0), (stdout, 1), (stderr, 2)] {
        let args = [fd(source), usize::from(number), 0, 0, 0];
        call(Stage::StandardStream(number), nr::DUP3, args)?;
    }
    let close_at_exec = [fd(FIRST_OTHER), usize::MAX >> 32, CLOSE_RANGE_CLOEXEC, 0, 0];
    call(Stage::Descriptors, nr::CLOSE_RANGE, close_at_exec)?;
    let program = match orders.script {
        true => keep_open(orders.program)?,
        false => orders.program,
    };

    set_signals(orders.clear_handlers)?;
    let empty = c"";
    let args = [
        fd(program),
        empty.as_ptr() as usize,
        orders.argv.as_ptr() as usize,
        orders.envp.as_ptr() as usize,
        AT_EMPTY_PATH,
    ];
    call(Stage::Exec, nr::EXECVEAT, args)
}

/// Asks for a signal when the parent dies, unless it already did: then nobody
/// waits for this process, and it ends.
fn set_parent_death_signal(orders: &Orders<'_>) -> Result<(), (Stage, Errno)> {
    let signal = fd(orders.parent_death_signal);
    call(
        Stage::ParentDeathSignal,
        nr::PRCTL,
        [PR_SET_PDEATHSIG, signal, 0, 0, 0],
    )?;
    // SAFETY: getppid takes no arguments and cannot fail.
    let parent = unsafe { sys::call(nr::GETPPID, [0; 5]) };
    match parent == orders.parent as isize {
        true => Ok(()),
        false => exit(),
    }
}

/// Lets the interpreter of a script open the script: as the lowest descriptor
/// behind the standard streams, not closed at exec.
fn keep_open(script: RawFd) -> Result<RawFd, (Stage, Errno)> {
    match script == FIRST_OTHER {
        true => call(
            Stage::Descriptors,
            nr::FCNTL,
            [fd(script), F_SETFD, 0, 0, 0],
        )?,
        false => call(
            Stage::Descriptors,
            nr::DUP3,
            [fd(script), fd(FIRST_OTHER), 0, 0, 0],
        )?,
    }
    Ok(FIRST_OTHER)
}

/// Unblocks all signals and gives SIGPIPE, which Rust programs ignore, its
/// default action. Other signals that the parent ignores stay ignored, as
/// exec(2) has it.
fn set_signals(clear_handlers: bool) -> Result<(), (Stage, Errno)> {
    if clear_handlers {
        for signal in 1..=64 {
            let mut action = Action::default();
            let out = &raw mut action as usize;
            // Fails for numbers that have no action to set, and these need none.
            let asked = call(Stage::Signals, nr::RT_SIGACTION, [signal, 0, out, SIZE, 0]);
            if asked.is_ok() && action.handler != SIG_DFL && action.handler != SIG_IGN {
                set_default(signal)?;
            }
        }
    }
    set_default(SIGPIPE)?;
    let none: SigSet = 0;
    let args = [SET_MASK, &raw const none as usize, 0, SIZE, 0];
    call(Stage::Signals, nr::RT_SIGPROCMASK, args)
}

fn set_default(signal: usize) -> Result<(), (Stage, Errno)> {
    let action = Action::default();
    let args = [signal, &raw const action as usize, 0, SIZE, 0];
    call(Stage::Signals, nr::RT_SIGACTION, args)
}

/// `struct sigaction` as the kernel has it, or longer: the handler is first on
/// every architecture, and zeroes mean the default action everywhere.
#[repr(C)]
#[derive(Default)]
struct Action {
    handler: usize,
    rest: [u64; 3],
}

/// Makes a system call whose arguments come from [`Orders`].
fn call(stage: Stage, number: usize, args: [usize; 5]) -> Result<(), (Stage, Errno)> {
    // SAFETY: every call above passes plain numbers, addresses of live
    // variables of the size that the call takes, or the prepared arrays.
    let answer = unsafe { sys::call(number, args) };
    match sys::result(answer) {
        Ok(_) => Ok(()),
        Err(errno) => Err((stage, errno)),
    }
}

/// A descriptor or another non-negative number as an argument.
fn fd(number: i32) -> usize {
    number.unsigned_abs() as usize
}

/// Ends this process, and only this one, at once.
fn exit() -> ! {
    loop {
        // SAFETY: exit_group takes a number. It does not return; the loop
        // tells the compiler so.
        unsafe { sys::call(nr::EXIT_GROUP, [127, 0, 0, 0, 0]) };
    }
}

/// Whether the kernel can do what a child asks of `close_range`: asked for
/// here, of a descriptor that cannot be.
pub(crate) fn check_close_range() -> Result<(), Errno> {
    const LAST: usize = usize::MAX >> 32;
    let args = [LAST, LAST, CLOSE_RANGE_CLOEXEC, 0, 0];
    call(Stage::Kernel, nr::CLOSE_RANGE, args).map_err(|(_, errno)| errno)
}

/// Where the process of the kernel probe starts: says through the memory that
/// it should share that it was there.
///
/// # Safety
///
/// `cell` points to a `u32` that nothing else uses until this process has
/// ended.
pub(crate) unsafe extern "C" fn probe(cell: *mut c_void) -> ! {
    // SAFETY: the caller passes such a cell.
    unsafe { ptr::write_volatile(cell.cast::<u32>(), PROBE_WORD) };
    exit()
}

/// What the probe writes.
pub(crate) const PROBE_WORD: u32 = 0x0ff5_9217;

/// What the probe exits with.
pub(crate) const PROBE_EXIT: u8 = 127;
