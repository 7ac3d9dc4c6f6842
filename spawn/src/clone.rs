//! The parent's half: one system call that makes a child in our memory.
//!
//! # Safety
//!
//! With `CLONE_VM` parent and child share memory, and with `CLONE_VFORK` the
//! calling thread sleeps until the child executes a program or ends; where another
//! thread makes the child, or its end is waited for, it waits until the kernel says so.
//! So all that the child reads stays alive and unchanged on the caller's side without
//! any lock, and the child may write its failure where the caller reads it.

#![expect(unsafe_code, reason = "clone3 is called")]

use std::ffi::c_void;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::AtomicI32;
use std::time::Duration;

use rustix::io::Errno;

use crate::birth::{Addresses, Birth};
use crate::inside::{self, Building, Job, Orders, PROBE_WORD};
use crate::sigset::Blocked;
use crate::stack::Stack;
use crate::sys::{self, Entry, nr};

// Flags of clone(2), defined here because the C library's are of a type that
// the upper two do not fit in, and become zero.
const CLONE_VM: u32 = 0x100;
const CLONE_FILES: u32 = 0x400;
pub(crate) const CLONE_PIDFD: u32 = 0x1000;
const CLONE_VFORK: u32 = 0x4000;
const CLONE_PARENT_SETTID: u32 = 0x0010_0000;
const CLONE_CHILD_CLEARTID: u32 = 0x0020_0000;
const CLONE_CHILD_SETTID: u32 = 0x0100_0000;
const CLONE_CLEAR_SIGHAND: u64 = 1 << 32;
pub(crate) const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// What every child has in common: our memory, and a pidfd.
const FLAGS: u32 = CLONE_VM | CLONE_PIDFD;

/// `struct clone_args` of Linux 5.7 and later, 88 bytes.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct CloneArgs {
    pub(crate) flags: u64,
    pub(crate) pidfd: u64,
    pub(crate) child_tid: u64,
    pub(crate) parent_tid: u64,
    pub(crate) exit_signal: u64,
    pub(crate) stack: u64,
    pub(crate) stack_size: u64,
    pub(crate) tls: u64,
    pub(crate) set_tid: u64,
    pub(crate) set_tid_size: u64,
    pub(crate) cgroup: u64,
}

const _: () = assert!(size_of::<CloneArgs>() == 88);

/// Which system call makes the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// clone3, which puts the child into its cgroup and clears its signal
    /// handlers itself.
    Clone3,
    /// clone, where clone3 is refused, as the seccomp profiles of containers
    /// do. The child does the rest before it executes its program.
    Clone,
}

/// How to make a child.
#[derive(Debug)]
pub(crate) struct Clone<'a> {
    pub(crate) method: Method,
    /// Whether the child has our descriptor table until its first system call,
    /// which takes the part of it that it needs. That keeps the cost of a spawn
    /// independent of how many descriptors we have open.
    pub(crate) share_table: bool,
    /// The signal that the parent gets when the child ends; 0 for none.
    pub(crate) exit_signal: u8,
    /// The cgroup that the child is born in; only with [`Method::Clone3`].
    pub(crate) cgroup: Option<BorrowedFd<'a>>,
    /// The namespaces that the child is born in, by the flags of clone(2).
    pub(crate) namespaces: u32,
    /// How long to wait for the child's end, too.
    pub(crate) patience: Duration,
}

