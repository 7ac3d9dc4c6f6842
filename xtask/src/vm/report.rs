//! What the tests in the machines said.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::last_name;
use super::suites::must_run;

/// The verdicts by name, as they come over a machine's console.
#[derive(Debug, Default)]
pub struct Report {
    /// The tests of each run that have no verdict yet.
    expected: BTreeMap<String, BTreeSet<String>>,
    /// Who runs which suite now.
    run: Option<String>,
    /// Whether it tells its failures now, in which anything can be said.
    telling: bool,
    /// Those that have said why they cannot run, in this run.
    excused: BTreeSet<String>,
    passed: usize,
    failed: Vec<String>,
    skipped: Vec<String>,
    /// Tests that were skipped in one run at least, without it.
    skipped_once: BTreeSet<String>,
    /// The same of those that were not.
    ran: BTreeSet<String>,
    /// Whether everything was to run.
    is_whole: bool,
    /// What is wrong besides.
    broken: Vec<String>,
    runs: usize,
    /// How many machines came to their end.
    done: usize,
}

/// The exit code of `timeout` for what took too long.
const TOOK_TOO_LONG: &str = "124";

impl Report {
    /// Of runs whose tests have these names, and whether these are all that there
    /// are.
    pub fn new(expected: &BTreeMap<String, Vec<String>>, is_whole: bool) -> Report {
        let expected =
            expected.iter().map(|(run, tests)| (run.clone(), tests.iter().cloned().collect()));
        Report { expected: expected.collect(), is_whole, ..Report::default() }
    }

    /// Takes a line, and returns what people are to see of it.
    pub fn read(&mut self, line: &str) -> Option<String> {
        if let Some(run) = line.strip_prefix("@suite ") {
            (self.run, self.telling) = (Some(run.to_owned()), false);
            self.excused.clear();
            self.runs += 1;
            return None;
        }
        if let Some(ended) = line.strip_prefix("@status ") {
            return self.end(ended);
        }
        if let Some(run) = line.strip_prefix("@late ") {
            self.expected.remove(run);
            self.skipped.push(format!("{run}: this machine is busy, and no time was left"));
            return Some(format!("SKIPPED {run}: no time was left"));
        }
        if line == "@done" {
            self.done += 1;
            return None;
        }
        let run = self.run.clone().unwrap_or_else(|| "start".to_owned());
        self.telling |= line == "failures:";
        if let Some((test, verdict)) = verdict(line).filter(|_| !self.telling) {
            return Some(self.judge(&run, test, verdict));
        }
        if let Some(skipped) = line.strip_prefix("SKIPPED ") {
            self.skipped.push(format!("{run} {skipped}"));
            let name = skipped.split(':').next().unwrap_or_default();
            self.excused.insert(last_name(name).to_owned());
            return Some(format!("SKIPPED {run} {skipped}"));
        }
        // Of a failure everything is to be seen, of a success nothing.
        let is_noise = line.is_empty() || line.starts_with("running ") || line.starts_with("test ");
        (!is_noise).then(|| format!("    {line}"))
    }

    fn judge(&mut self, run: &str, test: &str, verdict: &str) -> String {
        let name = format!("{run} {test}");
        if !self.expected.get_mut(run).is_some_and(|tests| tests.remove(test)) {
            self.broken.push(format!("{name}: nobody has asked for it"));
        }
        // The name in the excuse need have no modules before it.
        let excused = self.excused.contains(last_name(test));
        match verdict {
            "ok" => {
                self.passed += usize::from(!excused);
                let tests = if excused { &mut self.skipped_once } else { &mut self.ran };
                tests.insert(format!("{} {test}", suite(run)));
            }
            "FAILED" => self.failed.push(name.clone()),
            _ => self.skipped.push(format!("{name}: {verdict}")),
        }
        format!("{name} ... {}", if excused { "SKIPPED" } else { verdict })
    }

    /// The end of a run: its exit code, and how many seconds it took.
    fn end(&mut self, ended: &str) -> Option<String> {
        let run = self.run.take().unwrap_or_default();
        let (code, seconds) = ended.split_once(' ').unwrap_or((ended, "?"));
        let left = self.expected.remove(&run).unwrap_or_default();
        let left: Vec<String> = left.into_iter().collect();
        match code {
            // 101 is how tests say that one of them failed.
            "0" | "101" if left.is_empty() => {}
            TOOK_TOO_LONG => self.broken.push(format!(
                "{run}: ended after {seconds} s; those that had not come to their end: {}",
                left.join(", ")
            )),
            _ => self.broken.push(format!(
                "{run}: exit code {code}; without a verdict: {}",
                if left.is_empty() { "none".to_owned() } else { left.join(", ") }
            )),
        }
        Some(format!("{run}: {seconds} s"))
    }

    /// Whether every test that was to run in so many machines did, and passed.
    pub fn is_ok(&self, machines: usize) -> bool {
        self.done == machines
            && self.passed > 0
            && self.failed.is_empty()
            && self.broken.is_empty()
            && self.expected.is_empty()
            && self.never_ran().is_empty()
    }

