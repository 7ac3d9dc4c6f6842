//! The words of a policy file for what a guest may choose.

use offspring_spawn::Resource;

macro_rules! words {
    (
        $(#[$about:meta])*
        $name:ident: $($(#[$doc:meta])* $variant:ident $word:literal,)*
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// Every one of them.
            pub const ALL: &[$name] = &[$($name::$variant),*];

            /// The word in a policy file.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)*
                }
            }
        }
    };
}

words! {
    /// An attribute that a grant can let a guest choose.
    Attribute:
    /// A session of its own.
    Session "session",
    /// A process group: its own or another child's.
    ProcessGroup "process-group",
    /// The signals that a child blocks.
    SignalMask "signal-mask",
    /// The signals that have their default action, besides the standard ones.
    DefaultSignals "default-signals",
    /// Effective ids that are the real ones. Where the host has lowered its
    /// effective ids for a time, this gives the real ones back.
    ResetIds "reset-ids",
    /// The scheduling policy and priority, within the host's own.
    Scheduler "scheduler",
    /// The nice value, from the host's own up.
    Nice "nice",
    /// The processors, among the host's own.
    CpuAffinity "cpu-affinity",
    /// The permissions that new files do not get.
    Umask "umask",
    /// Resource limits, within the grant's and the host's own.
    Rlimits "rlimits",
    /// Whether the host gets SIGCHLD of a spawn that fails.
    ExitSignal "exit-signal",
    /// With `scheduler` or `nice`: also what takes more than the host has
    /// itself.
    RaisePriority "raise-priority",
}

words! {
    /// What a grant can let a guest's children do with their descriptors.
    FileAction:
    /// Start with descriptors that the guest holds, under any number.
    Pass "pass",
    /// Open files beneath directories that the guest holds.
    Open "open",
    /// Close a descriptor.
    Close "close",
    /// Give a descriptor another number.
    Dup2 "dup2",
    /// Change to a directory beneath those that the guest holds.
    Chdir "chdir",
    /// Change to a directory by descriptor.
    Fchdir "fchdir",
    /// Close all descriptors from a number on.
    Closefrom "closefrom",
    /// Take the foreground of a terminal, but not of the host's.
    Tcsetpgrp "tcsetpgrp",
}

/// What this word means, of all that there are.
pub(super) fn meaning<T: Copy>(all: &[T], name: fn(T) -> &'static str, word: &str) -> Option<T> {
    all.iter().copied().find(|value| name(*value) == word)
}

/// Every resource that can be limited, as prlimit(1) calls it.
pub(crate) const RESOURCES: &[(Resource, &str)] = &[
    (Resource::As, "as"),
    (Resource::Core, "core"),
    (Resource::Cpu, "cpu"),
    (Resource::Data, "data"),
    (Resource::Fsize, "fsize"),
    (Resource::Locks, "locks"),
    (Resource::Memlock, "memlock"),
    (Resource::Msgqueue, "msgqueue"),
    (Resource::Nice, "nice"),
    (Resource::Nofile, "nofile"),
    (Resource::Nproc, "nproc"),
    (Resource::Rss, "rss"),
    (Resource::Rtprio, "rtprio"),
    (Resource::Rttime, "rttime"),
    (Resource::Sigpending, "sigpending"),
    (Resource::Stack, "stack"),
];

/// What a policy file calls this resource.
pub(crate) fn resource_word(resource: Resource) -> &'static str {
    let mut named = RESOURCES.iter().filter(|(other, _)| *other == resource);
    named.next().map_or("other", |(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_again() {
        for attribute in Attribute::ALL {
            let found = meaning(Attribute::ALL, Attribute::as_str, attribute.as_str());
            assert_eq!(found, Some(*attribute));
        }
        for action in FileAction::ALL {
            let found = meaning(FileAction::ALL, FileAction::as_str, action.as_str());
            assert_eq!(found, Some(*action));
        }
        assert_eq!(meaning(Attribute::ALL, Attribute::as_str, "Session"), None);
        assert!(RESOURCES.is_sorted_by_key(|(_, word)| word));
        for (resource, word) in RESOURCES {
            assert_eq!(resource_word(*resource), *word);
        }
    }
}