impl Clone<'_> {
    /// What there is little to say of.
    pub(crate) fn by(method: Method) -> Clone<'static> {
        Clone {
            method,
            share_table: false,
            exit_signal: 0,
            cgroup: None,
            namespaces: 0,
            patience: Duration::ZERO,
        }
    }

    /// Makes a child that follows these orders, waits until it has executed
    /// its program or ended, and in patience until it has ended, and returns its pidfd.
    pub(crate) fn spawn(
        &self,
        stack: &Stack,
        orders: &Orders<'_>,
        birth: &Birth,
    ) -> Result<OwnedFd, Errno> {
        let data = ptr::from_ref(orders).cast_mut().cast();
        // SAFETY: `run` takes orders. These are borrowed until the call
        // returns, and then the child has left our memory.
        unsafe { self.call(stack, inside::run, data, birth) }
    }

    /// Makes a child that makes a view for others and ends, waits until it has, and
    /// returns its pidfd.
    pub(crate) fn build(&self, stack: &Stack, building: &Building<'_>) -> Result<OwnedFd, Errno> {
        let data = ptr::from_ref(building).cast_mut().cast();
        // SAFETY: `build` takes this. It is borrowed until the call returns, and then
        // the child has ended.
        unsafe { self.call(stack, inside::build, data, &Birth::default()) }
    }

    /// Makes a child that ends at once, and returns its pidfd and whether it
    /// wrote to our memory.
    pub(crate) fn probe(&self, stack: &Stack) -> Result<(OwnedFd, bool), Errno> {
        let mut cell = 0_u32;
        let data = (&raw mut cell).cast();
        // SAFETY: `probe` takes a cell that nothing else uses meanwhile.
        let child = unsafe { self.call(stack, inside::probe, data, &Birth::default()) }?;
        Ok((child, cell == PROBE_WORD))
    }

    /// A child that another thread makes, which does not sleep: the kernel says when
    /// it has left our memory.
    pub(crate) fn job(&self, stack: &Stack, orders: &Orders<'_>, birth: &Birth) -> Job {
        birth.is_told();
        Job {
            args: self.args(stack, birth, CLONE_CHILD_CLEARTID),
            orders: ptr::from_ref(orders).cast_mut().cast(),
            errno: AtomicI32::new(0),
            written: birth.addresses(),
            says_made: self.is_patient(),
        }
    }

    fn flags(&self) -> u32 {
        FLAGS | self.namespaces | if self.share_table { CLONE_FILES } else { 0 }
    }

    fn args(&self, stack: &Stack, birth: &Birth, flags: u32) -> CloneArgs {
        let (base, size) = stack.usable();
        let Addresses { pidfd, number, memory } = birth.addresses();
        let into = if self.cgroup.is_some() { CLONE_INTO_CGROUP } else { 0 };
        let flags = self.flags() | flags | CLONE_PARENT_SETTID;
        CloneArgs {
            flags: u64::from(flags) | CLONE_CLEAR_SIGHAND | into,
            pidfd: pidfd as u64,
            child_tid: memory as u64,
            parent_tid: number as u64,
            exit_signal: self.exit_signal.into(),
            stack: base as u64,
            stack_size: size as u64,
            cgroup: self.cgroup.map_or(0, |fd| fd.as_raw_fd().unsigned_abs().into()),
            ..CloneArgs::default()
        }
    }

    /// Whether it comes back when the child has ended: only clone3 has a place for the
    /// kernel to say when our memory is not used any more.
    pub(crate) fn is_patient(&self) -> bool {
        !self.patience.is_zero() && self.method == Method::Clone3
    }

    /// Makes a child that calls `entry(data)` on `stack`, with all signals blocked on
    /// both sides, and waits until it has left our memory.
    ///
    /// # Safety
    ///
    /// `entry` must be sound to call with `data` in a process that shares this
    /// one's memory: it makes system calls only and never returns.
    unsafe fn call(
        &self,
        stack: &Stack,
        entry: Entry,
        data: *mut c_void,
        birth: &Birth,
    ) -> Result<OwnedFd, Errno> {
        let blocked = Blocked::all();
        let answer = match self.method {
            Method::Clone3 => {
                let how = if self.is_patient() { CLONE_CHILD_CLEARTID } else { CLONE_VFORK };
                if self.is_patient() {
                    birth.is_told();
                }
                let args = self.args(stack, birth, how);
                let args = [&raw const args as usize, size_of::<CloneArgs>(), 0, 0, 0, 0];
                // All of it lives until the child has left our memory: this waits for that.
                // SAFETY: arguments and what the kernel writes do, see above; the stack is
                // unused and its top is the end of a mapping of whole pages. What `entry`
                // does is the caller's to answer for.
                unsafe { sys::clone(nr::CLONE3, args, entry, data) }
            }
            Method::Clone => {
                let (base, size) = stack.usable();
                let Addresses { pidfd, number, .. } = birth.addresses();
                // The parent's cell is where this one puts the pidfd; so the child
                // writes its number, in our memory. The order of the last two
                // arguments that count depends on the architecture, and one is not used.
                let flags = self.flags() | CLONE_VFORK | CLONE_CHILD_SETTID;
                let flags = flags as usize | usize::from(self.exit_signal);
                let args = [flags, base + size, pidfd, number, number, 0];
                // SAFETY: as above.
                unsafe { sys::clone(nr::CLONE, args, entry, data) }
            }
        };
        // Who waits for an end may be interrupted.
        drop(blocked);
        sys::result(answer)?;
        Ok(self.made(birth))
    }

    /// Waits as long as is due for a child that there is, and returns its pidfd.
    pub(crate) fn made(&self, birth: &Birth) -> OwnedFd {
        if !self.patience.is_zero() {
            birth.wait_for_end(self.patience);
        }
        birth.wait_for_memory();
        // SAFETY: this is the new descriptor, which nobody else owns: who knows of it
        // through `birth` only signals by it.
        unsafe { OwnedFd::from_raw_fd(birth.pidfd()) }
    }
}

