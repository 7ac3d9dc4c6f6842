//! One place in a list of arguments, and what may stand there.

use std::fmt;
use std::ops::RangeInclusive;

use super::word::{PathRule, Word};

/// A place for one argument or more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    pub(super) what: What,
    pub(super) optional: bool,
    pub(super) repeat: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    Word(Word),
    /// In any order. Each is one word, or a few in a row.
    Options(Vec<Vec<Word>>),
}

impl Slot {
    /// What this word says, once.
    pub fn word(word: Word) -> Slot {
        Slot { what: What::Word(word), optional: false, repeat: false }
    }

    /// This text.
    pub fn literal(text: impl Into<String>) -> Slot {
        Slot::word(Word::literal(text))
    }

    /// One of these texts.
    pub fn one_of(texts: impl IntoIterator<Item = impl Into<String>>) -> Slot {
        Slot::word(Word::one_of(texts))
    }

    /// This start, and anything behind it.
    pub fn prefix(prefix: impl Into<String>) -> Slot {
        Slot::word(Word::any().after(prefix))
    }

    /// A whole number of this range.
    pub fn integer(range: RangeInclusive<i64>) -> Slot {
        Slot::word(Word::integer(range))
    }

    /// A path beneath a directory that the guest holds.
    pub fn path(rule: PathRule) -> Slot {
        Slot::word(Word::path(rule))
    }

    /// Anything that does not start with `-`.
    pub fn value() -> Slot {
        Slot::word(Word::value())
    }

    /// Any of these options, in any order, each at most once; with
    /// [`repeat`](Slot::repeat), as often as one likes. An option is one word, or
    /// a few in a row as in `-n 5`. None is needed.
    pub fn options(options: impl IntoIterator<Item = impl IntoIterator<Item = Word>>) -> Slot {
        let options = options.into_iter().map(|words| words.into_iter().collect()).collect();
        Slot { what: What::Options(options), optional: false, repeat: false }
    }

    /// All that is left, each of which is such a word.
    pub fn rest(word: Word) -> Slot {
        Slot::word(word).optional().repeat()
    }

    /// Lets it be left out.
    pub fn optional(mut self) -> Slot {
        self.optional = true;
        self
    }

    /// Lets it be there more than once.
    pub fn repeat(mut self) -> Slot {
        self.repeat = true;
        self
    }

    /// Whether there may be nothing in its place.
    pub(super) fn may_be_left_out(&self) -> bool {
        self.optional || matches!(self.what, What::Options(_))
    }

    /// Whether it takes arguments that a program may take for options.
    pub fn takes_options(&self) -> bool {
        self.words().any(Word::takes_options)
    }

    /// What it may begin with.
    pub(super) fn first(&self) -> impl Iterator<Item = &Word> {
        let (word, options) = match &self.what {
            What::Word(word) => (Some(word), &[][..]),
            What::Options(options) => (None, &**options),
        };
        word.into_iter().chain(options.iter().filter_map(|words| words.first()))
    }

    /// Every word in it.
    pub(crate) fn words(&self) -> impl Iterator<Item = &Word> {
        let (word, options) = match &self.what {
            What::Word(word) => (Some(word), &[][..]),
            What::Options(options) => (None, &**options),
        };
        word.into_iter().chain(options.iter().flatten())
    }
}

/// As the synopsis of a manual page has it.
impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let repeat = if self.repeat { "..." } else { "" };
        match &self.what {
            What::Word(word) if self.optional => write!(f, "[{word}]{repeat}"),
            What::Word(word) => write!(f, "{word}{repeat}"),
            What::Options(options) => {
                for (index, words) in options.iter().enumerate() {
                    let space = if index == 0 { "" } else { " " };
                    let words: Vec<String> = words.iter().map(ToString::to_string).collect();
                    write!(f, "{space}[{}]{repeat}", words.join(" "))?;
                }
                Ok(())
            }
        }
    }
}
