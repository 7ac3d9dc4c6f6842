//! What a child has of its own, apart from all other processes.

use std::fmt;

use rustix::process::{getegid, geteuid};

use crate::command::Command;
use crate::error::{SpawnError, Stage};
use crate::kernel::Kernel;

/// A kind of namespace.
///
/// # References
/// - [namespaces(7)](https://man7.org/linux/man-pages/man7/namespaces.7.html)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Namespace {
    /// User and group ids: those that the child has from us, under the same
    /// numbers, and no others. What belongs to others seems to belong to 65534.
    /// Capabilities that the child has count in here only. Where this process has
    /// no `CAP_SYS_ADMIN`, the others can be had together with this only.
    User,
    /// Process ids: the child is number 1, and all that it starts ends with it,
    /// whatever became of that. A signal for which it has no handler does not
    /// reach it, but for SIGKILL and SIGSTOP. Orphans become its children, and
    /// stay zombies unless it waits for them.
    Pid,
    /// Mounts: what is mounted is the same, and what is mounted later is not. With
    /// [`Pid`](Self::Pid), `/proc` is one of its own.
    Mount,
    /// The network: a loopback interface that is down, and abstract unix sockets
    /// that lead nowhere.
    Net,
    /// System V IPC and POSIX message queues: none.
    Ipc,
    /// The names of the host and its domain, which it may have the right to
    /// change.
    Uts,
    /// Cgroups: the one that the child starts in is shown as the root.
    Cgroup,
}

impl Namespace {
    /// All of them.
    pub const ALL: [Namespace; 7] = [
        Namespace::User,
        Namespace::Pid,
        Namespace::Mount,
        Namespace::Net,
        Namespace::Ipc,
        Namespace::Uts,
        Namespace::Cgroup,
    ];

