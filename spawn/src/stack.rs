//! Stacks for children between clone and exec.
//!
//! # Safety
//!
//! A stack is memory of its own mapping, which nothing else refers to; it is
//! unmapped when its only owner is dropped. Its lowest page is not accessible,
//! so that a child that needs more is killed instead of writing elsewhere.

#![expect(unsafe_code, reason = "memory is mapped")]

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

use crate::error::{SpawnError, Stage};

/// What a child uses is far below this: a few frames and two small arrays.
const SIZE: usize = 64 * 1024;

/// The largest page of the architectures that this crate knows.
const GUARD: usize = 64 * 1024;

thread_local! {
    /// The stack of this thread's last spawn, for its next one.
    static KEPT: Cell<Option<Stack>> = const { Cell::new(None) };
}

/// A guarded stack.
#[derive(Debug)]
pub(crate) struct Stack {
    base: *mut c_void,
}

// SAFETY: it is memory of this process, whose owner is the only one to know of it, on
// whatever thread it is.
unsafe impl Send for Stack {}

impl Stack {
    /// Takes the stack that this thread's last spawn left, or maps a new one.
    pub(crate) fn take() -> Result<Stack, SpawnError> {
        // A thread that is ending has nothing any more.
        match KEPT.try_with(Cell::take).ok().flatten() {
            Some(stack) => Ok(stack),
            None => Stack::map(),
        }
    }

    /// Leaves the stack for this thread's next spawn.
    pub(crate) fn give_back(self) {
        // What cannot be kept is unmapped.
        let _ = KEPT.try_with(|kept| kept.set(Some(self)));
    }

    /// Maps a new one.
    pub(crate) fn map() -> Result<Stack, SpawnError> {
        let at = SpawnError::at;
        // SAFETY: a new anonymous mapping at an address of the kernel's
        // choice touches no memory that is in use.
        let base = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                GUARD + SIZE,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::STACK | MapFlags::NORESERVE,
            )
        };
        let stack = Stack { base: base.map_err(at(Stage::Memory))? };
        // SAFETY: the range is the lower part of the mapping just made, which
        // nothing refers to yet.
        let guarded = unsafe { mprotect(stack.base, GUARD, MprotectFlags::empty()) };
        guarded.map_err(at(Stage::Memory))?;
        Ok(stack)
    }

    /// The lowest address that may be used, and how many bytes follow.
    pub(crate) fn usable(&self) -> (usize, usize) {
        (self.base.addr() + GUARD, SIZE)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, of this size, and no child runs on it:
        // a spawn gives its stack back, or drops it, only after its child has
        // executed a program or ended. Unmapping a whole mapping cannot fail.
        let _ = unsafe { munmap(self.base, GUARD + SIZE) };
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    use std::slice;

    use super::*;
    use crate::{Command, FileActions, Mode, OFlags, Program, SchedulerPolicy, Stdio};

    const PATTERN: u8 = 0xa5;

    impl Stack {
        fn bytes(&mut self) -> &mut [u8] {
            let (base, size) = self.usable();
            let first = self.base.cast::<u8>().with_addr(base);
            // SAFETY: the bytes are mapped, written once by the kernel with
            // zeroes, and ours alone while no child runs.
            unsafe { slice::from_raw_parts_mut(first, size) }
        }

        /// How much of a stack that was filled with the pattern was written to.
        fn used(&mut self) -> usize {
            let untouched = self.bytes().iter().take_while(|byte| **byte == PATTERN);
            SIZE - untouched.count()
        }

        /// The permissions of the page below what may be used.
        fn guard(&self) -> String {
            let range = format!("{:x}-{:x} ", self.base.addr(), self.usable().0);
            let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
            let line = maps.lines().find_map(|line| line.strip_prefix(&range));
            line.unwrap().split(' ').next().unwrap().to_owned()
        }
    }

    /// A command that asks for all that there is.
    fn largest() -> Command {
        let program = Program::search("sh", "/bin:/usr/bin".as_ref()).unwrap();
        let root = || {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            rustix::fs::open("/", flags, Mode::empty()).unwrap()
        };
        let mut actions = FileActions::new();
        let (read, none) = (OFlags::RDONLY, Mode::empty());
        for fd in 3..200 {
            actions.open_beneath(fd, root(), "proc/self/maps", read, none).unwrap();
        }
        actions.open(7, "/", read, none).unwrap().fchdir(7).unwrap();
        actions.dup2(7, 9).unwrap().dup2(9, 9).unwrap();
        actions.close_from(3).unwrap().chdir("/").unwrap();
        let mut command = Command::new(&program);
        command
            .args((0..2000).map(|number| number.to_string()))
            .argv(["sh", "-c", "exit 0"])
            .env("A", "x".repeat(100_000))
            .stdin(Stdio::Piped)
            .current_dir(root())
            .file_actions(actions)
            .scheduler(SchedulerPolicy::Batch, 0)
            .nice(19)
            .new_session(true)
            .reset_ids(true)
            .umask(0o22)
            .no_new_privileges(true)
            .default_signals(crate::SignalSet::ALL);
        command
    }

    #[test]
    fn the_largest_command_uses_little_of_a_stack() {
        if crate::kernel::is_emulated("the_largest_command_uses_little_of_a_stack") {
            return;
        }
        let mut stack = Stack::take().unwrap();
        stack.bytes().fill(PATTERN);
        stack.give_back();
        let child = largest().spawn().unwrap();
        assert!(child.wait().unwrap().status.success());
        // It is the same one: that of this thread.
        let mut stack = Stack::take().unwrap();
        let used = stack.used();
        assert!((1..SIZE / 4).contains(&used), "{used} of {SIZE}");
        assert_eq!(stack.guard(), "---p");
    }
}
