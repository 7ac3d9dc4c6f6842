//! Threads that are in a sandbox, and make children there.
//!
//! Most of what a sandbox is, a thread has for itself and gives to the children that it
//! makes: capabilities and their bounds, the session's keyring, Landlock's domain, the
//! filter for system calls. A thread that has it all costs a child nothing but being
//! woken. Two things are left for each child. Its limit of core files is the whole
//! process's. And where children of one domain could look into each other, each enters
//! one more, without rules for files: the kernel copies all that there are already, at
//! a quarter of a microsecond each.
//!
//! The filter refuses what the thread lives on, clone3, for its flags are in memory. So
//! it has a [`Key`] to it, which its children do not know.
//!
//! The thread that calls prepares everything and sleeps until the child has executed
//! its program or ended, as it would without a carrier. Only the child is another
//! thread's, which goes on at once: it is not held up by a program that is slow to
//! come.
//!
//! # Safety
//!
//! A carrier is made by clone(2) as a thread of this process, with a stack and a
//! [`Seat`] of its own that are freed when the kernel has cleared [`Seat::lives`]: then
//! the thread is gone. No C library knows it, so none sends it what all threads are to
//! do (`setuid`), which it could not, and might not survive. What it runs is in
//! [`crate::inside`].
//!
//! A [`Job`] is on its owner's stack, with a [`Birth`]. The owner stays until the child
//! does not use our memory any more, which the kernel says, or a carrier that could
//! make none.

#![expect(unsafe_code, reason = "a thread is made that only makes system calls")]

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::process::{Gid, Pid, Uid, getegid, geteuid, getgid, getpid, getuid};
use rustix::thread::{futex, gettid};

use crate::action::Directory;
use crate::birth::Birth;
use crate::clone::{Clone, Method};
use crate::command::Command;
use crate::error::{SpawnError, Stage};
use crate::inside::{self, Entry, NO_FD, Orders, Seat};
use crate::kernel::Kernel;
use crate::lane;
use crate::sandbox::{Instruction, Key, Sandbox};
use crate::sigset::Blocked;
use crate::stack::Stack;
use crate::sys::{self, nr};

/// What a thread shares with its process, and that the kernel says when it has ended.
const FLAGS: usize = CLONE_VM
    | CLONE_FS
    | CLONE_FILES
    | CLONE_SIGHAND
    | CLONE_THREAD
    | CLONE_SYSVSEM
    | CLONE_CHILD_CLEARTID;
const CLONE_VM: usize = 0x100;
const CLONE_FS: usize = 0x200;
const CLONE_FILES: usize = 0x400;
const CLONE_SIGHAND: usize = 0x800;
const CLONE_THREAD: usize = 0x1_0000;
const CLONE_SYSVSEM: usize = 0x4_0000;
const CLONE_CHILD_CLEARTID: usize = 0x20_0000;

/// The carriers of one sandbox.
pub(crate) struct Carriers {
    key: Key,
    /// The filter, with a lock for the key.
    filter: Vec<Instruction>,
    /// The rules of the domain that each child enters besides, if it must.
    domain: Option<OwnedFd>,
    born: Born,
    most: usize,
    seats: Mutex<Seats>,
}

struct Seats {
    idle: Vec<Carrier>,
    /// Busy ones included.
    running: usize,
}

/// One of these threads.
struct Carrier {
    seat: Arc<Seat>,
    /// There until the thread is told to end.
    stack: Option<Stack>,
    _counted: Counted,
}

/// One of those that there may be.
struct Counted;

/// A carrier for one spawn.
pub(crate) struct Taken<'a> {
    carriers: &'a Carriers,
    /// There until it is given back.
    carrier: Option<Carrier>,
}

/// Whose threads these are. What becomes of a process later is not done by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Born {
    process: Pid,
    users: [Uid; 2],
    groups: [Gid; 2],
}

/// The most that all sandboxes have together.
const MAX: usize = 512;

/// How many there are.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Threads that are to end, and the memory that they use until then.
static RETIRED: Mutex<Vec<(Arc<Seat>, Stack)>> = Mutex::new(Vec::new());

/// Takes a carrier that makes this command's child just as the calling thread would, if
/// there is one.
pub(crate) fn take(command: &Command, kernel: Kernel) -> Option<Taken<'_>> {
    let sandbox = command.sandbox.as_ref()?;
    let carriers = sandbox.carriers()?;
    match kernel.has_clone3() && suits(command) {
        true => carriers.take(sandbox),
        false => None,
    }
}

/// Whether nothing is asked for that would become another thing in the sandbox, or that
/// could not be done a second time by the calling thread.
fn suits(command: &Command) -> bool {
    let attributes = &command.attributes;
    let lasts = || gettid() == getpid() || lane::is_lane();
    command.actions.is_empty()
        && command.opened.is_empty()
        && command.cwd.as_ref().and_then(Directory::path).is_none()
        && command.view.is_none()
        && command.all_namespaces().is_empty()
        && attributes.identity.is_none()
        && !attributes.reset_ids
        && (attributes.parent_death_signal.is_none() || lasts())
}

impl Carriers {
    /// Starts the first one.
    pub(crate) fn new(
        sandbox: &Sandbox,
        key: Key,
        filter: Vec<Instruction>,
        domain: Option<OwnedFd>,
        most: usize,
    ) -> Result<Carriers, SpawnError> {
        let seats = Mutex::new(Seats { idle: Vec::new(), running: 1 });
        let carriers = Carriers { key, filter, domain, born: Born::now(), most, seats };
        let first = carriers.start(sandbox)?;
        carriers.seats().idle.push(first);
        Ok(carriers)
    }

