//! Reads the sandbox of a grant from TOML.

use super::error::PolicyError;
use super::sandbox::{SANDBOX, Sandbox};
use super::table::Value;

/// What a grant's key `sandbox` says: `"none"`, or a table.
pub(super) fn sandbox(value: &Value<'_>) -> Result<Sandbox, PolicyError> {
    if value.is_string() {
        return value.word("\"none\" or a table", |word| (word == "none").then(Sandbox::none));
    }
    let mut sandbox = Sandbox::new();
    for entry in value.table()? {
        let (key, value) = (entry.key(), &entry.value);
        let one = |sandbox: Sandbox, value: &Value<'_>, word: &str| {
            let set = sandbox.set_at(key, word, Some(value.location()));
            set.map_err(|message| value.error(message))
        };
        sandbox = match key {
            "files" | "network" | "metadata" | "execute-written" => {
                one(sandbox, value, value.string()?)?
            }
            "run-time" => sandbox.run_time(value.boolean()?),
            "read" | "write" | "execute" | "system-calls" | "without" | "best-effort" => {
                let mut words = value.list()?.into_iter();
                words.try_fold(sandbox, |sandbox, word| one(sandbox, &word, word.string()?))?
            }
            _ => return Err(entry.unknown(SANDBOX)),
        };
    }
    Ok(sandbox)
}
