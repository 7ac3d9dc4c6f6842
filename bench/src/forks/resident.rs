//! What a process has in memory.

use std::fmt;
use std::fs;
use std::str::FromStr;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// What a process has in memory, in KiB, as the kernel adds it up.
///
/// A fork copies the page tables of what is anonymous; those of files the child finds
/// again when it needs them.
///
/// # References
/// - [`/proc/pid/smaps_rollup`](https://docs.kernel.org/filesystems/proc.html)
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resident {
    /// All of it (`VmRSS`).
    pub all: usize,
    /// What is no file's (`RssAnon`).
    pub anonymous: usize,
    /// Of that, what is in huge pages.
    pub huge: usize,
}

impl Resident {
    /// Of this process.
    pub fn of_this() -> Result<Resident> {
        let text = fs::read_to_string("/proc/self/smaps_rollup")?;
        let amount = |word: &str| {
            let rest =
                text.lines().find_map(|line| line.strip_prefix(word)).context("no amount")?;
            Ok::<usize, anyhow::Error>(rest.trim().trim_end_matches(" kB").parse()?)
        };
        Ok(Resident {
            all: amount("Rss:")?,
            anonymous: amount("Anonymous:")?,
            huge: amount("AnonHugePages:")?,
        })
    }

    /// What is anonymous and in pages of 4 KiB.
    pub fn small(self) -> usize {
        self.anonymous.saturating_sub(self.huge)
    }

    pub fn to_json(self) -> Value {
        let Resident { all, anonymous, huge } = self;
        json!({ "unit": "KiB", "all": all, "anonymous": anonymous, "anonymous_huge": huge })
    }
}

/// As [`Resident::from_str`] reads it.
impl fmt::Display for Resident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{}", self.all, self.anonymous, self.huge)
    }
}

impl FromStr for Resident {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Resident> {
        let mut numbers = text.split(',');
        let mut next = || Ok::<usize, anyhow::Error>(numbers.next().context("too few")?.parse()?);
        Ok(Resident { all: next()?, anonymous: next()?, huge: next()? })
    }
}
