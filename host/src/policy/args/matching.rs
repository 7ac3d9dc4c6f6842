//! Filling slots with arguments.

use super::slot::{Slot, What};
use super::word::{PathRule, Word};
use super::{Arguments, Slots};
use crate::plan::PathArgument;
use crate::policy::text::quoted;

/// How many paths there may be among the arguments of one command: each of them
/// is resolved before the child starts.
const PATHS_MAX: usize = 4096;

/// How many choices a denial tells.
const TOLD: usize = 8;

/// Where arguments stop filling slots.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// The argument, counted from 0. One more than there are: something is
    /// missing.
    pub argument: usize,
    /// What is wrong with it, if it is not only that it is not allowed there.
    pub why: Option<String>,
    /// What would be allowed in its place.
    pub allowed: Vec<String>,
}

/// Which slot an argument went to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Filled {
    /// The slot, counted from 0.
    pub slot: usize,
    /// The option in it and the word of that, if it is one.
    pub option: Option<(usize, usize)>,
}

impl Arguments {
    /// Finds the paths among arguments that are allowed. Their places are those
    /// in these arguments.
    pub(crate) fn check(&self, args: &[String]) -> Result<Vec<PathArgument>, Mismatch> {
        match self {
            Arguments::Any => Ok(Vec::new()),
            Arguments::None if args.is_empty() => Ok(Vec::new()),
            Arguments::None => Err(Mismatch { argument: 0, why: None, allowed: vec![] }),
            Arguments::Slots(slots) => {
                let filled = slots.fill(args)?;
                slots.paths(args, &filled)
            }
        }
    }
}

impl Slots {
    /// Fills the slots, as the module's documentation says.
    pub(crate) fn fill(&self, args: &[String]) -> Result<Vec<Filled>, Mismatch> {
        match self.fill_some(args) {
            (filled, None) => Ok(filled),
            (_, Some(mismatch)) => Err(mismatch),
        }
    }

    /// Fills slots as far as arguments do.
    pub(crate) fn fill_some(&self, args: &[String]) -> (Vec<Filled>, Option<Mismatch>) {
        let mut filling = Filling { args, filled: Vec::with_capacity(args.len()), allowed: vec![] };
        let result = self.0.iter().enumerate().try_for_each(|(index, slot)| match &slot.what {
            What::Word(word) => filling.word(index, slot, word),
            What::Options(options) => filling.options(index, slot, options),
        });
        let result = result.and_then(|()| match filling.next() {
            None => Ok(()),
            Some(_) => Err(filling.mismatch(None)),
        });
        (filling.filled, result.err())
    }

    fn paths(&self, args: &[String], filled: &[Filled]) -> Result<Vec<PathArgument>, Mismatch> {
        let mut paths = Vec::new();
        for (index, filled) in filled.iter().enumerate() {
            let rule = self.filler(*filled).and_then(Word::path_rule);
            if let Some((start, PathRule { under, access })) = rule {
                if paths.len() == PATHS_MAX {
                    let why = Some(format!("is one path more than the {PATHS_MAX} there may be"));
                    return Err(Mismatch { argument: index, why, allowed: vec![] });
                }
                let (under, access) = (under.clone(), *access);
                paths.push(PathArgument { index, start, under, access });
            }
        }
        debug_assert_eq!(filled.len(), args.len());
        Ok(paths)
    }

    /// The word that an argument fills.
    pub(crate) fn filler(&self, filled: Filled) -> Option<&Word> {
        match (&self.0.get(filled.slot)?.what, filled.option) {
            (What::Word(word), _) => Some(word),
            (What::Options(options), Some((option, word))) => options.get(option)?.get(word),
            (What::Options(_), None) => None,
        }
    }
}

struct Filling<'a> {
    args: &'a [String],
    filled: Vec<Filled>,
    /// What the next argument could have been, in words.
    allowed: Vec<String>,
}

impl<'a> Filling<'a> {
    fn next(&self) -> Option<&'a str> {
        self.args.get(self.filled.len()).map(String::as_str)
    }

    fn take(&mut self, slot: usize, option: Option<(usize, usize)>) {
        self.filled.push(Filled { slot, option });
        self.allowed.clear();
    }

    fn allow(&mut self, word: &Word) {
        if self.allowed.len() <= TOLD {
            self.allowed.push(word.description());
        }
    }

    fn mismatch(&mut self, why: Option<String>) -> Mismatch {
        let allowed = std::mem::take(&mut self.allowed);
        Mismatch { argument: self.filled.len(), why, allowed }
    }

    fn word(&mut self, index: usize, slot: &Slot, word: &Word) -> Result<(), Mismatch> {
        let mut must_be_there = !slot.optional;
        while self.next().is_some_and(|next| word.accepts(next)) {
            self.take(index, None);
            if !slot.repeat {
                return Ok(());
            }
            must_be_there = false;
        }
        self.allow(word);
        match must_be_there {
            true => Err(self.mismatch(None)),
            false => Ok(()),
        }
    }

    fn options(
        &mut self,
        index: usize,
        slot: &Slot,
        options: &[Vec<Word>],
    ) -> Result<(), Mismatch> {
        let mut used = vec![false; options.len()];
        loop {
            let found = self.next().and_then(|next| {
                let mut options = options.iter().enumerate();
                options.find(|(_, words)| words.first().is_some_and(|word| word.accepts(next)))
            });
            let Some((option, words)) = found else { break };
            if used[option] && !slot.repeat {
                return Err(self.mismatch(Some("is there already".to_owned())));
            }
            used[option] = true;
            for (place, word) in words.iter().enumerate() {
                if !self.next().is_some_and(|next| word.accepts(next)) {
                    self.allow(word);
                    return Err(self.mismatch(None));
                }
                self.take(index, Some((option, place)));
            }
        }
        let open = options.iter().zip(&used).filter(|(_, used)| slot.repeat || !**used);
        for (words, _) in open {
            words.first().into_iter().for_each(|word| self.allow(word));
        }
        Ok(())
    }
}

impl Mismatch {
    /// The whole denial, for a program of this name.
    pub(crate) fn message(&self, program: &str, args: &[String]) -> String {
        let (number, program) = (self.argument + 1, quoted(program));
        let allowed = match &*self.allowed {
            [] => "nothing more".to_owned(),
            [told @ .., _] if self.allowed.len() > TOLD => {
                format!("{}, and other things", told.join(", "))
            }
            all => all.join(", "),
        };
        match (args.get(self.argument), &self.why) {
            (Some(argument), Some(why)) => {
                format!("argument {number} of {program}, {}, {why}", quoted(argument))
            }
            (Some(argument), None) => {
                let argument = quoted(argument);
                format!("argument {number} of {program} may not be {argument}; allowed: {allowed}")
            }
            (None, _) => format!("argument {number} of {program} is missing; it may be {allowed}"),
        }
    }
}