    fn take(&self, sandbox: &Sandbox) -> Option<Taken<'_>> {
        if self.born != Born::now() {
            return None;
        }
        let mut seats = self.seats();
        let carrier = match seats.idle.pop() {
            Some(carrier) => carrier,
            None if seats.running < self.most => {
                seats.running += 1;
                drop(seats);
                let started = self.start(sandbox);
                started.inspect_err(|_| self.seats().running -= 1).ok()?
            }
            None => return None,
        };
        Some(Taken { carriers: self, carrier: Some(carrier) })
    }

    /// Starts one, and waits until it is in the sandbox.
    fn start(&self, sandbox: &Sandbox) -> Result<Carrier, SpawnError> {
        let counted = Counted::new().map_err(SpawnError::at(Stage::Clone))?;
        let seat = Arc::new(Seat::default());
        seat.lives.store(1, Ordering::Relaxed);
        let entry = Entry {
            seat: &seat,
            measures: sandbox.measures(),
            ruleset: sandbox.ruleset().map_or(NO_FD, |fd| fd.as_raw_fd()),
            filter: &self.filter,
            key: self.key,
        };
        let stack = Stack::map()?;
        let (base, size) = stack.usable();
        let lives = seat.lives.as_ptr() as usize;
        // The order of the last two that count depends on the architecture, and one
        // is not used.
        let args = [FLAGS, base + size, 0, lives, lives, 0];
        let data = ptr::from_ref(&entry).cast_mut().cast();
        let answer = {
            // The thread has none of them ever.
            let _blocked = Blocked::all();
            // SAFETY: the stack is new, and its top the end of a mapping of whole pages.
            // `carry` takes an entry; this one stays until it has been entered, below.
            // The seat and the stack stay as the module says.
            unsafe { sys::clone(nr::CLONE, args, inside::carry, data) }
        };
        sys::result(answer).map_err(SpawnError::at(Stage::Clone))?;
        wait_while(&seat.word, Seat::ENTERS, futex::Flags::PRIVATE);
        if let Some(error) = seat.failure.get() {
            wait_while(&seat.lives, 1, futex::Flags::empty());
            return Err(error);
        }
        Ok(Carrier { seat, stack: Some(stack), _counted: counted })
    }

    /// The rules of the domain that each child enters, if it must.
    pub(crate) fn domain(&self) -> Option<BorrowedFd<'_>> {
        self.domain.as_ref().map(AsFd::as_fd)
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken<'_> {
    /// What the child lets past the filter.
    pub(crate) fn key(&self) -> Key {
        self.carriers.key
    }

    /// The rules of the domain that the child enters.
    pub(crate) fn ruleset(&self) -> Option<BorrowedFd<'_>> {
        self.carriers.domain()
    }

    /// Makes a child that follows these orders, waits until it has executed its
    /// program or ended, and in patience until it has ended, and returns its pidfd.
    pub(crate) fn spawn(
        &self,
        clone: &Clone<'_>,
        stack: &Stack,
        orders: &Orders<'_>,
        birth: &Birth,
    ) -> Result<OwnedFd, Errno> {
        debug_assert_eq!(clone.method, Method::Clone3);
        let Some(Carrier { seat, .. }) = &self.carrier else { return Err(Errno::AGAIN) };
        let job = clone.job(stack, orders, birth);
        seat.job.store(ptr::from_ref(&job).cast_mut(), Ordering::Release);
        seat.word.store(Seat::JOB, Ordering::Release);
        // Fails where nobody has to be woken.
        let _ = futex::wake(&seat.word, futex::Flags::PRIVATE, 1);
        if job.says_made {
            birth.wait_for_child();
        } else {
            birth.wait_for_memory();
        }
        match job.errno.load(Ordering::Relaxed) {
            0 => Ok(clone.made(birth)),
            errno => Err(Errno::from_raw_os_error(errno)),
        }
    }
}

/// Sleeps as long as the word is this.
fn wait_while(word: &AtomicU32, is: u32, flags: futex::Flags) {
    while word.load(Ordering::Acquire) == is {
        // Woken, interrupted, or too late to sleep: it is looked at again.
        let _ = futex::wait(word, flags, is, None);
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let carrier = self.carrier.take();
        self.carriers.seats().idle.extend(carrier);
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.seat.word.store(Seat::OVER, Ordering::Release);
        let _ = futex::wake(&self.seat.word, futex::Flags::PRIVATE, 1);
        let mut retired = RETIRED.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that have ended do not need their stacks any more.
        retired.retain(|(seat, _)| seat.lives.load(Ordering::Acquire) != 0);
        retired.extend(self.stack.take().map(|stack| (Arc::clone(&self.seat), stack)));
    }
}

impl Counted {
    fn new() -> Result<Counted, Errno> {
        match COUNT.fetch_add(1, Ordering::Relaxed) {
            before if before < MAX => Ok(Counted),
            _ => {
                drop(Counted);
                Err(Errno::AGAIN)
            }
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        COUNT.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Born {
    fn now() -> Born {
        let (users, groups) = ([getuid(), geteuid()], [getgid(), getegid()]);
        Born { process: getpid(), users, groups }
    }
}

impl fmt::Debug for Carriers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nothing of the filter, which has the key in it.
        f.debug_struct("Carriers").field("most", &self.most).finish_non_exhaustive()
    }
}
