//! What the tests in the machine said.

use std::fmt::Write;

/// The verdicts by name, as they come over the machine's console.
#[derive(Debug, Default)]
pub struct Report {
    /// Who runs which suite now.
    suite: Option<String>,
    passed: usize,
    failed: Vec<String>,
    skipped: Vec<String>,
    /// Suites that did not end, or whose tests cannot be counted.
    broken: Vec<String>,
    suites: usize,
    /// Whether the machine came to its end.
    done: bool,
}

impl Report {
    /// Takes a line, and returns what people are to see of it.
    pub fn read(&mut self, line: &str) -> Option<String> {
        if let Some(suite) = line.strip_prefix("@suite ") {
            self.suite = Some(suite.to_owned());
            self.suites += 1;
            return None;
        }
        if let Some(code) = line.strip_prefix("@status ") {
            let suite = self.suite.take().unwrap_or_default();
            // 101 is how tests say that one of them failed.
            if !matches!(code, "0" | "101") {
                self.broken.push(format!("{suite}: exit code {code}"));
            }
            return None;
        }
        if line == "@done" {
            self.done = true;
            return None;
        }
        let suite = self.suite.as_deref().unwrap_or("start");
        if let Some((name, verdict)) = verdict(line) {
            let name = format!("{suite} {name}");
            match verdict {
                "ok" => self.passed += 1,
                // A test in a process of its own says so twice.
                "FAILED" if self.failed.contains(&name) => {}
                "FAILED" => self.failed.push(name.clone()),
                _ => self.skipped.push(format!("{name}: {verdict}")),
            }
            return Some(format!("{name} ... {verdict}"));
        }
        if let Some(skipped) = line.split_once("SKIPPED ").map(|(_, skipped)| skipped) {
            self.skipped.push(format!("{suite} {skipped}"));
            return Some(format!("SKIPPED {suite} {skipped}"));
        }
        // Of a failure everything is to be seen, of a success nothing.
        let is_noise = line.is_empty() || line.starts_with("running ") || line.starts_with("test ");
        (!is_noise).then(|| format!("    {line}"))
    }

    /// Whether every test that was to run did, and passed.
    pub fn is_ok(&self) -> bool {
        self.done && self.passed > 0 && self.failed.is_empty() && self.broken.is_empty()
    }

    pub fn summary(&self) -> String {
        let mut text = String::new();
        let Report { passed, failed, skipped, broken, suites, .. } = self;
        for (word, list) in [("SKIPPED", skipped), ("BROKEN", broken), ("FAILED", failed)] {
            for name in list {
                let _ = writeln!(text, "{word} {name}");
            }
        }
        if !self.done {
            let last = self.suite.as_deref().unwrap_or("starting");
            let _ = writeln!(text, "BROKEN the machine ended early, at {last}");
        }
        let word = if self.is_ok() { "ok" } else { "FAILED" };
        let _ = writeln!(
            text,
            "vm: {word}: {passed} passed, {} failed, {} skipped in {suites} suites",
            failed.len(),
            skipped.len()
        );
        text
    }
}

/// `test NAME ... VERDICT`, of a line of the test harness.
fn verdict(line: &str) -> Option<(&str, &str)> {
    let (name, verdict) = line.strip_prefix("test ")?.split_once(" ... ")?;
    Some((name, verdict))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(lines: &[&str]) -> Report {
        let mut report = Report::default();
        for line in lines {
            report.read(line);
        }
        report
    }

    #[test]
    fn every_verdict_counts() {
        let all = report(&[
            "@suite root spawn/wait",
            "running 3 tests",
            "test a ... ok",
            "SKIPPED b: no such thing",
            "test b ... ok",
            "@status 0",
            "@done",
        ]);
        assert!(all.is_ok());
        assert_eq!((all.passed, all.skipped.len()), (2, 1));
        assert_eq!(all.skipped, ["root spawn/wait b: no such thing"]);
    }

    #[test]
    fn nothing_that_is_missing_is_a_success() {
        let start = ["@suite root spawn/wait", "test a ... ok"];
        let with = |rest: &[&str]| report(&[&start[..], rest].concat());
        assert!(with(&["@status 0", "@done"]).is_ok());
        assert!(!with(&["@status 0"]).is_ok());
        assert!(!with(&["@status 139", "@done"]).is_ok());
        assert!(!with(&["test b ... FAILED", "@status 101", "@done"]).is_ok());
        assert!(!report(&["@done"]).is_ok());
        assert!(with(&["@status 0"]).summary().contains("BROKEN the machine ended early"));
    }
}