    /// The name in a word.
    ///
    /// ```
    /// assert_eq!(offspring_spawn::Namespace::Uts.name(), "uts");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Namespace::User => "user",
            Namespace::Pid => "pid",
            Namespace::Mount => "mount",
            Namespace::Net => "net",
            Namespace::Ipc => "ipc",
            Namespace::Uts => "uts",
            Namespace::Cgroup => "cgroup",
        }
    }

    /// The flag of clone(2). Defined here because the C library's are signed.
    pub(crate) const fn flag(self) -> u32 {
        match self {
            Namespace::Mount => 0x0002_0000,
            Namespace::Cgroup => 0x0200_0000,
            Namespace::Uts => 0x0400_0000,
            Namespace::Ipc => 0x0800_0000,
            Namespace::User => 0x1000_0000,
            Namespace::Pid => 0x2000_0000,
            Namespace::Net => 0x4000_0000,
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of namespaces.
///
/// ```
/// use offspring_spawn::{Namespace, Namespaces};
///
/// let set: Namespaces = [Namespace::Pid, Namespace::Net].into_iter().collect();
/// assert!(set.contains(Namespace::Pid) && !set.contains(Namespace::User));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Namespaces(
    /// As clone(2) has them.
    u32,
);

impl Namespaces {
    /// No namespace.
    pub const NONE: Namespaces = Namespaces(0);

    /// Adds a namespace.
    pub fn insert(&mut self, namespace: Namespace) {
        self.0 |= namespace.flag();
    }

    /// Whether the namespace is in the set.
    pub const fn contains(self, namespace: Namespace) -> bool {
        self.0 & namespace.flag() != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The namespaces in the set.
    pub fn iter(self) -> impl Iterator<Item = Namespace> {
        Namespace::ALL.into_iter().filter(move |namespace| self.contains(*namespace))
    }

    /// Finds out whether a process can be born with them, by one that ends at once.
    ///
    /// # Errors
    /// As a spawn's: at [`Stage::Namespaces`].
    pub fn check(self) -> Result<(), SpawnError> {
        Kernel::get()
            .map_err(|unsupported| SpawnError { stage: Stage::Kernel, errno: unsupported.errno() })?
            .probe_namespaces(self)
    }

    /// What a child is born with. Its cgroup namespace it makes when it is in its
    /// cgroup: the kernel would take ours for its root.
    pub(crate) const fn at_birth(self) -> u32 {
        self.0 & !Namespace::Cgroup.flag()
    }

    /// The same for one that joins the mount namespace of a view, and perhaps its user
    /// namespace: without that it has the right to the others from birth, and with it
    /// only once it has joined.
    pub(crate) const fn at_birth_joining(self, user: bool) -> u32 {
        let others = self.at_birth() & !Namespace::Mount.flag() & !Namespace::User.flag();
        if user { 0 } else { others }
    }

    /// What such a one makes then.
    pub(crate) const fn after_joining(self, user: bool) -> u32 {
        let others = self.at_birth() & !Namespace::Mount.flag() & !Namespace::User.flag();
        if user { others } else { 0 }
    }
}

impl FromIterator<Namespace> for Namespaces {
    fn from_iter<I: IntoIterator<Item = Namespace>>(namespaces: I) -> Namespaces {
        let mut set = Namespaces::NONE;
        namespaces.into_iter().for_each(|namespace| set.insert(namespace));
        set
    }
}

impl fmt::Debug for Namespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Whose ids a user namespace has, as its `/proc/self/uid_map` and `gid_map` take it.
#[derive(Debug)]
pub(crate) struct IdMaps {
    pub(crate) users: Vec<u8>,
    pub(crate) groups: Vec<u8>,
}

impl IdMaps {
    /// Those ids that this process has, under the same numbers.
    pub(crate) fn own() -> IdMaps {
        let (user, group) = (geteuid().as_raw(), getegid().as_raw());
        let same = |id: u32| format!("{id} {id} 1").into_bytes();
        IdMaps { users: same(user), groups: same(group) }
    }
}

impl Command {
    /// Gives the child namespaces of its own, in which it is alone.
    ///
    /// A spawn fails at [`Stage::Namespaces`] where they may not be made: `EPERM`
    /// without `CAP_SYS_ADMIN` unless a user namespace is among them, or where
    /// user namespaces are forbidden; `ENOSPC` when there are as many as
    /// `/proc/sys/user/max_*_namespaces` says; `EINVAL` when the kernel has none.
    ///
    /// With a process-id namespace a process group of another child cannot be
    /// joined: that is `ESRCH`.
    ///
    /// [`Stage::Namespaces`]: crate::Stage::Namespaces
    pub fn namespaces(&mut self, namespaces: Namespaces) -> &mut Command {
        self.attributes.namespaces = namespaces;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_the_c_librarys() {
        for (namespace, flag) in [
            (Namespace::User, libc::CLONE_NEWUSER),
            (Namespace::Pid, libc::CLONE_NEWPID),
            (Namespace::Mount, libc::CLONE_NEWNS),
            (Namespace::Net, libc::CLONE_NEWNET),
            (Namespace::Ipc, libc::CLONE_NEWIPC),
            (Namespace::Uts, libc::CLONE_NEWUTS),
            (Namespace::Cgroup, libc::CLONE_NEWCGROUP),
        ] {
            assert_eq!(namespace.flag(), flag.cast_unsigned());
        }
    }

    #[test]
    fn a_set_has_what_was_put_in() {
        let all: Namespaces = Namespace::ALL.into_iter().collect();
        assert_eq!(all.iter().collect::<Vec<_>>(), Namespace::ALL);
        assert_eq!(all.at_birth() | Namespace::Cgroup.flag(), all.0);
        assert_eq!(Namespaces::NONE.iter().count(), 0);
        let two: Namespaces =
            [Namespace::Ipc, Namespace::Ipc, Namespace::User].into_iter().collect();
        assert_eq!(format!("{two:?}"), "{User, Ipc}");
    }
}
