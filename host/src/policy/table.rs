//! A parsed policy file that still knows where everything in it stands.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue, Error};

use super::duration;
use super::error::{Location, PolicyError};
use super::text::{listed, near_miss, printable, quoted};
use super::words::meaning;

/// The text of a file, which turns byte offsets into places for people.
#[derive(Clone, Copy)]
pub(super) struct Source<'t> {
    pub name: &'t str,
    pub text: &'t str,
}

impl Source<'_> {
    pub fn location(self, span: Range<usize>) -> Location {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        Location {
            file: self.name.to_owned(),
            line: before.matches('\n').count() + 1,
            // No editor counts a byte order mark.
            column: line.trim_start_matches('\u{feff}').chars().count() + 1,
        }
    }

    pub fn error(self, span: Range<usize>, message: impl Into<String>) -> PolicyError {
        PolicyError::new(Some(&self.location(span)), message)
    }

    /// What the parser found; it stops at the first mistake.
    pub fn syntax_error(self, error: &Error) -> PolicyError {
        let end = self.text.len();
        let span = error.span().unwrap_or(end..end);
        let text = self.text.get(span.clone()).unwrap_or_default();
        let message = match error.message() {
            "duplicate key" => format!("{} is given twice", quoted(text)),
            message => message.to_owned(),
        };
        self.error(span, message)
    }
}

/// A key with its value.
pub(super) struct Entry<'t> {
    source: Source<'t>,
    key: &'t Spanned<DeString<'t>>,
    pub value: Value<'t>,
}

impl<'t> Entry<'t> {
    pub fn key(&self) -> &'t str {
        self.key.get_ref()
    }

    pub fn location(&self) -> Location {
        self.source.location(self.key.span())
    }

    /// An error at the key.
    pub fn error(&self, message: impl Into<String>) -> PolicyError {
        self.source.error(self.key.span(), message)
    }

    /// The error for a key that is none of those known here.
    pub fn unknown(&self, known: &[&'static str]) -> PolicyError {
        let key = quoted(self.key());
        self.error(match near_miss(self.key(), known.iter().copied()) {
            Some(near) => format!("unknown key {key}, did you mean {}?", quoted(near)),
            None => format!("unknown key {key}; known here: {}", listed(known.iter().copied())),
        })
    }
}

/// The entries of a table, in the order of the file.
pub(super) fn entries<'t>(source: Source<'t>, table: &'t DeTable<'t>) -> Vec<Entry<'t>> {
    let mut entries: Vec<_> = table
        .iter()
        .map(|(key, value)| Entry {
            source,
            key,
            value: Value { source, name: quoted(key.get_ref()), value },
        })
        .collect();
    entries.sort_by_key(|entry| entry.key.span().start);
    entries
}

/// A value, with what to call it in errors.
pub(super) struct Value<'t> {
    source: Source<'t>,
    name: String,
    value: &'t Spanned<DeValue<'t>>,
}

impl<'t> Value<'t> {
    pub fn location(&self) -> Location {
        self.source.location(self.value.span())
    }

    /// An error at the value.
    pub fn error(&self, message: impl Into<String>) -> PolicyError {
        self.source.error(self.value.span(), message)
    }

    /// The error for a value that is not what it must be.
    pub fn must_be(&self, expected: &str) -> PolicyError {
        let found = match self.value.get_ref() {
            DeValue::String(text) => format!("\"{}\"", printable(text)),
            // The parser lets some control characters through here.
            DeValue::Integer(number) => printable(&number.to_string()),
            DeValue::Float(number) => printable(number.as_str()),
            DeValue::Boolean(value) => value.to_string(),
            DeValue::Datetime(_) => "a date".to_owned(),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        };
        self.error(format!("{} must be {expected}, not {found}", self.name))
    }

