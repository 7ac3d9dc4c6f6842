//! Limits on everything that one guest does.

/// How much one guest may have at once, and how often it may spawn, whatever it
/// starts.
///
/// ```text
/// [limits]
/// max-children = 64
/// max-pipes = 256
/// max-handles = 65536
/// max-buffered-bytes = 16777216
/// max-argument-bytes = 1048576
/// max-groups = 64
/// spawns-per-second = 1000
/// spawn-burst = 1000
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many children the guest may hold at once, of all grants. Those that
    /// have ended count until their handles are dropped. Default: 64.
    pub max_children: u32,
    /// How many pipe ends the guest may hold at once. Default: 256.
    pub max_pipes: u32,
    /// How many resources of every kind the guest may hold at once, those of
    /// WASI included: commands, pidfds, pipe ends, streams, pollables, files.
    /// It counts from the first one of ours on. Default: 65 536.
    pub max_handles: u32,
    /// How many bytes the guest's pipes may hold beyond the 64 KiB that each has
    /// by itself: pipes that are found full are made larger as long as there is
    /// room, up to 1 MiB, and stay as they are when there is none. Default:
    /// 16 MiB.
    pub max_buffered_bytes: u64,
    /// How many bytes the arguments and the environment of one command may
    /// have, each string counted with its terminating NUL. Default: 1 MiB,
    /// half of what Linux accepts with the usual limit on the stack.
    pub max_argument_bytes: u64,
    /// How many cgroups of its own the guest may hold at once. Default: 64.
    pub max_groups: u32,
    /// How many children the guest may start in a second, on average, forks
    /// included. What the policy refuses does not count, what the kernel refuses
    /// does. Default:
    /// 1000.
    pub spawns_per_second: u32,
    /// How many children the guest may start at once after a pause. Default: as
    /// many as in a second.
    pub spawn_burst: Option<u32>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_children: 64,
            max_pipes: 256,
            max_handles: 65_536,
            max_buffered_bytes: 16 << 20,
            max_argument_bytes: 1 << 20,
            max_groups: 64,
            spawns_per_second: 1000,
            spawn_burst: None,
        }
    }
}

impl Limits {
    /// How many children the guest may start at once after a pause.
    pub fn burst(&self) -> u32 {
        self.spawn_burst.unwrap_or(self.spawns_per_second)
    }

    /// The smaller of each.
    pub(super) fn min(self, other: Limits) -> Limits {
        let spawn_burst = match (self.spawn_burst, other.spawn_burst) {
            (None, None) => None,
            _ => Some(self.burst().min(other.burst())),
        };
        Limits {
            max_children: self.max_children.min(other.max_children),
            max_pipes: self.max_pipes.min(other.max_pipes),
            max_handles: self.max_handles.min(other.max_handles),
            max_buffered_bytes: self.max_buffered_bytes.min(other.max_buffered_bytes),
            max_argument_bytes: self.max_argument_bytes.min(other.max_argument_bytes),
            max_groups: self.max_groups.min(other.max_groups),
            spawns_per_second: self.spawns_per_second.min(other.spawns_per_second),
            spawn_burst,
        }
    }
}
