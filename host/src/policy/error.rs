//! What is wrong with a policy, and where.

use std::fmt;

/// A place in a policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file, by the name that it was opened with.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The character in the line, counted from 1.
    pub column: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Location { file, line, column } = self;
        write!(f, "{file}:{line}:{column}")
    }
}

/// Why a policy cannot be used.
///
/// Displayed as one line: `FILE:LINE:COLUMN: message`, without what is not
/// known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyError {
    place: Place,
    message: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Unknown,
    File(String),
    Location(Location),
}

impl PolicyError {
    /// An error in this place, or in a grant that stands in no file.
    pub fn new(location: Option<&Location>, message: impl Into<String>) -> PolicyError {
        PolicyError {
            place: location.cloned().map_or(Place::Unknown, Place::Location),
            message: message.into(),
        }
    }

    /// An error of a file as a whole.
    pub(super) fn of_file(file: impl Into<String>, message: impl Into<String>) -> PolicyError {
        PolicyError { place: Place::File(file.into()), message: message.into() }
    }

    /// The file, where there is one.
    pub fn file(&self) -> Option<&str> {
        match &self.place {
            Place::Unknown => None,
            Place::File(file) => Some(file),
            Place::Location(location) => Some(&location.file),
        }
    }

    /// The place in the file, where there is one.
    pub fn location(&self) -> Option<&Location> {
        match &self.place {
            Place::Unknown | Place::File(_) => None,
            Place::Location(location) => Some(location),
        }
    }

    /// The line, counted from 1.
    pub fn line(&self) -> Option<usize> {
        self.location().map(|location| location.line)
    }

    /// The character in the line, counted from 1.
    pub fn column(&self) -> Option<usize> {
        self.location().map(|location| location.column)
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Unknown => {}
            Place::File(file) => write!(f, "{file}: ")?,
            Place::Location(location) => write!(f, "{location}: ")?,
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for PolicyError {}
