//! Limits on everything that one guest does.

/// How much one guest may have at once, whatever it starts.
///
/// ```text
/// [limits]
/// max-children = 64
/// max-pipes = 256
/// max-argument-bytes = 1048576
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many children the guest may hold at once, of all grants. Those that
    /// have ended count until their handles are dropped. Default: 64.
    pub max_children: u32,
    /// How many pipe ends the guest may hold at once. Default: 256.
    pub max_pipes: u32,
    /// How many bytes the arguments and the environment of one command may
    /// have, each string counted with its terminating NUL. Default: 1 MiB,
    /// half of what Linux accepts with the usual limit on the stack.
    pub max_argument_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { max_children: 64, max_pipes: 256, max_argument_bytes: 1 << 20 }
    }
}

impl Limits {
    /// The smaller of each.
    pub(super) fn min(self, other: Limits) -> Limits {
        Limits {
            max_children: self.max_children.min(other.max_children),
            max_pipes: self.max_pipes.min(other.max_pipes),
            max_argument_bytes: self.max_argument_bytes.min(other.max_argument_bytes),
        }
    }
}
