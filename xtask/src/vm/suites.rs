//! The tests that run in the machines.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::packages::run as output;
use xtask::{TARGET, workspace};

/// A test program, and where it runs.
#[derive(Debug, PartialEq, Eq)]
pub struct Suite {
    /// Its name in the report: `package/target`.
    pub name: String,
    /// The program.
    pub executable: PathBuf,
    pub runs: Vec<Run>,
}

/// A part of a suite in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Where, and as whom: `v2 root`.
    pub place: &'static str,
    /// Parts of the names of the tests to run, all where there are none, and
    /// options of the test harness.
    pub filters: Vec<String>,
}

impl Suite {
    /// Whether it runs only as long as there is time.
    pub fn is_last(&self) -> bool {
        let of_engine = self.name.strip_prefix("spawn/");
        of_engine.is_some_and(|name| !FIRST.contains(&name) && !ALSO_AS_USER.contains(&name))
    }
}

/// What was built for the machines.
#[derive(Debug)]
pub struct Built {
    pub suites: Vec<Suite>,
    /// Where the components are that the tests run.
    pub guests: Option<PathBuf>,
    /// The command line tool.
    pub tool: Option<PathBuf>,
}

/// Those of the engine that look at sources, which are not there, or at
/// themselves.
const NOT_THERE: &[&str] = &["examples", "matrix"];

/// Those of the engine in which it makes a difference who does it.
const ALSO_AS_USER: &[&str] = &[
    "cgroup",
    "cgroup_tree",
    "groups",
    "lifetime",
    "namespaces",
    "pidfd",
    "sandbox_files",
    "sandbox_privileges",
    "view",
    "view_made",
    "view_places",
    "view_sandbox",
];

/// Those of the engine that this kernel is for, besides. The others run behind them
/// as long as there is time, which on a busy machine there may not be.
const FIRST: &[&str] = &[
    "cost",
    "ending",
    "fork",
    "kernel",
    "sandbox_calls",
    "sandbox_older",
    "scripts",
    "signals",
    "status",
];

/// The option by which tests do not run at once.
const ONE_BY_ONE: &str = "--test-threads=1";

/// Where a suite runs, and what of it; nowhere for those that the machines add
/// nothing to.
///
/// `v1`, `hybrid` and `v2` are the cgroups that a machine has; `systemd` is one
/// that systemd has started.
fn runs_of(package: &str, kind: &str, name: &str) -> Vec<Run> {
    const ALL: &[&str] = &[];
    let runs: &[(&str, &[&str])] = match (package, kind, name) {
        ("spawn", "test", name) if NOT_THERE.contains(&name) => &[],
        ("spawn", "test", name) if ALSO_AS_USER.contains(&name) => {
            &[("v2 root", ALL), ("v2 user", ALL)]
        }
        // Storms of signals take a minute; those of the other way to make a process
        // are the same here and there.
        ("spawn", "test", "signals") => &[("v2 root", &["--skip=without_clone3"])],
        // Instructions are counted one by one, and each is slow there.
        ("spawn", "test", "cost") => &[("v2 root", &["the_system_calls"])],
        ("spawn", "test", _) => &[("v2 root", ALL)],
        ("host", "lib", _) => &[("v2 root", &["cgroup::"]), ("v2 user", &["cgroup::"])],
        // Those for which the kernel or its cgroups make a difference.
        ("tests", "test", "all") => &[
            ("hybrid root", &["cgroup_without", "cgroup_outside_threaded"]),
            (
                "v2 root",
                &[
                    "apart::apart_",
                    "apart::what_",
                    "cgroup::",
                    "fork_pids",
                    "pidfd::pidfd_wait",
                    "sandbox::a",
                    "spawn::spawn_output",
                ],
            ),
            // One by one: a process that a test starts for itself has to be alone in
            // the user's cgroup, or it can have no controllers.
            ("v2 user", &["cgroup_cpu", "cgroup_memory", "cgroup_pids", "fork_pids", ONE_BY_ONE]),
        ],
        ("cli", "test", "places") => &[("v1 root", ALL), ("hybrid root", ALL), ("v2 root", ALL)],
        ("cli", "test", "groups") => &[("v2 root", ALL), ("v2 user", ALL)],
        ("cli", "test", "apart" | "doctor") => &[("v2 root", ALL)],
        ("cli", "test", "systemd") => &[("systemd root", ALL)],
        _ => &[],
    };
    let run = |(place, filters): &(&'static str, &[&str])| Run {
        place,
        filters: filters.iter().map(|&filter| filter.to_owned()).collect(),
    };
    runs.iter().map(run).collect()
}

/// Whether a test that nowhere finds what it needs is an error: the machines are
/// made to have it.
pub fn must_run(test: &str) -> bool {
    let suite = test.split(' ').next().unwrap_or_default();
    let suites = ["cli/", "spawn/sandbox_"];
    let tests =
        ["tests/all cgroup::", "tests/all fork::fork_pids", "tests/all sandbox::an_older_kernel"];
    suites.iter().any(|start| suite.starts_with(start))
        || tests.iter().any(|start| test.starts_with(start))
}

