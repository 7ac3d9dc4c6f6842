//! What a host keeps of a guest.

use std::sync::{Mutex, PoisonError};

use offspring::audit::{Audit, Record, to_json};
use serde_json::Value;

/// An audit sink that keeps everything, as the lines of a file would have it.
#[derive(Debug, Default)]
pub struct Kept(Mutex<Vec<Value>>);

impl Audit for Kept {
    fn record(&self, record: &Record<'_>) {
        let line = serde_json::from_str(&to_json(record)).unwrap();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

impl Kept {
    pub fn lines(&self) -> Vec<Value> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A field of a line as people read it: a dash for none.
pub fn text(line: &Value, key: &str) -> String {
    match &line[key] {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}
