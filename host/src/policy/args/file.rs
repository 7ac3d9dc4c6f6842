//! Reads `args` from a policy file.

use super::slot::Slot;
use super::word::{Access, PathRule, Word};
use super::{Arguments, InvalidSlots, Slots};
use crate::policy::PolicyError;
use crate::policy::table::{Entry, Value};
use crate::policy::text::{listed, quoted};

/// The keys of a slot, for the error that an unknown one is.
pub(in crate::policy) const SLOT: &[&str] = &[
    "literal", "one-of", "prefix", "integer", "path", "value", "options", "rest", "under",
    "access", "optional", "repeat",
];

/// Those that say what a word is. A prefix can stand with another one.
const KINDS: &[&str] = &["literal", "one-of", "integer", "path", "value", "options", "rest"];

pub(in crate::policy) const INTEGER: &[&str] = &["min", "max"];

/// What the value of `args` allows.
pub(in crate::policy) fn arguments(args: &Value<'_>) -> Result<Arguments, PolicyError> {
    let expected = "\"any\", \"none\" or a list of slots";
    if args.is_string() {
        return args.word(expected, |word| match word {
            "none" => Some(Arguments::None),
            "any" => Some(Arguments::Any),
            _ => None,
        });
    }
    let elements = args.elements(expected)?;
    let mut slots = Vec::new();
    for (index, element) in elements.iter().enumerate() {
        let (slot, is_rest) = slot(element)?;
        if is_rest && index + 1 < elements.len() {
            return Err(element.error("`rest` must be the last slot"));
        }
        slots.push(slot);
    }
    Slots::new(slots).map(Arguments::Slots).map_err(|invalid| place(args, &elements, &invalid))
}

/// The error, where the slot stands, or the option in it.
fn place(args: &Value<'_>, elements: &[Value<'_>], invalid: &InvalidSlots) -> PolicyError {
    let InvalidSlots { slot, option, message } = invalid;
    let Some(element) = elements.get(*slot) else { return args.error(message) };
    let options = || {
        let entry = element.table().ok()?.into_iter().find(|entry| entry.key() == "options")?;
        entry.value.elements("").ok()
    };
    let option = option.and_then(|option| options()?.into_iter().nth(option));
    option.as_ref().unwrap_or(element).error(message)
}

/// A slot, and whether it is the rest.
fn slot(element: &Value<'_>) -> Result<(Slot, bool), PolicyError> {
    if element.is_string() {
        return Ok((Slot::literal(element.string()?), false));
    }
    let keys = Keys::read(element, "a string or a table")?;
    let optional = keys.flag("optional")?;
    let repeat = keys.flag("repeat")?;
    let (mut slot, is_rest) = match keys.kind() {
        Some(entry) if entry.key() == "options" => {
            keys.only("options", &["optional", "repeat"])?;
            let mut options = Vec::new();
            for option in entry.value.elements("a list of options")? {
                options.push(self::option(&option)?);
            }
            (Slot::options(options), false)
        }
        Some(entry) if entry.key() == "rest" => {
            let word = match entry.value.string()? {
                "any" => Word::any(),
                "values" => Word::value(),
                "paths" => Word::path(keys.path_rule()?),
                _ => return Err(entry.value.must_be("\"any\", \"values\" or \"paths\"")),
            };
            let is_path = word.path_rule().is_some();
            keys.only("rest", if is_path { &["under", "access"] } else { &[] })?;
            (Slot::rest(word), true)
        }
        _ => (Slot::word(keys.word(&["optional", "repeat"])?), false),
    };
    if optional {
        slot = slot.optional();
    }
    if repeat {
        slot = slot.repeat();
    }
    Ok((slot, is_rest))
}

/// One option: a word, or a few in a row.
fn option(element: &Value<'_>) -> Result<Vec<Word>, PolicyError> {
    match element.is_list() {
        true => element.elements("")?.iter().map(word).collect(),
        false => Ok(vec![word(element)?]),
    }
}

fn word(element: &Value<'_>) -> Result<Word, PolicyError> {
    match element.is_string() {
        true => Ok(Word::literal(element.string()?)),
        false => Keys::read(element, "a string, a table or a list of them")?.word(&[]),
    }
}

/// The keys of one slot or word.
struct Keys<'v, 't> {
    element: &'v Value<'t>,
    entries: Vec<Entry<'t>>,
}

