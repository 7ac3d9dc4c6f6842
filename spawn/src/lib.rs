//! Linux processes as owned handles.
//!
//! This crate starts a process with one system call that makes it, its pidfd
//! and its place in a cgroup at once (`clone3`), shares memory with it until
//! it executes its program, and so costs the same however much memory and
//! however many descriptors the parent has. It is what `pidfd_spawn` of glibc
//! 2.39 offers, without a C library, with more attributes, and with errors
//! that say where a spawn failed.
//!
//! - A [`Program`] is opened once and executed by its descriptor.
//! - A [`Command`] says how to run it. Nothing is inherited unless asked for.
//! - A [`Child`] owns the process: dropping it kills and waits.
//! - A [`SpawnError`] has the stage and the errno, and leaves nothing behind.
//!
//! ```
//! use offspring_spawn::{Command, ExitStatus, Program};
//!
//! let program = Program::open("/bin/sh")?;
//! let child = Command::new(&program).args(["-c", "exit 3"]).spawn()?;
//! assert_eq!(child.wait()?.status, ExitStatus::Exited(3));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # What this process must not do
//!
//! Processes are waited for by their pidfds, so this crate needs no SIGCHLD
//! handler and disturbs none. If something else in this process waits for any
//! child (`waitpid(-1)`) or ignores SIGCHLD, a status still comes right on
//! Linux 6.15 and later; before that it is [`ExitStatus::Lost`].
//!
//! # Platform
//!
//! Linux 5.14 or later on x86_64, aarch64 and riscv64; [`Kernel::get`] says
//! what is missing. Where a seccomp profile refuses `clone3`, `clone` is used.

#![deny(unsafe_code)]

#[cfg(not(all(
    target_os = "linux",
    any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "riscv64"
    )
)))]
compile_error!("offspring-spawn is for Linux on x86_64, aarch64 and riscv64");

mod child;
mod clone;
mod command;
mod cstrings;
mod error;
mod inside;
mod kernel;
mod launch;
mod pidfd;
mod program;
mod reaper;
mod signal;
mod sigset;
mod stack;
mod status;
mod stdio;
mod sys;
mod wait;

pub use child::Child;
pub use command::Command;
pub use error::{SpawnError, Stage};
pub use kernel::{Kernel, Unsupported};
pub use pidfd::PidFd;
pub use program::Program;
pub use rustix::io::Errno;
pub use signal::{Signal, UnknownSignal};
pub use status::{Exit, ExitStatus, PeakMemory, ResourceUsage};
pub use stdio::Stdio;

/// The example in the README is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
