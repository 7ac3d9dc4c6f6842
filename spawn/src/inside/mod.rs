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

mod action;
mod attributes;
mod building;
mod carrier;
mod identity;
mod namespaces;
mod sandbox;
mod signals;
mod table;
mod view;

use std::ffi::{CStr, CString, c_void};
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;

use crate::action::Action;
use crate::attributes::Attributes;
use crate::cstrings::Pointers;
use crate::error::{SpawnError, Stage};
use crate::layout::Layout;
use crate::namespace::{IdMaps, Namespaces};
use crate::sandbox::{Key, Measures};
use crate::sys::{self, nr};
use crate::view::Steps;

pub(crate) use building::{Building, build};
pub(crate) use carrier::{Entry, Job, Seat, carry};

const AT_EMPTY_PATH: usize = 0x1000;

/// No descriptor.
pub(crate) const NO_FD: RawFd = -1;

/// What a child is to do. Descriptors are the child's, as [`Orders::layout`]
/// puts them, but for `cgroup_procs`, which is used before.
#[derive(Debug)]
pub(crate) struct Orders<'a> {
    /// Whether the descriptor table is still the parent's, and ranges of it can
    /// be closed.
    pub(crate) close_range: bool,
    /// The parent's descriptors from this number on are not needed.
    pub(crate) cut: RawFd,
    pub(crate) layout: Layout,
    /// The program, by descriptor.
    pub(crate) program: RawFd,
    /// A `cgroup.procs` to write to, or [`NO_FD`].
    pub(crate) cgroup_procs: RawFd,
    pub(crate) namespaces: Namespaces,
    /// What the child's user namespace is told, if it has one of its own.
    pub(crate) id_maps: Option<IdMaps>,
    /// The file system that the child sees, if not ours: one to make,
    pub(crate) view: Option<&'a Steps>,
    /// or one to join: its user namespace, if it has one, and its mount namespace.
    pub(crate) joined: Option<[RawFd; 2]>,
    /// The directory to change to, or [`NO_FD`].
    pub(crate) cwd: RawFd,
    /// The same by a path of the child's.
    pub(crate) cwd_path: Option<&'a CStr>,
    /// The terminal to take, or [`NO_FD`].
    pub(crate) terminal: RawFd,
    /// The process group to be in: 0 for one of its own.
    pub(crate) group: Option<i32>,
    /// The leader of that group, to see that it still is, or [`NO_FD`].
    pub(crate) leader: RawFd,
    pub(crate) attributes: &'a Attributes,
    /// The real user and group id, if they are to be the effective ones.
    pub(crate) ids: Option<[u32; 2]>,
    /// The parent, if the child is to end with it.
    pub(crate) parent: i32,
    /// The same by its pidfd, for a child that does not know its number, or
    /// [`NO_FD`].
    pub(crate) parent_pidfd: RawFd,
    /// What the child's sandbox is made of, if it has one.
    pub(crate) sandbox: Option<&'a Measures>,
    /// What it lets past the filter that it was born with, if a thread that is in the
    /// sandbox makes it.
    pub(crate) key: Option<Key>,
    /// Landlock's rules for it, or [`NO_FD`].
    pub(crate) ruleset: RawFd,
    /// Directories to open by the child's own paths, and their numbers.
    pub(crate) opened: &'a [(CString, RawFd)],
    /// Every action, and its directory or [`NO_FD`].
    pub(crate) actions: Vec<(&'a Action, RawFd)>,
    /// Whether signal handlers are still those of the parent.
    pub(crate) clear_handlers: bool,
    pub(crate) argv: Pointers<'a>,
    pub(crate) envp: Pointers<'a>,
    /// Where the child says why it ended.
    pub(crate) failure: Failure,
}

impl Orders<'_> {
    /// The namespaces that the child is born in.
    pub(crate) fn at_birth(&self) -> u32 {
        match self.joined {
            Some([user, _]) => self.namespaces.at_birth_joining(user != NO_FD),
            None => self.namespaces.at_birth(),
        }
    }
}

