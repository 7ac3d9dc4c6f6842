//! What of everything `cargo vm` is to run.

use std::collections::BTreeMap;

use super::suites::{Run, Suite};

/// What was asked for: `v2 user sandbox_files -- truncate`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Selection<'a> {
    /// Where and as whom, such as `v2` and `user`. Each that is here must be said
    /// of a run.
    places: Vec<&'a str>,
    /// Names of suites, with their package or without; all where there are none.
    suites: Vec<&'a str>,
    /// What else is for `cargo test`, which builds fewer with some, such as
    /// `--package offspring-spawn`.
    of_cargo: Vec<&'a str>,
    /// Parts of the names of tests; all where there are none.
    tests: Vec<&'a str>,
}

/// The words of a run's place.
const PLACES: &[&str] = &["v1", "hybrid", "v2", "systemd", "root", "user"];

/// The tests within a library are called as it is.
const LIBRARY: &str = "offspring";

/// The tests that run guests.
const GUESTS: &str = "all";

impl<'a> Selection<'a> {
    /// From the arguments: words, then what begins with a `-`, and parts of names
    /// behind a `--`.
    pub fn of(args: &[&'a str]) -> Selection<'a> {
        let mut parts = args.splitn(2, |arg| *arg == "--");
        let (asked, tests) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let words = asked.iter().take_while(|arg| !arg.starts_with('-')).count();
        let (words, of_cargo) = asked.split_at(words);
        let (places, suites) = words.iter().partition(|word| PLACES.contains(word));
        Selection { places, suites, of_cargo: of_cargo.to_vec(), tests: tests.to_vec() }
    }

    /// Whether it is everything.
    pub fn is_whole(&self) -> bool {
        *self == Selection::default()
    }

    /// The arguments of `cargo test` that build what is needed.
    pub fn of_cargo(&self) -> Vec<&'a str> {
        let mut args = self.of_cargo.clone();
        for suite in &self.suites {
            match suite.rsplit('/').next().unwrap_or(suite) {
                LIBRARY => args.push("--lib"),
                // With a test of the tool's cargo builds the tool, which compiles the
                // guests of the others.
                GUESTS => args.extend(["--test", GUESTS, "--test", "doctor"]),
                name => args.extend(["--test", name]),
            }
        }
        if !self.suites.is_empty() && self.of_cargo.is_empty() {
            args.push("--workspace");
        }
        args
    }

    /// The list that the machines read, and the names of the tests in each run.
    ///
    /// # Errors
    /// A sentence for people: nothing is what was asked for.
    pub fn list(
        &self,
        suites: &[Suite],
    ) -> Result<(String, BTreeMap<String, Vec<String>>), String> {
        let (mut list, mut expected) = (String::new(), BTreeMap::new());
        for suite in suites.iter().filter(|suite| self.has_suite(&suite.name)) {
            for run in suite.runs.iter().filter(|run| self.has_place(run)) {
                let mut run = run.clone();
                if !self.tests.is_empty() {
                    run.filters.retain(|filter| filter.starts_with('-'));
                    run.filters.extend(self.tests.iter().map(|&part| part.to_owned()));
                }
                let tests = suite.tests(&run)?;
                if !tests.is_empty() {
                    let name = format!("{} {}", run.place, suite.name);
                    let when = if suite.is_last() { "last" } else { "first" };
                    list.push_str(&format!("{when} {name} {}\n", run.filters.join(" ")));
                    expected.insert(name, tests);
                }
            }
        }
        match expected.is_empty() {
            true => Err("no test in the machines is what was asked for".to_owned()),
            false => Ok((list, expected)),
        }
    }

    fn has_suite(&self, name: &str) -> bool {
        let is_of = |word: &&str| name == *word || name.rsplit('/').next() == Some(word);
        self.suites.is_empty() || self.suites.iter().any(is_of)
    }

    fn has_place(&self, run: &Run) -> bool {
        self.places.iter().all(|word| run.place.split(' ').any(|of_run| of_run == *word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_say_what_runs() {
        let run = |place| Run { place, filters: Vec::new() };
        let all = Selection::of(&[]);
        assert!(all.is_whole() && all.of_cargo().is_empty());
        assert!(all.has_suite("spawn/wait") && all.has_place(&run("v1 root")));

        let one = Selection::of(&["v2", "user", "spawn/view", "--package", "a", "--", "b", "--"]);
        assert!(!one.is_whole());
        assert_eq!(one.tests, ["b", "--"]);
        assert_eq!(one.of_cargo(), ["--package", "a", "--test", "view"]);
        assert!(one.has_suite("spawn/view") && !one.has_suite("spawn/view_made"));
        assert!(!one.has_suite("cli/view"));
        assert!(one.has_place(&run("v2 user")) && !one.has_place(&run("v2 root")));

        let two = Selection::of(&["offspring", "fork"]);
        assert_eq!(two.of_cargo(), ["--lib", "--test", "fork", "--workspace"]);
        assert!(two.has_suite("host/offspring") && two.has_suite("cli/fork"));
    }
}