#[cfg(all(test, not(miri)))]
pub(crate) mod tests {
    use std::os::fd::AsFd;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
    use rustix::process::{Pid, WaitOptions, waitpid};

    use super::*;
    use crate::error::SpawnError;
    use crate::signal::Signal;
    use crate::status::ExitStatus;
    use crate::wait::{self, Reap};

    #[test]
    fn flags_are_the_kernels() {
        assert_eq!(FLAGS | CLONE_FILES | CLONE_VFORK, 0x5500);
        assert_eq!(CLONE_CLEAR_SIGHAND, 0x1_0000_0000);
        assert_eq!(CLONE_INTO_CGROUP, 0x2_0000_0000);
    }

    /// Lets a child follow these orders in a copy of our memory, which is all
    /// that emulators offer, and returns its exit code. The orders alone are
    /// shared, for its last word.
    pub(crate) fn obey_in_a_copy(orders: Orders<'_>) -> Result<Option<i32>, SpawnError> {
        let size = size_of::<Orders<'_>>();
        let (access, shared) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: a new mapping touches no memory that is in use.
        let page = unsafe { mmap_anonymous(ptr::null_mut(), size, access, shared) }.unwrap();
        let cell = page.cast::<Orders<'_>>();
        // SAFETY: the mapping is as large as this and aligned to a page.
        unsafe { cell.write(orders) };

        let stack = Stack::take().unwrap();
        let (base, stack_size) = stack.usable();
        let signal = usize::from(Signal::CHLD.as_raw().to_le_bytes()[0]);
        let blocked = Blocked::all();
        let args = [signal, base + stack_size, 0, 0, 0, 0];
        // SAFETY: the arguments are numbers and the top of an unused stack.
        // `run` takes orders.
        let answer = unsafe { sys::clone(nr::CLONE, args, inside::run, page) };
        drop(blocked);
        stack.give_back();
        let pid = i32::try_from(sys::result(answer).unwrap()).unwrap();
        let (_, status) = waitpid(Pid::from_raw(pid), WaitOptions::empty()).unwrap().unwrap();

        // SAFETY: they were put there, and are taken out once.
        let orders = unsafe { cell.read() };
        // SAFETY: the mapping is ours, and nothing refers to it any more.
        unsafe { munmap(page, size) }.unwrap();
        orders.failure.get().map_or(Ok(status.exit_status()), Err)
    }

    /// Writes below its own frames, further and further down, and says first
    /// where to.
    unsafe extern "C" fn overflow(lowest: *mut c_void) -> ! {
        let here = 0_u8;
        let mut next = (&raw const here).cast_mut().wrapping_sub(4096);
        loop {
            next = next.wrapping_sub(1);
            // SAFETY: the caller passes such a number, alive and unborrowed.
            unsafe { &*lowest.cast::<AtomicUsize>() }.store(next.addr(), Ordering::Relaxed);
            // SAFETY: below the frame is free stack, and then the guard, which
            // ends this process.
            unsafe { next.write_volatile(0xff) };
        }
    }

    #[test]
    fn an_overflow_ends_at_the_guard() {
        if crate::kernel::is_emulated("an_overflow_ends_at_the_guard") {
            return;
        }
        for method in [crate::Kernel::get().unwrap().method, Method::Clone] {
            let clone = Clone { share_table: true, ..Clone::by(method) };
            let stack = Stack::take().unwrap();
            let (base, _) = stack.usable();
            let lowest = AtomicUsize::new(0);
            let data = (&raw const lowest).cast_mut().cast();
            // SAFETY: `overflow` takes such a number. It writes to its own
            // stack only, as is shown here.
            let child = unsafe { clone.call(&stack, overflow, data, &Birth::default()) }.unwrap();
            let exit = wait::wait(child.as_fd(), Reap::Yes).unwrap();
            let ExitStatus::Signaled { signal, .. } = exit.status else {
                panic!("{:?}", exit.status);
            };
            assert_eq!(signal, Signal::SEGV);
            assert_eq!(lowest.into_inner(), base - 1);
        }
    }
}
