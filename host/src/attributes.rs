//! What a plan says of a child's attributes, in the engine's words.

use std::sync::{Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use offspring_spawn::{Errno, Resource, Rlimit, SignalSet, SpawnError, Stage};

use crate::process::ChildProcess;
use crate::request::{Attributes, ExitSignal, ProcessGroup};

/// Sets what the guest chose and the policy allows, on a command that has the
/// host's defaults already.
///
/// # Errors
/// When the group to join is not there.
pub(crate) fn set(
    engine: &mut offspring_spawn::Command,
    attributes: &Attributes,
    standard: SignalSet,
    in_terminal: bool,
    leader: &Weak<ChildProcess>,
) -> Result<(), SpawnError> {
    // Without `..`: what is added cannot be forgotten here.
    let Attributes {
        session,
        process_group,
        signal_mask,
        default_signals,
        reset_ids,
        scheduler,
        nice,
        cpu_affinity,
        umask,
        rlimits,
        exit_signal,
    } = attributes;
    let own_session = *session || in_terminal;
    if own_session {
        // It leads a group, the session's: to ask for one besides is EPERM.
        engine.new_process_group(false).new_session(true);
    }
    match process_group {
        Some(ProcessGroup::Joined) => {
            let gone = || SpawnError { stage: Stage::ProcessGroup, errno: Errno::SRCH };
            leader.upgrade().ok_or_else(gone)?.lend_group(engine)?;
        }
        Some(ProcessGroup::New) => {
            engine.new_process_group(!own_session);
        }
        None => {}
    }
    if let Some(blocked) = signal_mask {
        engine.signal_mask(*blocked);
    }
    if let Some(signals) = default_signals {
        engine.default_signals(standard.iter().chain(signals.iter()).collect());
    }
    engine.reset_ids(*reset_ids);
    if let Some(scheduler) = scheduler {
        match scheduler.policy {
            Some(policy) => engine.scheduler(policy, scheduler.priority),
            None => engine.scheduler_priority(scheduler.priority),
        };
    }
    if let Some(value) = nice {
        engine.nice(*value);
    }
    if let Some(processors) = cpu_affinity {
        engine.cpu_affinity(processors.iter());
    }
    if let Some(mask) = umask {
        engine.umask(*mask);
    }
    set_rlimits(engine, rlimits);
    match exit_signal {
        Some(ExitSignal::None) => {
            engine.exit_signal(None);
        }
        Some(ExitSignal::Chld) | None => {}
    }
    Ok(())
}

/// Sets resource limits.
pub(crate) fn set_rlimits(engine: &mut offspring_spawn::Command, rlimits: &[(Resource, Rlimit)]) {
    for (resource, limit) in rlimits {
        engine.limit(*resource, *limit);
    }
}

/// The signals that have their default action in a child although this process
/// ignores them, as what is started in the background does SIGINT: that is no
/// matter of a guest's. Those are standard ones: the real-time ones are for programs
/// to agree on. Handlers are no child's in any case.
///
/// What is ignored is asked for once a second: for each child it would take as long as all
/// else that a child does before its program runs.
pub(crate) fn standard_signals(now: Instant) -> SignalSet {
    static IGNORED: Mutex<Known> = Mutex::new(Known(None));
    IGNORED.lock().unwrap_or_else(PoisonError::into_inner).at(now, || {
        SignalSet::ignored().iter().filter(|signal| signal.real_time().is_none()).collect()
    })
}

/// Signals, and when they were asked for.
#[derive(Debug)]
struct Known(Option<(Instant, SignalSet)>);

impl Known {
    /// Asks, unless that was done within the last second.
    fn at(&mut self, now: Instant, ask: impl FnOnce() -> SignalSet) -> SignalSet {
        const SECOND: Duration = Duration::from_secs(1);
        match self.0 {
            Some((when, signals)) if now.saturating_duration_since(when) < SECOND => signals,
            _ => self.0.insert((now, ask())).1,
        }
    }
}

#[cfg(test)]
mod tests {
    use offspring_spawn::Signal;

    use super::*;

    #[test]
    fn what_is_ignored_is_asked_for_once_a_second() {
        let set = |signal| [signal].into_iter().collect::<SignalSet>();
        let (pipe, term) = (set(Signal::PIPE), set(Signal::TERM));
        let (mut known, now) = (Known(None), Instant::now());
        assert_eq!(known.at(now, || pipe), pipe);
        assert_eq!(known.at(now + Duration::from_millis(999), || term), pipe);
        assert_eq!(known.at(now + Duration::from_secs(1), || term), term);
        assert_eq!(known.at(now + Duration::from_millis(1999), || pipe), term);
    }
}
