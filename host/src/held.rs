//! The right to start one program, as a guest holds it and hands it on: the
//! resource `grant`.

use std::sync::Arc;
use std::time::Instant;

use offspring_spawn::Signal;

use crate::cgroup::Node;
use crate::children::Children;
use crate::launch::LaunchError;
use crate::policy::{Denied, Narrowing, PolicyError};
use crate::quota::{Quota, Share};
use crate::rate::Rate;
use crate::request::{self, NAME_MAX};

/// A grant by its name, with what was taken away from it.
#[derive(Debug)]
pub struct HeldGrant {
    pub(crate) name: String,
    pub(crate) narrowed: Narrowed,
    /// What it takes of the memory for commands; `None` if there was none left.
    share: Option<Share>,
    memory: Quota,
}

/// Everything that was taken away, in the order in which it was.
#[derive(Debug, Clone, Default)]
pub(crate) struct Narrowed {
    rules: Vec<Arc<Rules>>,
    /// The cgroup that every child is started in or beneath.
    pub(crate) within: Option<Arc<Node>>,
}

/// One narrowing, and what counts for it.
#[derive(Debug)]
struct Rules {
    narrowing: Narrowing,
    live: Quota,
    spawns: Rate,
    _share: Share,
}

/// How often a grant can be narrowed.
const NARROWED_MAX: usize = 8;

/// How long the text of rules may be, in bytes.
const TEXT_MAX: usize = 16 << 10;

/// How much memory rules may take for each byte of their text, about.
const MEMORY_PER_BYTE: usize = 16;

/// Why a grant was not narrowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotNarrowed {
    #[error(transparent)]
    Rules(#[from] PolicyError),
    #[error("a grant can be narrowed {NARROWED_MAX} times, by rules of {TEXT_MAX} bytes each")]
    TooLong,
    #[error("all commands and grants of the guest are too long together")]
    LimitReached,
}

impl HeldGrant {
    /// The grant of this name, whether there is one or not: a spawn says.
    pub(crate) fn new(name: String, memory: &Quota) -> HeldGrant {
        let name = request::name(name);
        let share = memory.take_many(bytes(size_of::<HeldGrant>() + NAME_MAX));
        HeldGrant { name, narrowed: Narrowed::default(), share, memory: memory.clone() }
    }

    /// The same with these rules besides.
    pub(crate) fn narrow(&self, text: &str) -> Result<HeldGrant, NotNarrowed> {
        if text.len() > TEXT_MAX || self.narrowed.rules.len() >= NARROWED_MAX {
            return Err(NotNarrowed::TooLong);
        }
        let memory = bytes(size_of::<Rules>() + text.len() * MEMORY_PER_BYTE);
        let share = self.memory.take_many(memory).ok_or(NotNarrowed::LimitReached)?;
        let narrowing = Narrowing::parse(text)?;
        let often = narrowing.get_spawns_per_second().unwrap_or(u32::MAX);
        let rules = Rules {
            live: Quota::new(narrowing.get_max_children().unwrap_or(u32::MAX)),
            spawns: Rate::new(often, often),
            narrowing,
            _share: share,
        };
        let mut narrowed = self.narrowed.clone();
        narrowed.rules.push(Arc::new(rules));
        Ok(self.with(narrowed))
    }

    /// The same for children in this group or beneath it only; `None` where that
    /// would lie outside of what it was confined to before.
    pub(crate) fn within(&self, group: &Arc<Node>) -> Option<HeldGrant> {
        let narrowed = &self.narrowed;
        let lies_inside = narrowed.within.as_ref().is_none_or(|within| group.is_within(within));
        lies_inside
            .then(|| self.with(Narrowed { within: Some(Arc::clone(group)), ..narrowed.clone() }))
    }

    fn with(&self, narrowed: Narrowed) -> HeldGrant {
        HeldGrant { narrowed, ..HeldGrant::new(self.name.clone(), &self.memory) }
    }

    /// Whether there was memory for it.
    pub(crate) fn is_counted(&self) -> bool {
        self.share.is_some()
    }
}

impl Narrowed {
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.within.is_none()
    }

    pub(crate) fn rules(&self) -> impl Iterator<Item = &Narrowing> {
        self.rules.iter().map(|rules| &rules.narrowing)
    }

    /// Checks whether the signal may be sent to a child.
    pub(crate) fn check_signal(&self, program: &str, signal: Signal) -> Result<(), Denied> {
        self.rules().try_for_each(|rules| rules.check_signal(program, signal))
    }

    /// Takes a place among the live children of each narrowing.
    pub(crate) fn take_places(&self, children: &Children) -> Result<Vec<Share>, LaunchError> {
        let take = |rules: &Arc<Rules>| {
            children.take(&rules.live).ok_or_else(|| LaunchError::LimitReached {
                rule: "max-children",
                message: format!(
                    "{} children of this narrowed grant live already",
                    rules.live.max()
                ),
            })
        };
        self.rules.iter().map(take).collect()
    }

    /// Takes one of the spawns in a second of each.
    pub(crate) fn take_spawns(&self, now: Instant) -> Result<(), LaunchError> {
        for (index, rules) in self.rules.iter().enumerate() {
            if let Err(often) = rules.spawns.take(now) {
                self.rules[..index].iter().for_each(|rules| rules.spawns.give_back());
                return Err(LaunchError::LimitReached {
                    rule: "spawns-per-second",
                    message: format!("too many spawns of this narrowed grant: {often}"),
                });
            }
        }
        Ok(())
    }
}

fn bytes(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