impl<'v, 't> Keys<'v, 't> {
    fn read(element: &'v Value<'t>, expected: &str) -> Result<Keys<'v, 't>, PolicyError> {
        if !element.is_table() {
            return Err(element.must_be(expected));
        }
        let entries = element.table()?;
        if let Some(unknown) = entries.iter().find(|entry| !SLOT.contains(&entry.key())) {
            return Err(unknown.unknown(SLOT));
        }
        let mut kinds = entries.iter().filter(|entry| KINDS.contains(&entry.key()));
        if let (Some(first), Some(second)) = (kinds.next(), kinds.next()) {
            let (first, second) = (quoted(first.key()), second);
            let message = format!("{} does not go together with {first}", quoted(second.key()));
            return Err(second.error(message));
        }
        Ok(Keys { element, entries })
    }

    fn get(&self, key: &str) -> Option<&Entry<'t>> {
        self.entries.iter().find(|entry| entry.key() == key)
    }

    fn kind(&self) -> Option<&Entry<'t>> {
        self.entries.iter().find(|entry| KINDS.contains(&entry.key()))
    }

    fn flag(&self, key: &str) -> Result<bool, PolicyError> {
        self.get(key).map_or(Ok(false), |entry| entry.value.boolean())
    }

    /// Refuses what does not belong to a word of this kind.
    fn only(&self, kind: &str, others: &[&str]) -> Result<(), PolicyError> {
        let belongs = |entry: &&Entry<'_>| entry.key() == kind || others.contains(&entry.key());
        match self.entries.iter().find(|entry| !belongs(entry)) {
            None => Ok(()),
            Some(entry) => {
                let (key, kind) = (quoted(entry.key()), quoted(kind));
                Err(entry.error(format!("{key} does not go together with {kind}")))
            }
        }
    }

    fn word(&self, flags: &[&str]) -> Result<Word, PolicyError> {
        let also = |keys: &[&'static str]| [flags, keys, &["prefix"][..]].concat();
        let word = match self.kind() {
            None => match self.get("prefix") {
                Some(_) => {
                    self.only("prefix", flags)?;
                    Word::any()
                }
                None => return Err(self.nothing_known()),
            },
            Some(entry) => {
                let value = &entry.value;
                let word = match entry.key() {
                    "literal" => Word::literal(value.string()?),
                    "one-of" => one_of(value)?,
                    "integer" => integer(value)?,
                    "value" => value.word("\"any\"", |word| (word == "any").then(Word::value))?,
                    "path" => {
                        value.word("\"preopens\"", |word| (word == "preopens").then_some(()))?;
                        self.only("path", &also(&["under", "access"]))?;
                        Word::path(self.path_rule()?)
                    }
                    // `options` and `rest`.
                    key => {
                        let message = format!("an option cannot have {}", quoted(key));
                        return Err(entry.error(message));
                    }
                };
                if entry.key() != "path" {
                    self.only(entry.key(), &also(&[]))?;
                }
                word
            }
        };
        match self.get("prefix") {
            None => Ok(word),
            Some(entry) => match entry.value.string()? {
                "" => Err(entry.value.error("`prefix` must not be empty")),
                prefix => Ok(word.after(prefix)),
            },
        }
    }

    fn nothing_known(&self) -> PolicyError {
        self.element.error(format!(
            "a slot must have one of {}",
            listed(KINDS.iter().copied().chain(["prefix"]))
        ))
    }

    fn path_rule(&self) -> Result<PathRule, PolicyError> {
        let under = match self.get("under") {
            None => None,
            Some(entry) => {
                let expected = "a path of the guest's from `/` on";
                let meaning = |text: &str| text.starts_with('/').then(|| text.to_owned());
                Some(entry.value.word(expected, meaning)?)
            }
        };
        let access = match self.get("access") {
            None => Access::default(),
            Some(entry) => {
                let meaning =
                    |word: &str| Access::ALL.iter().copied().find(|it| it.as_str() == word);
                entry.value.word("\"read\" or \"write\"", meaning)?
            }
        };
        Ok(PathRule { under, access })
    }
}

fn one_of(texts: &Value<'_>) -> Result<Word, PolicyError> {
    let texts = texts.list()?.iter().map(Value::string).collect::<Result<Vec<_>, _>>()?;
    Ok(Word::one_of(texts))
}

fn integer(table: &Value<'_>) -> Result<Word, PolicyError> {
    let (mut min, mut max) = (0, None);
    for entry in table.table()? {
        match entry.key() {
            "min" => min = entry.value.integer()?,
            "max" => max = Some(entry.value.integer()?),
            _ => return Err(entry.unknown(INTEGER)),
        }
    }
    match max {
        None => Err(table.error("`integer` has no `max`")),
        Some(max) if max < min => {
            Err(table.error(format!("no whole number is from {min} to {max}")))
        }
        Some(max) => Ok(Word::integer(min..=max)),
    }
}
