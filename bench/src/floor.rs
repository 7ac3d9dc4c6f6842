//! The floor: clone3, execve and waitid with nothing around them, which no
//! library can be faster than. And the two calls that a C library offers.
//!
//! # Safety
//!
//! The child of [`clone3`] shares our memory and our stack; it makes one system
//! call after the other from registers alone and never returns.

#![allow(unsafe_code, reason = "it measures what safe code is built on")]

use std::ffi::{CString, c_char};
use std::ptr;

use anyhow::{Result, bail};

/// `CLONE_VM | CLONE_VFORK | CLONE_PIDFD`
const FLAGS: u64 = 0x100 | 0x4000 | 0x1000;

/// A program and its arguments, as the calls take them.
#[derive(Debug)]
pub struct Program {
    argv: Vec<CString>,
}

impl Program {
    /// The path and the arguments behind it.
    pub fn new(argv: impl IntoIterator<Item = CString>) -> Program {
        Program { argv: argv.into_iter().collect() }
    }

    fn path(&self) -> *const c_char {
        self.argv.first().map_or(ptr::null(), |path| path.as_ptr())
    }

    fn argv(&self) -> Vec<*const c_char> {
        self.argv.iter().map(|arg| arg.as_ptr()).chain([ptr::null()]).collect()
    }
}

/// Starts a program and waits for it. What is called in between is told that it
/// was started.
pub fn clone3(program: &Program, started: &mut dyn FnMut()) -> Result<()> {
    let (path, argv) = (program.path(), program.argv());
    let envp: [*const c_char; 1] = [ptr::null()];
    let mut pidfd: i32 = -1;
    let mut args = [0_u64; 11];
    args[0] = FLAGS;
    args[1] = &raw mut pidfd as u64;
    args[4] = libc::SIGCHLD as u64;
    // SAFETY: all pointers outlive the call, which returns after the child has
    // left our memory.
    let pid = unsafe { vfork_exec(args.as_ptr(), path, argv.as_ptr(), envp.as_ptr()) };
    started();
    if pid < 0 {
        bail!("clone3: {pid}");
    }
    // SAFETY: zeroes are a valid siginfo_t, which waitid fills in.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let id = pidfd.unsigned_abs();
    // SAFETY: the structure is live.
    let waited = unsafe { libc::waitid(libc::P_PIDFD, id, &raw mut info, libc::WEXITED) };
    // SAFETY: the descriptor is ours and closed once.
    unsafe { libc::close(pidfd) };
    // SAFETY: waitid has filled in the fields of a child's end.
    let status = unsafe { info.si_status() };
    if waited != 0 || status != 0 {
        bail!("the program ended with {status}");
    }
    Ok(())
}

#[cfg(target_arch = "x86_64")]
unsafe fn vfork_exec(
    args: *const u64,
    path: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> isize {
    let pid: isize;
    // SAFETY: see the module. The child uses registers that are declared.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "mov eax, 59",
            "mov rdi, r8",
            "mov rsi, r9",
            "mov rdx, r10",
            "syscall",
            "mov eax, 231",
            "mov edi, 127",
            "syscall",
            "2:",
            inlateout("rax") 435_isize => pid,
            in("rdi") args,
            in("rsi") 88,
            in("r8") path,
            in("r9") argv,
            in("r10") envp,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    pid
}

#[cfg(target_arch = "aarch64")]
unsafe fn vfork_exec(
    args: *const u64,
    path: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> isize {
    let pid: isize;
    // SAFETY: see the module. The child uses registers that are declared.
    unsafe {
        std::arch::asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x8, 221",
            "mov x0, x3",
            "mov x1, x4",
            "mov x2, x5",
            "svc 0",
            "mov x8, 94",
            "mov x0, 127",
            "svc 0",
            "2:",
            in("x8") 435,
            inlateout("x0") args => pid,
            in("x1") 88,
            in("x3") path,
            in("x4") argv,
            in("x5") envp,
        );
    }
    pid
}

/// `posix_spawn` of the C library.
pub fn posix_spawn(program: &Program, started: &mut dyn FnMut()) -> Result<()> {
    let (path, argv) = (program.path(), program.argv());
    let argv: Vec<_> = argv.into_iter().map(<*const c_char>::cast_mut).collect();
    let envp = [ptr::null_mut()];
    let mut pid = 0;
    // SAFETY: the arrays are live and end with null pointers.
    let error = unsafe {
        libc::posix_spawn(
            &raw mut pid,
            path,
            ptr::null(),
            ptr::null(),
            argv.as_ptr(),
            envp.as_ptr(),
        )
    };
    if error != 0 {
        bail!("posix_spawn: {error}");
    }
    started();
    wait(pid)
}

/// `fork` and `execve`.
pub fn fork(program: &Program, started: &mut dyn FnMut()) -> Result<()> {
    let (path, argv) = (program.path(), program.argv());
    let envp: [*const c_char; 1] = [ptr::null()];
    // SAFETY: the child only executes a program, or ends.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: the arrays are live and end with null pointers.
        unsafe { libc::execve(path, argv.as_ptr(), envp.as_ptr()) };
        // SAFETY: nothing of the parent's is run.
        unsafe { libc::_exit(127) };
    }
    started();
    wait(pid)
}

fn wait(pid: libc::pid_t) -> Result<()> {
    let mut status = 0;
    // SAFETY: the status is live.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    if waited != pid || status != 0 {
        bail!("the program ended with {status}");
    }
    Ok(())
}
