//! Which arguments a grant allows.
//!
//! A grant's `args` is a list of slots, which are filled from left to right. The
//! next argument goes to the first slot that accepts it, among the one that is
//! filled now and those behind it up to the first that cannot be left out; if
//! there is none, the argument is denied. So each argument is looked at once for
//! each of these slots, and nothing is ever tried again.
//!
//! That this finds every list of arguments that the slots describe is seen to
//! when the list is made: where an argument could go to two places, it is an
//! error. `docs/policy.md` has the whole of it.

pub(in crate::policy) mod file;
mod matching;
mod slot;
mod word;

use std::fmt;

pub use slot::Slot;
pub use word::{Access, PathRule, Word};

use super::text::quoted;
use slot::What;

/// The arguments that a grant allows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Arguments {
    /// None.
    #[default]
    None,
    /// Any.
    Any,
    /// Those that fill these slots.
    Slots(Slots),
}

impl Arguments {
    /// Whether the guest may give what a program may take for an option.
    pub fn take_options(&self) -> bool {
        match self {
            Arguments::None => false,
            Arguments::Any => true,
            Arguments::Slots(slots) => slots.iter().any(Slot::takes_options),
        }
    }

    /// Whether the guest can choose among a few texts only, if it has a choice.
    pub fn are_fixed(&self) -> bool {
        match self {
            Arguments::None => true,
            Arguments::Any => false,
            Arguments::Slots(slots) => slots.iter().flat_map(Slot::words).all(Word::is_fixed),
        }
    }
}

/// Slots that every argument has one place in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots(Vec<Slot>);

/// Why a list of slots is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidSlots {
    /// The slot, counted from 0.
    pub slot: usize,
    /// The option in it, if it is one: counted from 0.
    pub option: Option<usize>,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// How many words all slots of a grant may have: each argument may be compared
/// with each of them.
const WORDS_MAX: usize = 512;

impl Slots {
    /// Checks that no argument could go to two places.
    ///
    /// # Errors
    /// The first slot that makes no sense where it is, and why.
    pub fn new(slots: impl IntoIterator<Item = Slot>) -> Result<Slots, InvalidSlots> {
        let slots = Slots(slots.into_iter().collect());
        let words: usize = slots.0.iter().map(|slot| slot.words().count()).sum();
        if words > WORDS_MAX {
            let message = format!("`args` has {words} words, more than {WORDS_MAX}");
            return Err(InvalidSlots { slot: 0, option: None, message });
        }
        for (index, slot) in slots.0.iter().enumerate() {
            check_slot(slot).map_err(|(option, message)| InvalidSlots {
                slot: index,
                option,
                message,
            })?;
            slots.check_choices(index)?;
        }
        Ok(slots)
    }

    /// The slots, from the left.
    pub fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.0.iter()
    }

    /// Where there is a choice between this slot and what comes behind it, it is
    /// made by one argument.
    fn check_choices(&self, index: usize) -> Result<(), InvalidSlots> {
        let slot = &self.0[index];
        if !slot.may_be_left_out() && !slot.repeat {
            return Ok(());
        }
        let (_, behind) = self.0.split_at(index + 1);
        for (distance, next) in behind.iter().enumerate() {
            for (option, word) in slot.first().enumerate() {
                if let Some(example) = next.first().find_map(|other| word.overlap(other)) {
                    let (this, that) = (index + 1, index + 2 + distance);
                    let message = format!(
                        "slot {this} of `args` and slot {that} could both take {}, so put a \
                         literal such as \"--\" between them",
                        quoted(&example)
                    );
                    let option = matches!(slot.what, What::Options(_)).then_some(option);
                    return Err(InvalidSlots { slot: index, option, message });
                }
            }
            if !next.may_be_left_out() {
                break;
            }
        }
        Ok(())
    }
}

/// What is wrong with this slot alone, and with which of its options.
fn check_slot(slot: &Slot) -> Result<(), (Option<usize>, String)> {
    for word in slot.words() {
        if word.is_empty() {
            return Err((None, "there is no word that this could be".to_owned()));
        }
        if word.strings().any(|text| text.contains('\0')) {
            return Err((None, "an argument cannot contain a NUL".to_owned()));
        }
        if let Some((_, rule)) = word.path_rule()
            && rule.under.as_deref().is_some_and(|under| !under.starts_with('/'))
        {
            let under = quoted(rule.under.as_deref().unwrap_or_default());
            return Err((None, format!("`under` must be a path from `/` on, not {under}")));
        }
    }
    let What::Options(options) = &slot.what else { return Ok(()) };
    if options.is_empty() {
        return Err((None, "`options` must not be empty".to_owned()));
    }
    if slot.optional {
        return Err((None, "`options` can be left out anyway, without `optional`".to_owned()));
    }
    for (index, words) in options.iter().enumerate() {
        let Some(first) = words.first() else {
            return Err((Some(index), "an option has at least one word".to_owned()));
        };
        let earlier = options.iter().take(index).filter_map(|words| words.first());
        if let Some((other, example)) =
            earlier.enumerate().find_map(|(other, word)| Some((other, word.overlap(first)?)))
        {
            let (this, other) = (index + 1, other + 1);
            let message = format!(
                "option {other} of `options` and option {this} could both take {}",
                quoted(&example)
            );
            return Err((Some(index), message));
        }
    }
    Ok(())
}

impl fmt::Display for InvalidSlots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for InvalidSlots {}

/// As the synopsis of a manual page has it.
impl fmt::Display for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, slot) in self.0.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{slot}")?;
        }
        Ok(())
    }
}
