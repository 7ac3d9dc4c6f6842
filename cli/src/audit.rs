//! `offspring run --audit`.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use offspring::audit::AuditFile;

/// The log of a run, if it keeps one.
pub struct Log(Option<Arc<AuditFile>>);

impl Log {
    /// Opens the file, before anything can happen that belongs into it.
    pub fn open(path: Option<&Path>) -> anyhow::Result<Log> {
        let Some(path) = path else { return Ok(Log(None)) };
        let shown = path.display().to_string();
        let file = AuditFile::open(path).with_context(|| format!("cannot open {shown}"))?;
        let file = file.on_failure(move |error| {
            eprintln!("offspring: cannot write {shown}, the component goes on: {error}");
        });
        Ok(Log(Some(Arc::new(file))))
    }

    pub fn sink(&self) -> Option<Arc<AuditFile>> {
        self.0.clone()
    }

    /// Says at the end how much of it there is not.
    pub fn close(self) {
        let lost = self.0.map_or(0, |file| file.lost());
        if lost > 0 {
            eprintln!("offspring: the audit log has lost lines: {lost}");
        }
    }
}
