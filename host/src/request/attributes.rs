//! What a guest chooses of a child's attributes.

use std::fmt;

use offspring_spawn::{Resource, Rlimit, SchedulerPolicy, SignalSet};

/// The attributes that a guest chose. The default chooses none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Whether the child leads a session of its own.
    pub session: bool,
    /// The process group that the child is in.
    pub process_group: Option<ProcessGroup>,
    /// The signals that the child blocks.
    pub signal_mask: Option<SignalSet>,
    /// The signals that have their default action, besides the standard ones.
    pub default_signals: Option<SignalSet>,
    /// Whether the effective ids become the real ones.
    pub reset_ids: bool,
    /// How the child is scheduled.
    pub scheduler: Option<Scheduler>,
    /// The nice value.
    pub nice: Option<i32>,
    /// The processors that the child may run on.
    pub cpu_affinity: Option<Processors>,
    /// The permissions that new files do not get.
    pub umask: Option<u32>,
    /// Resource limits, each resource once.
    pub rlimits: Vec<(Resource, Rlimit)>,
    /// The signal that the host gets of a spawn that fails.
    pub exit_signal: Option<ExitSignal>,
}

/// Which process group a child is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessGroup {
    /// One of its own.
    New,
    /// The one that another child of the guest leads.
    Joined,
}

/// Policy and priority, or the priority alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheduler {
    /// The policy; the host's own where there is none.
    pub policy: Option<SchedulerPolicy>,
    /// The priority in it.
    pub priority: i32,
}

/// The signal that the host gets of a child that has not executed its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitSignal {
    /// SIGCHLD.
    Chld,
    /// No signal.
    None,
}

/// A set of processors, by their numbers from 0 to 1023.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Processors([u64; 16]);

impl Processors {
    /// How many numbers there are.
    pub const MAX: u16 = 1024;

    /// Whether this one is in the set.
    pub fn contains(self, processor: u16) -> bool {
        let word = self.0.get(usize::from(processor / 64));
        word.is_some_and(|word| word >> (processor % 64) & 1 != 0)
    }

    /// The processors of the set, in order.
    pub fn iter(self) -> impl Iterator<Item = u16> {
        (0..Self::MAX).filter(move |processor| self.contains(*processor))
    }

    /// Those that are in both sets.
    pub fn intersection(self, other: Processors) -> Processors {
        self.iter().filter(|processor| other.contains(*processor)).collect()
    }
}

/// What is beyond the largest number is left out.
impl FromIterator<u16> for Processors {
    fn from_iter<I: IntoIterator<Item = u16>>(processors: I) -> Processors {
        let mut set = Processors::default();
        for processor in processors {
            if let Some(word) = set.0.get_mut(usize::from(processor / 64)) {
                *word |= 1 << (processor % 64);
            }
        }
        set
    }
}

impl fmt::Debug for Processors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Attributes {
    /// Sets a resource limit, in place of one of the same resource.
    pub fn set_rlimit(&mut self, resource: Resource, limit: Rlimit) {
        self.rlimits.retain(|(other, _)| *other != resource);
        self.rlimits.push((resource, limit));
    }

    /// Whether the host's own values bound what was chosen.
    pub fn is_bounded(&self) -> bool {
        self.scheduler.is_some()
            || self.nice.is_some()
            || self.cpu_affinity.is_some()
            || !self.rlimits.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_a_set_of_the_first_1024() {
        let set: Processors = [1023, 0, 64, 0, 1024, u16::MAX].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 64, 1023]);
        assert!(set.contains(64) && !set.contains(63) && !set.contains(u16::MAX));
        let other: Processors = [64, 65].into_iter().collect();
        assert_eq!(format!("{:?}", set.intersection(other)), "{64}");
        assert_eq!(set.intersection(Processors::default()), Processors::default());
    }

    #[test]
    fn a_later_limit_of_a_resource_counts() {
        let limit = |current| Rlimit { current: Some(current), maximum: None };
        let mut attributes = Attributes::default();
        attributes.set_rlimit(Resource::Nofile, limit(1));
        attributes.set_rlimit(Resource::Core, limit(2));
        attributes.set_rlimit(Resource::Nofile, limit(3));
        assert_eq!(attributes.rlimits, [(Resource::Core, limit(2)), (Resource::Nofile, limit(3))]);
    }
}
