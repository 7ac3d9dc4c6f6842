//! What a guest chooses takes no more than the host has itself, unless its
//! grant says so.

use offspring_spawn::{Resource, Rlimit, SchedulerPolicy};

use super::check::{Denied, Rule, deny};
use super::grant::Grant;
use super::text::quoted;
use super::words::{Attribute, resource_word};
use crate::plan::Plan;
use crate::request::{Processors, Scheduler};

/// What the host has itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// The scheduling policy of the thread that starts children.
    pub policy: SchedulerPolicy,
    /// Its priority in that.
    pub priority: i32,
    /// Its nice value.
    pub nice: i32,
    /// The processors that it may run on.
    pub processors: Processors,
    /// The hard limits of the resources; one that is missing has none.
    pub rlimits: Vec<(Resource, u64)>,
}

/// The range of nice values.
const NICE: std::ops::RangeInclusive<i32> = -20..=19;

impl Grant {
    /// Whether a plan of this grant has anything that a guest chose and that what
    /// the host has bounds.
    pub(crate) fn is_bounded(&self, plan: &Plan) -> bool {
        plan.attributes.is_bounded() || plan.rlimits.iter().any(|(it, _)| !self.limits(*it))
    }

    /// Whether the host's own words limit this.
    fn limits(&self, resource: Resource) -> bool {
        self.get_rlimits().iter().any(|(limited, _)| *limited == resource)
    }

    /// Checks a plan of this grant against what the host has, and leaves it
    /// only the processors that the host has, and of the limits by which a guest
    /// has narrowed it no more than the host has.
    pub(crate) fn confine(&self, plan: &mut Plan, host: &Bounds) -> Result<(), Denied> {
        let attributes = &mut plan.attributes;
        let program = quoted(self.name());
        let raise = Attribute::RaisePriority;
        if !self.get_attributes().any(|allowed| allowed == raise) {
            let more = |what: &str| {
                let word = quoted(raise.as_str());
                let rule = format!("takes more than the host has, which needs {word}");
                deny(Rule::Attributes, format!("the {what} chosen for {program} {rule}"))
            };
            if attributes.scheduler.is_some_and(|chosen| host.is_exceeded_by(chosen)) {
                return Err(more("scheduler"));
            }
            if attributes.nice.is_some_and(|chosen| clamp(chosen) < host.nice) {
                return Err(more("nice value"));
            }
        }
        for (resource, limit) in &attributes.rlimits {
            let most = host.rlimits.iter().find(|(other, _)| other == resource);
            if let Some((_, most)) = most
                && exceeds(*limit, *most)
            {
                return Err(self.refuse_rlimit(*resource, *most));
            }
        }
        let narrowed = plan.rlimits.iter_mut().filter(|(resource, _)| !self.limits(*resource));
        for (resource, limit) in narrowed {
            let most = host.rlimits.iter().find(|(other, _)| other == resource);
            if let Some((_, most)) = most
                && exceeds(*limit, *most)
            {
                *limit = Rlimit { current: Some(*most), maximum: Some(*most) };
            }
        }
        if let Some(chosen) = &mut attributes.cpu_affinity {
            *chosen = chosen.intersection(host.processors);
        }
        Ok(())
    }

    pub(super) fn refuse_rlimit(&self, resource: Resource, most: u64) -> Denied {
        let (word, program) = (quoted(resource_word(resource)), quoted(self.name()));
        deny(Rule::Rlimits, format!("the limit {word} of {program} may be {most} at most"))
    }
}

impl Bounds {
    fn is_exceeded_by(&self, chosen: Scheduler) -> bool {
        let policy = chosen.policy.unwrap_or(self.policy);
        // The kernel refuses every other priority of a policy without real time.
        let priority = if is_real_time(policy) { chosen.priority } else { self.priority };
        rank(policy) > rank(self.policy) || priority > self.priority
    }
}

/// How much a policy takes, the priority aside.
fn rank(policy: SchedulerPolicy) -> u8 {
    match policy {
        SchedulerPolicy::Idle => 0,
        SchedulerPolicy::Batch => 1,
        SchedulerPolicy::Other => 2,
        SchedulerPolicy::RoundRobin => 3,
        // What is not known yet takes more than all that is.
        _ => 4,
    }
}

fn is_real_time(policy: SchedulerPolicy) -> bool {
    rank(policy) > 2
}

fn clamp(nice: i32) -> i32 {
    nice.clamp(*NICE.start(), *NICE.end())
}

/// Whether a limit goes beyond this one, in any of its two parts.
pub(super) fn exceeds(limit: Rlimit, most: u64) -> bool {
    [limit.current, limit.maximum].into_iter().any(|part| part.is_none_or(|part| part > most))
}
