//! Linux processes as owned handles.
//!
//! This crate starts a process with one system call that makes it, its pidfd
//! and its place in a cgroup at once (`clone3`), shares memory with it until
//! it executes its program, and so costs the same however much memory the parent
//! has. It is what `pidfd_spawn` of glibc
//! 2.39 offers, without a C library, with more attributes, and with errors
//! that say where a spawn failed.
//!
//! - A [`Program`] is opened once and executed by its descriptor.
//! - A [`Command`] says how to run it: all attributes of `posix_spawn`, and
//!   more. Nothing is inherited unless asked for.
//! - An [`Identity`] is who a child is, [`Namespaces`] are what it shares with nobody,
//!   and a [`View`] is all that it sees of the file system.
//! - [`FileActions`] are what it does with its descriptors before, in order.
//! - A [`Sandbox`] is what it can reach of the rest of the machine.
//! - A [`Pty`] is a terminal to run it in.
//! - A [`Cgroup`] is what a child and its descendants are counted, limited,
//!   frozen and killed in.
//! - A [`Child`] owns the process: dropping it kills and waits.
//! - A [`Mark`] finds what a child has started where there are no cgroups.
//! - A [`Fork`] makes a copy of a process that has one thread, where glibc's
//!   `fork_np` would have.
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
//! what is missing. Where a seccomp profile refuses `clone3`, `clone` is used;
//! where it refuses `close_range`, descriptors are closed by `/proc/self/fd`.

#![deny(unsafe_code)]

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
)))]
compile_error!("offspring-spawn is for Linux on x86_64, aarch64 and riscv64");

mod abort;
mod action;
mod alarm;
mod attributes;
mod birth;
mod carrier;
mod cgroup;
mod check;
mod child;
mod clone;
mod command;
mod cstrings;
mod dumpable;
mod error;
mod executable;
mod fork;
mod head;
mod identity;
mod info;
mod inside;
mod kernel;
mod lane;
mod launch;
mod layout;
mod namespace;
mod pidfd;
mod program;
mod pty;
mod reaper;
mod sandbox;
mod script;
mod search;
mod signal;
mod sigset;
mod stack;
mod status;
mod stdio;
mod supervise;
mod sys;
mod view;
mod wait;
mod window;

pub use abort::SpawnAbort;
pub use action::{Directory, FileActions};
pub use attributes::SchedulerPolicy;
pub use cgroup::{
    Cgroup, CgroupError, CgroupErrorKind, CgroupEvents, CgroupLock, CgroupMount, CgroupState,
    Controller, CpuMax, CpuStat, Device, IoMax, IoStat, Limit, MemoryEvents, MemoryEventsFile,
    MemoryStat, PidsStat, Pressure, Setting, Stall,
};
pub use child::Child;
pub use command::Command;
pub use error::{SpawnError, Stage};
pub use fork::{
    Budget, Fork, ForkError, Forked, Sibling, Slot, Unforkable, exit_process, generation,
    is_single_threaded, prefer_huge_code, prefer_huge_ends, prefer_huge_pages,
};
pub use identity::Identity;
pub use info::ProcessInfo;
pub use kernel::{Kernel, Unsupported};
pub use lane::Spawning;
pub use namespace::{Namespace, Namespaces};
pub use pidfd::PidFd;
pub use program::Program;
pub use pty::{Pty, WindowSize};
pub use reaper::Release;
pub use rustix::fs::{Mode, OFlags};
pub use rustix::io::Errno;
pub use rustix::process::{Resource, Rlimit};
pub use sandbox::{
    Access, CallGroup, Lack, Missing, Network, Part, Sandbox, SandboxBuilder, SandboxError,
    SandboxSupport,
};
pub use script::{InterpreterError, InterpreterReason};
pub use signal::{Signal, UnknownSignal};
pub use sigset::SignalSet;
pub use status::{Change, Exit, ExitStatus, PeakMemory, ResourceUsage};
pub use stdio::Stdio;
pub use supervise::{Mark, SuperviseError, spare, supervise};
pub use view::{PreparedView, View, ViewAccess};

/// The example in the README is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
