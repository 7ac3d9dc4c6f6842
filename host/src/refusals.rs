//! Telling the host's log what was refused to a guest.

use std::fmt::Display;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::policy::text::quoted;

/// How many refusals of one guest are logged: a guest that is refused in a loop
/// must not fill its host's disk.
const LOGGED: u32 = 1000;

/// What was refused to one guest so far.
#[derive(Debug, Default)]
pub(crate) struct Refusals(AtomicU32);

impl Refusals {
    /// Logs that something was refused for this program.
    pub(crate) fn log(&self, program: &str, why: &dyn Display) {
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
            (count <= LOGGED).then_some(count + 1)
        });
        match before {
            Ok(LOGGED) => tracing::warn!("further refusals of this guest are not logged"),
            Ok(_) => tracing::warn!(program = quoted(program), "refused: {why}"),
            Err(_) => {}
        }
    }
}