impl Suite {
    /// The names of the tests of a run.
    pub fn tests(&self, run: &Run) -> Result<Vec<String>, String> {
        let mut list = Command::new(&self.executable);
        let list = output(list.args(["--list", "--format", "terse"]).args(&run.filters))?;
        Ok(list.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
    }
}

/// Builds all tests, as `cargo test` does, and picks those for the machines.
pub fn build(of_test: &[&str]) -> Result<Built, String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .current_dir(workspace())
        .args(["test", "--no-run", "--message-format=json"])
        .args(of_test)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !built.status.success() {
        return Err("the tests cannot be built".to_owned());
    }
    let text = String::from_utf8_lossy(&built.stdout);
    let mut suites: Vec<Suite> = text.lines().filter_map(suite_of).collect();
    suites.sort_by(|a, b| (a.is_last(), &a.name).cmp(&(b.is_last(), &b.name)));
    let guests = text.lines().find_map(guests_of);
    Ok(Built { suites, guests, tool: text.lines().find_map(tool_of) })
}

/// From a message of cargo about what it has built.
fn suite_of(message: &str) -> Option<Suite> {
    let (package, kind, name, executable) = target_of(message)?;
    // Programs that are run, not tests of them.
    let runs = runs_of(package, kind, name);
    let name = format!("{package}/{name}");
    let is_one = is_test(message) && !runs.is_empty();
    is_one.then(|| Suite { name, executable: executable.into(), runs })
}

/// The same of the tool.
fn tool_of(message: &str) -> Option<PathBuf> {
    let (package, kind, name, executable) = target_of(message)?;
    let is_tool = (package, kind, name) == ("cli", "bin", "offspring");
    (is_tool && !is_test(message)).then(|| executable.into())
}

/// Whether a target was built as a test, which its profile says; that it could be,
/// it says itself.
fn is_test(message: &str) -> bool {
    let profile = message.split_once("\"profile\":{").map(|(_, rest)| rest);
    profile.and_then(|rest| rest.split('}').next()).is_some_and(|it| it.contains("\"test\":true"))
}

/// The package's directory, the kind and the name of a target, and its program.
fn target_of(message: &str) -> Option<(&str, &str, &str, &str)> {
    let executable = value_of(message, "executable")?;
    let target = message.split_once("\"target\":{")?.1;
    let (name, kind) = (value_of(target, "name")?, target.split_once("\"kind\":[\"")?.1);
    let kind = kind.split('"').next()?;
    let manifest = value_of(message, "manifest_path")?;
    let package = manifest.strip_suffix("/Cargo.toml")?.rsplit('/').next()?;
    Some((package, kind, name, executable))
}

/// From a message of cargo about a build script that it has run.
fn guests_of(message: &str) -> Option<PathBuf> {
    let is_ours = value_of(message, "package_id")?.contains("#offspring-tests@");
    let out = value_of(message, "out_dir").filter(|_| is_ours)?;
    Some(Path::new(out).join("guests").join(TARGET))
}

/// The string that stands behind a key, the first one.
fn value_of<'t>(json: &'t str, key: &str) -> Option<&'t str> {
    json.split_once(&format!("\"{key}\":\""))?.1.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(package: &str, kind: &str, name: &str, executable: &str, test: bool) -> String {
        format!(
            "{{\"reason\":\"compiler-artifact\",\"manifest_path\":\"/x/{package}/Cargo.toml\",\
             \"target\":{{\"kind\":[\"{kind}\"],\"name\":\"{name}\",\"test\":true}},\
             \"profile\":{{\"test\":{test}}},\"executable\":{executable}}}"
        )
    }

    #[test]
    fn picks_tests_of_the_engine_and_those_of_cgroups() {
        let of = |package, kind, name| suite_of(&message(package, kind, name, "\"/t/a-1\"", true));
        let engine = of("spawn", "test", "wait").unwrap();
        assert_eq!(engine.name, "spawn/wait");
        assert_eq!(engine.runs, [Run { place: "v2 root", filters: Vec::new() }]);
        assert_eq!(of("host", "lib", "offspring").unwrap().runs[0].filters, ["cgroup::"]);
        assert_eq!(of("spawn", "test", "matrix"), None);
        assert_eq!(of("cli", "test", "run"), None);
        assert_eq!(suite_of(&message("spawn", "test", "wait", "null", true)), None);
        assert_eq!(suite_of(&message("spawn", "test", "wait", "\"/t/a\"", false)), None);
        assert_eq!(suite_of("{\"reason\":\"build-finished\"}"), None);
        let tool = |test| tool_of(&message("cli", "bin", "offspring", "\"/t/offspring\"", test));
        assert_eq!((tool(false), tool(true)), (Some("/t/offspring".into()), None));
    }

    #[test]
    fn what_the_machines_are_made_for_must_run() {
        assert!(must_run("cli/places hybrid") && must_run("tests/all cgroup::cgroup_io"));
        assert!(!must_run("spawn/kernel no_proc") && !must_run("tests/all pidfd::pidfd_wait"));
    }
}
