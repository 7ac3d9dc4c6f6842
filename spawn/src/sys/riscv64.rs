//! riscv64: the number in `a7`, arguments in `a0` to `a5`; the kernel
//! overwrites `a0`.

use super::Entry;
use core::arch::asm;
use core::ffi::c_void;

/// Numbers of the system calls.
pub(crate) mod nr {
    pub(crate) const DUP3: usize = 24;
    pub(crate) const FCNTL: usize = 25;
    pub(crate) const IOCTL: usize = 29;
    pub(crate) const MKNODAT: usize = 33;
    pub(crate) const MKDIRAT: usize = 34;
    pub(crate) const SYMLINKAT: usize = 36;
    pub(crate) const UMOUNT2: usize = 39;
    pub(crate) const PIVOT_ROOT: usize = 41;
    pub(crate) const CHDIR: usize = 49;
    pub(crate) const FCHDIR: usize = 50;
    pub(crate) const CHROOT: usize = 51;
    pub(crate) const OPENAT: usize = 56;
    pub(crate) const CLOSE: usize = 57;
    pub(crate) const GETDENTS64: usize = 61;
    pub(crate) const WRITE: usize = 64;
    pub(crate) const PPOLL: usize = 73;
    pub(crate) const CAPSET: usize = 91;
    pub(crate) const EXIT: usize = 93;
    pub(crate) const EXIT_GROUP: usize = 94;
    pub(crate) const WAITID: usize = 95;
    pub(crate) const UNSHARE: usize = 97;
    pub(crate) const FUTEX: usize = 98;
    pub(crate) const SET_ROBUST_LIST: usize = 99;
    pub(crate) const GET_ROBUST_LIST: usize = 100;
    pub(crate) const TIMER_CREATE: usize = 107;
    pub(crate) const TIMER_SETTIME: usize = 110;
    pub(crate) const SCHED_SETPARAM: usize = 118;
    pub(crate) const SCHED_SETSCHEDULER: usize = 119;
    pub(crate) const SCHED_SETAFFINITY: usize = 122;
    pub(crate) const RT_SIGACTION: usize = 134;
    pub(crate) const RT_SIGPROCMASK: usize = 135;
    pub(crate) const RT_SIGTIMEDWAIT: usize = 137;
    pub(crate) const SETPRIORITY: usize = 140;
    pub(crate) const SETRESUID: usize = 147;
    pub(crate) const SETRESGID: usize = 149;
    pub(crate) const SETPGID: usize = 154;
    pub(crate) const GETPGID: usize = 155;
    pub(crate) const SETSID: usize = 157;
    pub(crate) const SETGROUPS: usize = 159;
    pub(crate) const GETRUSAGE: usize = 165;
    pub(crate) const UMASK: usize = 166;
    pub(crate) const PRCTL: usize = 167;
    pub(crate) const GETPPID: usize = 173;
    pub(crate) const KEYCTL: usize = 219;
    pub(crate) const CLONE: usize = 220;
    pub(crate) const PRLIMIT64: usize = 261;
    pub(crate) const SETNS: usize = 268;
    pub(crate) const KCMP: usize = 272;
    pub(crate) const SECCOMP: usize = 277;
    pub(crate) const EXECVEAT: usize = 281;
    pub(crate) const STATX: usize = 291;
    pub(crate) const PIDFD_SEND_SIGNAL: usize = 424;
    pub(crate) const OPEN_TREE: usize = 428;
    pub(crate) const MOVE_MOUNT: usize = 429;
    pub(crate) const FSOPEN: usize = 430;
    pub(crate) const FSCONFIG: usize = 431;
    pub(crate) const FSMOUNT: usize = 432;
    pub(crate) const CLONE3: usize = 435;
    pub(crate) const CLOSE_RANGE: usize = 436;
    pub(crate) const OPENAT2: usize = 437;
    pub(crate) const MOUNT_SETATTR: usize = 442;
    pub(crate) const LANDLOCK_RESTRICT_SELF: usize = 446;
}

/// Makes a system call.
///
/// # Safety
///
/// The arguments must be what the call of this number requires; pointers among
/// them must be valid for what the kernel does with them.
pub(crate) unsafe fn call6(number: usize, args: [usize; 6]) -> isize {
    let answer: isize;
    let [a, b, c, d, e, f] = args;
    // SAFETY: the registers are those of the kernel's convention, the one that
    // it overwrites is declared, and memory is assumed to change. What the
    // call itself does is the caller's to answer for.
    unsafe {
        asm!(
            "ecall",
            in("a7") number,
            inlateout("a0") a => answer,
            in("a1") b,
            in("a2") c,
            in("a3") d,
            in("a4") e,
            in("a5") f,
            options(nostack),
        );
    }
    answer
}

/// Makes one of the clone calls. The new process calls `entry(data)` on the
/// stack that the arguments name; the calling one gets the kernel's answer.
///
/// # Safety
///
/// As for [`call6`]. The arguments must give the new process a stack of its own
/// whose top is aligned to 16 bytes, and `entry` must be sound to run there
/// with `data`.
pub(crate) unsafe fn clone(
    number: usize,
    args: [usize; 6],
    entry: Entry,
    data: *mut c_void,
) -> isize {
    let answer: isize;
    let [a, b, c, d, e, f] = args;
    // SAFETY: in the caller this is `call6`. The new process starts behind the
    // system call with the same registers but `a0` (0) and `sp` (its own
    // stack), leaves this function's frame alone, and never comes back.
    unsafe {
        asm!(
            "ecall",
            "bnez a0, 2f",
            "mv s0, zero",
            "mv ra, zero",
            "mv a0, s3",
            "jalr s2",
            "unimp",
            "2:",
            in("a7") number,
            inlateout("a0") a => answer,
            in("a1") b,
            in("a2") c,
            in("a3") d,
            in("a4") e,
            in("a5") f,
            in("s2") entry,
            in("s3") data,
        );
    }
    answer
}
