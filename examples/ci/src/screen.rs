//! Lines of many steps on one screen.

use crate::outcome::Verdict;
use std::fmt::Write as _;
use std::io::{self, Write as _};

/// Colours that tell jobs apart; red, yellow and green say how steps ended.
const JOBS: &[&str] = &["36", "35", "34", "96", "95", "94"];

const DIM: &str = "2";

/// The longest name of a step in front of its lines and in the report.
pub const MAX_NAME: usize = 32;

/// The standard output, with one write for all that happened at a time.
#[derive(Debug)]
pub struct Screen {
    pub colour: bool,
    width: usize,
    pending: String,
}

impl Screen {
    pub fn new(colour: bool) -> Self {
        Self { colour, width: 0, pending: String::new() }
    }

    /// Leaves room for this name.
    pub fn fit(&mut self, name: &str) {
        self.width = self.width.max(name.chars().count());
    }

    /// A line that a step wrote.
    pub fn line(&mut self, job: usize, name: &str, text: &str) {
        let name = format!("{name:<width$} |", width = self.width);
        let name = paint(&name, JOBS[job % JOBS.len()], self.colour);
        let _ = writeln!(self.pending, "{name} {text}");
    }

    /// A line about a step.
    pub fn note(&mut self, job: usize, name: &str, text: &str) {
        let text = paint(text, DIM, self.colour);
        self.line(job, name, &text);
    }

    /// How a step ended.
    pub fn end(&mut self, job: usize, name: &str, verdict: Verdict, text: &str) {
        let text = paint(text, verdict.colour(), self.colour);
        self.line(job, name, &text);
    }

    pub fn flush(&mut self) -> io::Result<()> {
        print(&std::mem::take(&mut self.pending))
    }
}

/// Writes to the standard output at once.
pub fn print(text: &str) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

impl Verdict {
    pub fn colour(self) -> &'static str {
        match self {
            Self::Passed => "32",
            Self::Failed => "31",
            Self::Allowed => "33",
            Self::Skipped => DIM,
        }
    }
}

pub fn paint(text: &str, code: &str, colour: bool) -> String {
    if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Names a step for the screen: short, in one line, and without anything that
/// a terminal would obey.
pub fn name(job: &str, step: &str) -> String {
    let name: String = format!("{job}/{step}").chars().filter(|c| !c.is_control()).collect();
    match name.char_indices().nth(MAX_NAME) {
        None => name,
        Some(_) => name.chars().take(MAX_NAME - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_aligned_behind_their_names() {
        let mut screen = Screen::new(false);
        screen.fit("a/long-name");
        screen.line(0, "a/b", "text");
        assert_eq!(screen.pending, "a/b         | text\n");
    }

    #[test]
    fn colour_is_closed_before_the_text() {
        let mut screen = Screen::new(true);
        screen.line(1, "a", "text");
        assert_eq!(screen.pending, "\x1b[35ma |\x1b[0m text\n");
    }

    #[test]
    fn names_are_short() {
        assert_eq!(name("build", "cargo\u{7} build"), "build/cargo build");
        let long = name("build", &"ä".repeat(100));
        assert_eq!(long.chars().count(), MAX_NAME);
        assert!(long.ends_with('…'));
    }
}
