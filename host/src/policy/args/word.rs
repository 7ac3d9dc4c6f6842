//! What one argument may be.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;

use crate::policy::text::{listed, printable, quoted};

/// What one argument, or what follows the start that it must have, may be.
///
/// Bytes are compared as they are: no case is folded, no Unicode form is
/// another's equal, and nothing is cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    prefix: String,
    kind: Kind,
}

/// What follows the prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Anything.
    Any,
    /// One of these.
    Exact(BTreeSet<String>),
    /// Anything that does not start with `-`.
    Value,
    /// A whole number as it is usually written.
    Integer(RangeInclusive<i64>),
    /// A path of the guest's.
    Path(PathRule),
}

/// Which paths a guest may give to a program.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathRule {
    /// The directory, by a path of the guest's, that they lie beneath. `None`:
    /// beneath any that the guest holds.
    pub under: Option<String>,
    /// What the guest must be allowed to do there.
    pub access: Access,
}

/// What a program is expected to do with a path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Read.
    #[default]
    Read,
    /// Write: where the guest may only read is refused.
    Write,
}

impl Word {
    fn new(kind: Kind) -> Word {
        Word { prefix: String::new(), kind }
    }

    /// This and nothing else.
    pub fn literal(text: impl Into<String>) -> Word {
        Word::one_of([text])
    }

    /// One of these.
    pub fn one_of(texts: impl IntoIterator<Item = impl Into<String>>) -> Word {
        Word::new(Kind::Exact(texts.into_iter().map(Into::into).collect()))
    }

    /// Anything, also what a program takes for an option.
    pub fn any() -> Word {
        Word::new(Kind::Any)
    }

    /// Anything that does not start with `-`.
    pub fn value() -> Word {
        Word::new(Kind::Value)
    }

    /// A whole number of this range, in decimal, without `+`, spaces and zeros in
    /// front, which some programs take for octal.
    pub fn integer(range: RangeInclusive<i64>) -> Word {
        Word::new(Kind::Integer(range))
    }

    /// A path of the guest's, which does not start with `-`.
    pub fn path(rule: PathRule) -> Word {
        Word::new(Kind::Path(rule))
    }

    /// The same behind this start, as in `--depth=5`.
    pub fn after(mut self, prefix: impl Into<String>) -> Word {
        self.prefix = prefix.into();
        self
    }

    /// Whether the argument is such a word.
    pub(super) fn accepts(&self, word: &str) -> bool {
        word.strip_prefix(&*self.prefix).is_some_and(|rest| self.kind.accepts(rest))
    }

    /// The rule for the path in it, and where that starts, if it has one.
    pub(super) fn path_rule(&self) -> Option<(usize, &PathRule)> {
        match &self.kind {
            Kind::Path(rule) => Some((self.prefix.len(), rule)),
            Kind::Any | Kind::Exact(_) | Kind::Value | Kind::Integer(_) => None,
        }
    }

    /// Whether it takes whatever a program may take for an option.
    pub fn takes_options(&self) -> bool {
        self.prefix.is_empty() && self.kind == Kind::Any
    }

    /// Whether it is one of a few texts.
    pub fn is_fixed(&self) -> bool {
        matches!(self.kind, Kind::Exact(_))
    }

    /// The texts that it is one of, where it is one of a few.
    pub(crate) fn texts(&self) -> impl Iterator<Item = String> {
        let texts = match &self.kind {
            Kind::Exact(texts) => Some(texts),
            Kind::Any | Kind::Value | Kind::Integer(_) | Kind::Path(_) => None,
        };
        texts.into_iter().flatten().map(|text| format!("{}{text}", self.prefix))
    }

    /// Every text in it, to be checked.
    pub(super) fn strings(&self) -> impl Iterator<Item = &str> {
        let texts = match &self.kind {
            Kind::Exact(texts) => Some(texts.iter().map(String::as_str)),
            Kind::Any | Kind::Value | Kind::Integer(_) | Kind::Path(_) => None,
        };
        let under = self.path_rule().and_then(|(_, rule)| rule.under.as_deref());
        [&*self.prefix].into_iter().chain(texts.into_iter().flatten()).chain(under)
    }

    /// Whether it can be said by nobody.
    pub(super) fn is_empty(&self) -> bool {
        match &self.kind {
            Kind::Exact(texts) => texts.is_empty(),
            Kind::Integer(range) => range.is_empty(),
            Kind::Any | Kind::Value | Kind::Path(_) => false,
        }
    }