    /// Tests that the machines were made for, and that ran in none.
    fn never_ran(&self) -> Vec<String> {
        let never = self.skipped_once.difference(&self.ran);
        never.filter(|test| self.is_whole && must_run(test)).cloned().collect()
    }

    pub fn summary(&self, machines: usize) -> String {
        let mut text = String::new();
        let Report { passed, failed, skipped, broken, runs, .. } = self;
        let never = self.never_ran();
        let lists =
            [("SKIPPED", skipped), ("BROKEN", broken), ("FAILED", failed), ("NEVER RAN", &never)];
        for (word, list) in lists {
            for name in list {
                let _ = writeln!(text, "{word} {name}");
            }
        }
        if self.done < machines {
            let last = self.run.as_deref().unwrap_or("starting");
            let _ = writeln!(text, "BROKEN a machine ended early, at {last}");
            if let Some(left) = self.run.as_ref().and_then(|run| self.expected.get(run)) {
                let left: Vec<&str> = left.iter().map(String::as_str).collect();
                let _ = writeln!(text, "BROKEN {last}: without a verdict: {}", left.join(", "));
            }
        }
        for run in self.expected.keys().filter(|run| Some(*run) != self.run.as_ref()) {
            let _ = writeln!(text, "BROKEN {run}: did not run");
        }
        let word = if self.is_ok(machines) { "ok" } else { "FAILED" };
        let _ = writeln!(
            text,
            "vm: {word}: {passed} passed, {} failed, {} skipped in {runs} runs of suites",
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

/// The suite of a run: the last word.
fn suite(run: &str) -> &str {
    run.rsplit(' ').next().unwrap_or(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(run: &str, tests: &[&str], lines: &[&str]) -> Report {
        let tests = tests.iter().map(|test| (*test).to_owned()).collect();
        let mut report = Report::new(&BTreeMap::from([(run.to_owned(), tests)]), true);
        report.read(&format!("@suite {run}"));
        for line in lines {
            report.read(line);
        }
        report
    }

    const RUN: &str = "v2 root spawn/wait";

    #[test]
    fn every_verdict_counts() {
        let lines =
            ["SKIPPED b: no such thing", "running 2 tests", "test a ... ok", "test b ... ok"];
        let all = report(RUN, &["a", "b"], &[&lines[..], &["@status 0 7", "@done"]].concat());
        assert!(all.is_ok(1) && !all.is_ok(2), "{}", all.summary(1));
        assert_eq!((all.passed, all.skipped.len()), (1, 1));
        assert_eq!(all.skipped, ["v2 root spawn/wait b: no such thing"]);
    }

    #[test]
    fn nothing_that_is_missing_is_a_success() {
        let with = |rest: &[&str]| report(RUN, &["a"], &[&["test a ... ok"], rest].concat());
        assert!(with(&["@status 0 1", "@done"]).is_ok(1));
        assert!(!with(&["@status 0 1"]).is_ok(1));
        assert!(!with(&["@status 139 1", "@done"]).is_ok(1));
        assert!(!with(&["test b ... ok", "@status 0 1", "@done"]).is_ok(1));
        assert!(!report(RUN, &["a"], &["test a ... FAILED", "@status 101 1", "@done"]).is_ok(1));
        assert!(with(&["@status 0 1"]).summary(1).contains("BROKEN a machine ended early"));
        let mut missing = report(RUN, &["a"], &["@status 0 1", "@done"]);
        assert!(missing.summary(1).contains("without a verdict: a"));
        missing.expected.insert("v2 user spawn/wait".into(), BTreeSet::new());
        assert!(missing.summary(1).contains("BROKEN v2 user spawn/wait: did not run"));
        missing.read("@late v2 user spawn/wait");
        assert!(missing.summary(1).contains("SKIPPED v2 user spawn/wait: this machine is busy"));
    }

    #[test]
    fn what_hangs_is_named() {
        let hung = report(RUN, &["a", "b", "c"], &["test a ... ok", "@status 124 60", "@done"]);
        let line = "BROKEN v2 root spawn/wait: ended after 60 s; those that had not come to their \
             end: b, c\n";
        assert!(!hung.is_ok(1) && hung.summary(1).contains(line), "{}", hung.summary(1));
    }

    /// Tests print what they like when they fail.
    #[test]
    fn what_failures_tell_is_no_verdict() {
        let lines = ["test a ... FAILED", "failures:", "test b ... ok", "@status 101 1", "@done"];
        let report = report(RUN, &["a"], &lines);
        assert_eq!((report.passed, report.failed.len(), report.broken.len()), (0, 1, 0));
    }

    #[test]
    fn what_the_machines_are_made_for_runs_somewhere() {
        let lines = ["SKIPPED a: not here", "test m::a ... ok", "@status 0 1", "@done"];
        let mut skipped = report("v2 root cli/places", &["m::a"], &lines);
        assert!(!skipped.is_ok(1));
        let line = "NEVER RAN cli/places m::a\n";
        assert!(skipped.summary(1).contains(line), "{}", skipped.summary(1));
        // Where only a part was asked for, it may be the wrong one.
        skipped.is_whole = false;
        assert!(!skipped.summary(1).contains(line));
    }
}
