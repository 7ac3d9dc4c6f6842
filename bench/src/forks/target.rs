//! What forks and workers are to reach, and whether they do.

use std::fmt;

use serde_json::{Value, json};

/// A figure with a limit.
#[derive(Debug, Clone)]
pub struct Target {
    name: String,
    value: f64,
    limit: Limit,
}

#[derive(Debug, Clone, Copy)]
pub enum Limit {
    Most(f64),
    Least(f64),
}

impl Target {
    pub fn new(name: impl Into<String>, value: f64, limit: Limit) -> Target {
        Target { name: name.into(), value, limit }
    }

    fn is_met(&self) -> bool {
        match self.limit {
            Limit::Most(most) => self.value <= most,
            Limit::Least(least) => self.value >= least,
        }
    }

    pub fn to_json(&self) -> Value {
        let (word, limit) = match self.limit {
            Limit::Most(most) => ("at_most", most),
            Limit::Least(least) => ("at_least", least),
        };
        json!({ "name": self.name, "value": self.value, word: limit, "met": self.is_met() })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, limit) = match self.limit {
            Limit::Most(most) => ("at most", most),
            Limit::Least(least) => ("at least", least),
        };
        let met = if self.is_met() { "met" } else { "missed" };
        write!(f, "{:<36}{:>8.2}   {word} {limit}: {met}", self.name, self.value)
    }
}