    pub fn table(&self) -> Result<Vec<Entry<'t>>, PolicyError> {
        let table = self.value.get_ref().as_table().ok_or_else(|| self.must_be("a table"))?;
        Ok(entries(self.source, table))
    }

    pub fn string(&self) -> Result<&'t str, PolicyError> {
        self.value.get_ref().as_str().ok_or_else(|| self.must_be("a string"))
    }

    pub fn is_string(&self) -> bool {
        self.value.get_ref().is_str()
    }

    pub fn is_table(&self) -> bool {
        self.value.get_ref().is_table()
    }

    pub fn is_list(&self) -> bool {
        self.value.get_ref().is_array()
    }

    /// What a word stands for.
    pub fn word<T>(
        &self,
        expected: &str,
        meaning: impl Fn(&str) -> Option<T>,
    ) -> Result<T, PolicyError> {
        let word = self.value.get_ref().as_str();
        word.and_then(meaning).ok_or_else(|| self.must_be(expected))
    }

    /// What the elements of a list stand for, of all that they may.
    pub fn words<T: Copy>(
        &self,
        all: &[T],
        name: fn(T) -> &'static str,
    ) -> Result<Vec<T>, PolicyError> {
        let meaning = |element: &Value<'_>| {
            let word = element.string()?;
            meaning(all, name, word).ok_or_else(|| {
                let known = || all.iter().map(|value| name(*value));
                let rest = match near_miss(word, known()) {
                    Some(near) => format!(", did you mean {}?", quoted(near)),
                    None => format!("; known here: {}", listed(known())),
                };
                element.error(format!("{} is not {}{rest}", quoted(word), element.name))
            })
        };
        self.list()?.iter().map(meaning).collect()
    }

    /// The elements of a list.
    pub fn elements(&self, expected: &str) -> Result<Vec<Value<'t>>, PolicyError> {
        let list = self.value.get_ref().as_array().ok_or_else(|| self.must_be(expected))?;
        let name = format!("an element of {}", self.name);
        let element = |value| Value { source: self.source, name: name.clone(), value };
        Ok(list.iter().map(element).collect())
    }

    /// The elements of a list of strings, each of them once.
    pub fn list(&self) -> Result<Vec<Value<'t>>, PolicyError> {
        let mut seen = BTreeSet::new();
        let mut elements = Vec::new();
        for element in self.elements("a list of strings")? {
            let text = element.string()?;
            if !seen.insert(text) {
                return Err(element.error(format!("{} is listed twice", quoted(text))));
            }
            elements.push(element);
        }
        Ok(elements)
    }

    /// A number from `min` up, as far as the type goes.
    pub fn number<T: TryFrom<u64>>(&self, min: u64) -> Result<T, PolicyError> {
        let number = self.value.get_ref().as_integer();
        number
            .and_then(|number| u64::from_str_radix(number.as_str(), number.radix()).ok())
            .filter(|number| *number >= min)
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| {
                let max = u64::MAX >> (64 - 8 * size_of::<T>());
                self.must_be(&format!("a whole number from {min} to {max}"))
            })
    }

    /// A number that may be below zero.
    pub fn integer(&self) -> Result<i64, PolicyError> {
        let number = self.value.get_ref().as_integer();
        number
            .and_then(|number| i64::from_str_radix(number.as_str(), number.radix()).ok())
            .ok_or_else(|| self.must_be("a whole number"))
    }

    pub fn boolean(&self) -> Result<bool, PolicyError> {
        self.value.get_ref().as_bool().ok_or_else(|| self.must_be("true or false"))
    }

    pub fn duration(&self) -> Result<Duration, PolicyError> {
        self.word("a time such as \"30s\", \"1m30s\" or \"500ms\"", |text| {
            duration::parse(text).filter(|duration| !duration.is_zero())
        })
    }

    /// Where an item of this value stands: a name in a table, or an element of
    /// a list; else where the value does.
    pub fn location_of(&self, item: Option<&str>) -> Location {
        let span = item.and_then(|item| match self.value.get_ref() {
            DeValue::Table(table) => table.get_key_value(item).map(|(name, _)| name.span()),
            DeValue::Array(list) => {
                let element = list.iter().find(|value| value.get_ref().as_str() == Some(item));
                element.map(Spanned::span)
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => None,
        });
        self.source.location(span.unwrap_or_else(|| self.value.span()))
    }
}
