//! What a host keeps of a guest.

use std::sync::{Mutex, PoisonError};

use offspring::audit::{Audit, Event, Record, to_json};
use offspring::plan::Plan;
use serde_json::Value;

/// An audit sink that keeps everything, as the lines of a file would have it.
#[derive(Debug, Default)]
pub struct Kept(Mutex<Vec<Value>>);

impl Audit for Kept {
    fn record(&self, record: &Record<'_>) {
        let line: Value = serde_json::from_str(&to_json(record)).unwrap();
        if let Event::Spawned { plan, .. } = &record.event {
            // A sink can be written that looks into a plan.
            let argv = |Plan { argv, .. }: &Plan| argv.first().cloned();
            assert_eq!(argv(plan).as_deref(), line["argv"][0].as_str());
        }
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
