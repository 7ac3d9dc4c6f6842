//! The interface `attributes`: its values in the engine's words.

use offspring_spawn::{Resource, SignalSet};

use super::convert::signal;
use crate::bindings::attributes::{RlimitKind, SchedulerPolicy};
use crate::bindings::types::{ErrorCode, Signal};

/// # Errors
/// `invalid-argument` when one of them is a real-time signal beyond the last.
pub(super) fn signals(names: Vec<Signal>) -> Result<SignalSet, ErrorCode> {
    names.into_iter().map(|name| signal(name).ok_or(ErrorCode::InvalidArgument)).collect()
}

pub(super) fn scheduler_policy(policy: SchedulerPolicy) -> offspring_spawn::SchedulerPolicy {
    match policy {
        SchedulerPolicy::Other => offspring_spawn::SchedulerPolicy::Other,
        SchedulerPolicy::Fifo => offspring_spawn::SchedulerPolicy::Fifo,
        SchedulerPolicy::RoundRobin => offspring_spawn::SchedulerPolicy::RoundRobin,
        SchedulerPolicy::Batch => offspring_spawn::SchedulerPolicy::Batch,
        SchedulerPolicy::Idle => offspring_spawn::SchedulerPolicy::Idle,
    }
}

macro_rules! rlimits {
    ($($kind:ident $resource:ident),* $(,)?) => {
        pub(super) fn rlimit_resource(kind: RlimitKind) -> Resource {
            match kind {
                $(RlimitKind::$kind => Resource::$resource,)*
            }
        }

        /// `None` for a resource that this interface does not know yet.
        pub(super) fn rlimit_kind(resource: Resource) -> Option<RlimitKind> {
            match resource {
                $(Resource::$resource => Some(RlimitKind::$kind),)*
                _ => None,
            }
        }
    };
}

rlimits! {
    Cpu Cpu, Fsize Fsize, Data Data, Stack Stack, Core Core, Rss Rss, Nproc Nproc, Nofile Nofile,
    Memlock Memlock, AddressSpace As, Locks Locks, Sigpending Sigpending, Msgqueue Msgqueue,
    Nice Nice, Rtprio Rtprio, Rttime Rttime,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::words::RESOURCES;

    #[test]
    fn every_resource_of_a_policy_has_a_kind() {
        for (resource, word) in RESOURCES {
            let kind = rlimit_kind(*resource).expect(word);
            assert_eq!(rlimit_resource(kind), *resource);
        }
    }

    #[test]
    fn sets_of_signals() {
        let set = signals(vec![Signal::Int, Signal::RealTime(2), Signal::Int]).unwrap();
        assert_eq!(set.iter().map(|signal| signal.as_raw()).collect::<Vec<_>>(), [2, 34]);
        assert!(signals(vec![Signal::Int, Signal::RealTime(33)]).is_err());
    }
}