    /// A word that this and the other one both may be, if there may be one. It
    /// finds every such word of two that are no numbers behind a prefix; of those
    /// it may find one that is not there.
    pub(super) fn overlap(&self, other: &Word) -> Option<String> {
        let (one, other) = match self.prefix.len() <= other.prefix.len() {
            true => (self, other),
            false => (other, self),
        };
        // A few texts are looked at one by one.
        for (texts, word) in [(one, other), (other, one)] {
            if let Kind::Exact(_) = texts.kind {
                return texts.texts().find(|text| word.accepts(text));
            }
        }
        // Else the longer prefix decides, and what may follow it.
        let more = other.prefix.strip_prefix(&*one.prefix)?;
        let example = |rest: String| Some(format!("{}{rest}", other.prefix));
        match (&one.kind, &other.kind) {
            _ if !more.is_empty() => match &one.kind {
                Kind::Any => example(other.kind.example()),
                Kind::Integer(_) if !more.bytes().all(is_of_number) => None,
                _ if one.kind.accepts(&format!("{more}{}", other.kind.example())) => {
                    example(other.kind.example())
                }
                Kind::Integer(_) => example(other.kind.example()),
                Kind::Exact(_) | Kind::Value | Kind::Path(_) => None,
            },
            (Kind::Integer(a), Kind::Integer(b)) => {
                let number = *a.start().max(b.start());
                (number <= *a.end().min(b.end())).then(|| format!("{}{number}", other.prefix))
            }
            (Kind::Integer(range), kind) | (kind, Kind::Integer(range)) => {
                let number = range.end().to_string();
                kind.accepts(&number).then(|| format!("{}{number}", other.prefix))
            }
            _ => example("x".to_owned()),
        }
    }

    /// What it may be, in words.
    pub(crate) fn description(&self) -> String {
        let kind = match &self.kind {
            Kind::Exact(_) => {
                let texts: Vec<String> = self.texts().collect();
                return listed(texts.iter().map(String::as_str));
            }
            Kind::Any => "anything".to_owned(),
            Kind::Value => "a value (no `-` in front)".to_owned(),
            Kind::Integer(range) => {
                format!("a whole number from {} to {}", range.start(), range.end())
            }
            Kind::Path(rule) => rule.to_string(),
        };
        match self.prefix.is_empty() {
            true => kind,
            false => format!("{} and {kind}", quoted(&self.prefix)),
        }
    }
}

fn is_of_number(byte: u8) -> bool {
    byte == b'-' || byte.is_ascii_digit()
}

impl Kind {
    fn accepts(&self, text: &str) -> bool {
        match self {
            Kind::Any => true,
            Kind::Exact(texts) => texts.contains(text),
            Kind::Value => !text.starts_with('-'),
            Kind::Integer(range) => {
                let number = text.parse::<i64>().ok().filter(|number| range.contains(number));
                // Only as it is usually written.
                number.is_some_and(|number| number.to_string() == text)
            }
            Kind::Path(_) => !text.is_empty() && !text.starts_with('-') && !text.contains('\0'),
        }
    }

    /// One text that it accepts, of those that are not a few.
    fn example(&self) -> String {
        match self {
            Kind::Integer(range) => range.end().to_string(),
            Kind::Any | Kind::Exact(_) | Kind::Value | Kind::Path(_) => "x".to_owned(),
        }
    }
}

/// In words.
impl fmt::Display for PathRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.access {
            Access::Read => "a path",
            Access::Write => "a path to write to",
        })?;
        match &self.under {
            Some(under) => write!(f, " beneath {}", quoted(under)),
            None => f.write_str(" beneath the guest's directories"),
        }
    }
}

impl Access {
    /// Every one of them.
    pub const ALL: &[Access] = &[Access::Read, Access::Write];

    /// The word in a policy file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Access::Read => "read",
            Access::Write => "write",
        }
    }
}

/// As the synopsis of a manual page has it.
impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &str| match text.contains(char::is_whitespace) || text.is_empty() {
            true => format!("'{}'", printable(text)),
            false => printable(text),
        };
        if let Kind::Exact(texts) = &self.kind {
            let texts: Vec<String> = texts.iter().map(|text| shown(text)).collect();
            return match &*texts {
                [one] => write!(f, "{}{one}", printable(&self.prefix)),
                several => write!(f, "{}({})", printable(&self.prefix), several.join("|")),
            };
        }
        f.write_str(&printable(&self.prefix))?;
        match &self.kind {
            Kind::Exact(_) | Kind::Any => f.write_str("<any>"),
            Kind::Value => f.write_str("<value>"),
            Kind::Integer(range) => write!(f, "<{}..{}>", range.start(), range.end()),
            Kind::Path(PathRule { under, access }) => {
                let access = match access {
                    Access::Read => "",
                    Access::Write => ":write",
                };
                match under {
                    Some(under) => write!(f, "<path{access} {}>", printable(under)),
                    None => write!(f, "<path{access}>"),
                }
            }
        }
    }
}
