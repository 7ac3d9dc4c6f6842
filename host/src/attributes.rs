//! What a plan says of a child's attributes, in the engine's words.

use std::sync::{OnceLock, Weak};

use offspring_spawn::{Errno, Resource, Rlimit, Signal, SignalSet, SpawnError, Stage};

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
        let standard = standard_signals();
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

/// The standard signals that a host may come to ignore while it runs: those that ask a
/// process to end, and those of pipes and children. To set all others too would take a
/// child as long as everything else that it does before its program runs.
const EVERYDAY: [Signal; 6] =
    [Signal::HUP, Signal::INT, Signal::QUIT, Signal::PIPE, Signal::TERM, Signal::CHLD];

/// The signals that have their default action in a child although this process
/// ignores them, as what is started in the background does SIGINT: that is no
/// matter of a guest's. Of the standard signals, those are the everyday ones, and
/// what is ignored when a guest first spawns. The real-time ones are for programs
/// to agree on. Handlers are no child's in any case.
pub(crate) fn standard_signals() -> SignalSet {
    static SIGNALS: OnceLock<SignalSet> = OnceLock::new();
    *SIGNALS.get_or_init(|| {
        let ignored = SignalSet::ignored();
        let standard = ignored.iter().filter(|signal| signal.real_time().is_none());
        standard.chain(EVERYDAY).collect()
    })
}
