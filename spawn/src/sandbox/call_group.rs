//! Groups of system calls, by what they are for.

/// System calls that a sandbox refuses together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CallGroup {
    /// io_uring, which makes system calls that no filter sees. Cannot be let
    /// through where sockets are refused.
    IoUring,
    /// Keys and keyrings.
    Keys,
    /// Looking into other processes and changing them.
    Ptrace,
    /// New namespaces, and joining others. A new user namespace gives all
    /// capabilities in it, and with them kernel code that is for root alone.
    Namespaces,
    /// Mounting, unmounting, chroot, and opening files by handle.
    Mounts,
    /// Programs for the kernel, and its performance counters.
    Bpf,
    /// Handling another thread's page faults, which makes races in the kernel
    /// easy to win.
    Userfaultfd,
    /// What processes of one user share by number or name, not by file: System
    /// V's shared memory, semaphores and messages, and POSIX message queues.
    Ipc,
    /// Input for a terminal as if somebody typed it, and line disciplines.
    Terminals,
    /// Limits of other processes, and those of the process's own core.
    Limits,
    /// Owners, permissions, times and attributes of files, which Landlock does
    /// not know. Refused only where nothing may be written, unless the builder
    /// was told.
    Metadata,
    /// What is for administrators: modules, kexec, clocks, swap, the kernel's
    /// log, and watching whole file systems.
    Administration,
}

impl CallGroup {
    /// Every group.
    pub const ALL: &[CallGroup] = &[
        CallGroup::IoUring,
        CallGroup::Keys,
        CallGroup::Ptrace,
        CallGroup::Namespaces,
        CallGroup::Mounts,
        CallGroup::Bpf,
        CallGroup::Userfaultfd,
        CallGroup::Ipc,
        CallGroup::Terminals,
        CallGroup::Limits,
        CallGroup::Metadata,
        CallGroup::Administration,
    ];

    /// The word for it, in policies.
    pub const fn name(self) -> &'static str {
        match self {
            CallGroup::IoUring => "io-uring",
            CallGroup::Keys => "keys",
            CallGroup::Ptrace => "ptrace",
            CallGroup::Namespaces => "namespaces",
            CallGroup::Mounts => "mounts",
            CallGroup::Bpf => "bpf",
            CallGroup::Userfaultfd => "userfaultfd",
            CallGroup::Ipc => "ipc",
            CallGroup::Terminals => "terminals",
            CallGroup::Limits => "limits",
            CallGroup::Metadata => "metadata",
            CallGroup::Administration => "administration",
        }
    }
}
