//! System calls without a C library, for where one may not be used.
//!
//! # Safety
//!
//! Between clone and exec a child shares its parent's memory: a C library's
//! wrapper would set the parent's `errno`, take locks that another thread of
//! the parent holds, or tell the parent's other threads to do the same call.
//! [`call6`] does none of that: it puts its arguments in registers, enters the
//! kernel, and returns the kernel's answer.

#![expect(unsafe_code, reason = "system calls and clone are made by own assembly")]

use rustix::io::Errno;

#[cfg(target_arch = "aarch64")]
#[path = "aarch64.rs"]
mod arch;
#[cfg(target_arch = "riscv64")]
#[path = "riscv64.rs"]
mod arch;
#[cfg(target_arch = "x86_64")]
#[path = "x86_64.rs"]
mod arch;

pub(crate) use arch::{call6, clone, nr};

/// What a new process runs on its own stack: never returns.
pub(crate) type Entry = unsafe extern "C" fn(*mut core::ffi::c_void) -> !;

/// Makes a system call that takes five arguments at most.
///
/// # Safety
///
/// As for [`call6`].
pub(crate) unsafe fn call(number: usize, args: [usize; 5]) -> isize {
    let [a, b, c, d, e] = args;
    // SAFETY: the caller's.
    unsafe { call6(number, [a, b, c, d, e, 0]) }
}

/// Turns the kernel's answer into a result: −4095 to −1 are errors.
pub(crate) fn result(answer: isize) -> Result<usize, Errno> {
    match usize::try_from(answer) {
        Ok(value) => Ok(value),
        Err(_) => {
            let errno = i32::try_from(answer.wrapping_neg()).unwrap_or(i32::MAX);
            Err(Errno::from_raw_os_error(errno))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_c_librarys() {
        let numbers = [
            (nr::CAPSET, libc::SYS_capset),
            (nr::CHDIR, libc::SYS_chdir),
            (nr::CHROOT, libc::SYS_chroot),
            (nr::CLONE, libc::SYS_clone),
            (nr::CLONE3, libc::SYS_clone3),
            (nr::CLOSE, libc::SYS_close),
            (nr::CLOSE_RANGE, libc::SYS_close_range),
            (nr::DUP3, libc::SYS_dup3),
            (nr::EXECVEAT, libc::SYS_execveat),
            (nr::EXIT, libc::SYS_exit),
            (nr::EXIT_GROUP, libc::SYS_exit_group),
            (nr::FCHDIR, libc::SYS_fchdir),
            (nr::FCNTL, libc::SYS_fcntl),
            (nr::FSCONFIG, libc::SYS_fsconfig),
            (nr::FSMOUNT, libc::SYS_fsmount),
            (nr::FSOPEN, libc::SYS_fsopen),
            (nr::FUTEX, libc::SYS_futex),
            (nr::GETDENTS64, libc::SYS_getdents64),
            (nr::GETPGID, libc::SYS_getpgid),
            (nr::GETPPID, libc::SYS_getppid),
            (nr::GETRUSAGE, libc::SYS_getrusage),
            (nr::GET_ROBUST_LIST, libc::SYS_get_robust_list),
            (nr::IOCTL, libc::SYS_ioctl),
            (nr::KCMP, libc::SYS_kcmp),
            (nr::KEYCTL, libc::SYS_keyctl),
            (nr::LANDLOCK_RESTRICT_SELF, libc::SYS_landlock_restrict_self),
            (nr::MKDIRAT, libc::SYS_mkdirat),
            (nr::MKNODAT, libc::SYS_mknodat),
            (nr::MOUNT_SETATTR, libc::SYS_mount_setattr),
            (nr::MOVE_MOUNT, libc::SYS_move_mount),
            (nr::OPENAT, libc::SYS_openat),
            (nr::OPENAT2, libc::SYS_openat2),
            (nr::OPEN_TREE, libc::SYS_open_tree),
            (nr::PIDFD_SEND_SIGNAL, libc::SYS_pidfd_send_signal),
            (nr::PIVOT_ROOT, libc::SYS_pivot_root),
            (nr::PPOLL, libc::SYS_ppoll),
            (nr::PRCTL, libc::SYS_prctl),
            (nr::PRLIMIT64, libc::SYS_prlimit64),
            (nr::RT_SIGACTION, libc::SYS_rt_sigaction),
            (nr::RT_SIGPROCMASK, libc::SYS_rt_sigprocmask),
            (nr::RT_SIGTIMEDWAIT, libc::SYS_rt_sigtimedwait),
            (nr::SCHED_SETAFFINITY, libc::SYS_sched_setaffinity),
            (nr::SCHED_SETPARAM, libc::SYS_sched_setparam),
            (nr::SCHED_SETSCHEDULER, libc::SYS_sched_setscheduler),
            (nr::SECCOMP, libc::SYS_seccomp),
            (nr::SETGROUPS, libc::SYS_setgroups),
            (nr::SETNS, libc::SYS_setns),
            (nr::SETPGID, libc::SYS_setpgid),
            (nr::SETPRIORITY, libc::SYS_setpriority),
            (nr::SETRESGID, libc::SYS_setresgid),
            (nr::SETRESUID, libc::SYS_setresuid),
            (nr::SETSID, libc::SYS_setsid),
            (nr::SET_ROBUST_LIST, libc::SYS_set_robust_list),
            (nr::STATX, libc::SYS_statx),
            (nr::SYMLINKAT, libc::SYS_symlinkat),
            (nr::TIMER_CREATE, libc::SYS_timer_create),
            (nr::TIMER_SETTIME, libc::SYS_timer_settime),
            (nr::UMASK, libc::SYS_umask),
            (nr::UMOUNT2, libc::SYS_umount2),
            (nr::UNSHARE, libc::SYS_unshare),
            (nr::WAITID, libc::SYS_waitid),
            (nr::WRITE, libc::SYS_write),
        ];
        for (ours, theirs) in numbers {
            assert_eq!(i64::try_from(ours), Ok(theirs));
        }
    }

    #[test]
    fn errors_are_the_last_page() {
        assert_eq!(result(3), Ok(3));
        assert_eq!(result(-9), Err(Errno::BADF));
    }
}