/// Written by the child, read by the parent after the child has ended. It is
/// one word: a child that is killed while it writes has written all or nothing.
#[derive(Debug, Default)]
pub(crate) struct Failure(AtomicU64);

impl Failure {
    /// The child's last word, if it had to give up.
    pub(crate) fn get(&self) -> Option<SpawnError> {
        SpawnError::from_word(self.0.load(Ordering::Acquire))
    }

    /// Leaves the last word.
    fn set(&self, error: SpawnError) {
        self.0.store(error.to_word(), Ordering::Release);
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
    if let Err(error) = obey(orders) {
        orders.failure.set(error);
    }
    exit()
}

/// Does everything in order and executes the program. Returns only on failure.
///
/// The order matters. Descriptors come first, while nothing restricts the
/// process, and its namespaces, in which all else is looked for; then what glibc does in glibc's order: scheduler, session, group,
/// ids, file actions, signal mask. Limits and the file mask come before the
/// actions, so that they hold for these; the parent death signal after the ids,
/// whose change would take it away. What bounds capabilities comes before the
/// ids, whose change takes the right to it; the sandbox behind all that it would
/// hinder; the signal mask last, so that no signal comes in between.
fn obey(orders: &Orders<'_>) -> Result<(), SpawnError> {
    table::separate(orders)?;
    if orders.cgroup_procs != NO_FD {
        let myself = b"0";
        let args = [word(orders.cgroup_procs), myself.as_ptr() as usize, 1, 0, 0];
        call(Stage::Cgroup, nr::WRITE, args)?;
    }
    table::arrange(orders)?;
    namespaces::arrange(orders)?;
    if let (Some(measures), None) = (orders.sandbox, orders.key) {
        sandbox::bound(measures)?;
    }
    attributes::set(orders)?;
    for (path, number) in orders.opened {
        action::open_directory(path, *number, Stage::Passed(number.cast_unsigned()))?;
    }
    for (index, (action, directory)) in (0..).zip(&orders.actions) {
        action::act(orders, action, *directory, Stage::FileAction(index))?;
    }
    if let Some(measures) = orders.sandbox {
        sandbox::enter(orders, measures)?;
    }
    signals::set(orders)?;
    let empty = c"";
    let args = [
        word(orders.program),
        empty.as_ptr() as usize,
        orders.argv.as_ptr() as usize,
        orders.envp.as_ptr() as usize,
        AT_EMPTY_PATH,
    ];
    call(Stage::Exec, nr::EXECVEAT, args).map(drop)
}

/// Makes a system call whose arguments come from [`Orders`].
fn call(stage: Stage, number: usize, args: [usize; 5]) -> Result<usize, SpawnError> {
    let [a, b, c, d, e] = args;
    call6(stage, number, [a, b, c, d, e, 0])
}

/// The same with six arguments.
fn call6(stage: Stage, number: usize, args: [usize; 6]) -> Result<usize, SpawnError> {
    // SAFETY: every caller, all of them in this module and those below it,
    // passes plain numbers, addresses of live variables of the size that the
    // call takes, or what the parent prepared and keeps.
    let answer = unsafe { sys::call6(number, args) };
    sys::result(answer).map_err(|errno| SpawnError { stage, errno })
}

/// A number as an argument, its sign kept.
fn word(number: i32) -> usize {
    (number as isize).cast_unsigned()
}

/// Ends this process, and only this one, at once.
fn exit() -> ! {
    loop {
        // SAFETY: exit_group takes a number. It does not return; the loop
        // tells the compiler so.
        unsafe { sys::call(nr::EXIT_GROUP, [127, 0, 0, 0, 0]) };
    }
}

/// Whether the kernel can do what a child asks of `close_range` (Linux 5.11):
/// asked for here, of a descriptor that cannot be.
pub(crate) fn check_close_range() -> Result<(), Errno> {
    const LAST: usize = usize::MAX >> 32;
    let closed =
        call(Stage::Kernel, nr::CLOSE_RANGE, [LAST, LAST, table::CLOSE_RANGE_CLOEXEC, 0, 0]);
    closed.map(drop).map_err(|error| error.errno)
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
