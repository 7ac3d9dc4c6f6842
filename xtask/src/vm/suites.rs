//! The tests that run in the machine.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use xtask::{TARGET, workspace};

/// A test program, and which of its tests to run.
#[derive(Debug, PartialEq, Eq)]
pub struct Suite {
    /// Its name in the report: `package/target`.
    pub name: String,
    /// The program.
    pub executable: PathBuf,
    /// The beginnings of the names of the tests to run; all where there are
    /// none.
    pub filters: Vec<&'static str>,
}

/// Those of the engine that look at sources, which are not there, or at
/// themselves.
const NOT_THERE: &[&str] = &["examples", "matrix"];

/// What was built for the machine.
#[derive(Debug)]
pub struct Built {
    pub suites: Vec<Suite>,
    /// Where the components are that the tests run.
    pub guests: Option<PathBuf>,
}

/// Builds all tests, as `cargo test` does, and picks those for the machine.
pub fn build(of_test: &[&str]) -> Result<Built, String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(workspace())
        .args(["test", "--no-run", "--message-format=json"])
        .args(of_test)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err("the tests cannot be built".to_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut suites: Vec<Suite> = text.lines().filter_map(suite_of).collect();
    suites.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Built { suites, guests: text.lines().find_map(guests_of) })
}

/// From a message of cargo about what it has built.
fn suite_of(message: &str) -> Option<Suite> {
    let executable = value_of(message, "executable")?;
    let target = message.split_once("\"target\":{")?.1;
    let (name, kind) = (value_of(target, "name")?, target.split_once("\"kind\":[\"")?.1);
    let kind = kind.split('"').next()?;
    let manifest = value_of(message, "manifest_path")?;
    let package = manifest.strip_suffix("/Cargo.toml")?.rsplit('/').next()?;
    let filters = match (package, kind, name) {
        ("spawn", "test", name) if !NOT_THERE.contains(&name) => Vec::new(),
        ("host", "lib", _) => vec!["cgroup::"],
        ("tests", "test", "all") => vec!["cgroup::", "pidfd::pidfd_wait", "spawn::spawn_output"],
        _ => return None,
    };
    // Programs that are run, not tests of them.
    let is_test = message.contains("\"test\":true");
    let name = format!("{package}/{name}");
    is_test.then(|| Suite { name, executable: executable.into(), filters })
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

    fn message(package: &str, kind: &str, name: &str, executable: &str) -> String {
        format!(
            "{{\"reason\":\"compiler-artifact\",\"manifest_path\":\"/x/{package}/Cargo.toml\",\
             \"target\":{{\"kind\":[\"{kind}\"],\"name\":\"{name}\"}},\"profile\":{{\"test\":true}},\
             \"executable\":{executable}}}"
        )
    }

    #[test]
    fn picks_tests_of_the_engine_and_those_of_cgroups() {
        let of = |package, kind, name| suite_of(&message(package, kind, name, "\"/t/a-1\""));
        let engine = of("spawn", "test", "wait").unwrap();
        assert_eq!((&*engine.name, engine.filters.len()), ("spawn/wait", 0));
        assert_eq!(of("host", "lib", "offspring").unwrap().filters, ["cgroup::"]);
        assert_eq!(of("spawn", "test", "matrix"), None);
        assert_eq!(of("cli", "test", "run"), None);
        assert_eq!(suite_of(&message("spawn", "test", "wait", "null")), None);
        assert_eq!(suite_of("{\"reason\":\"build-finished\"}"), None);
    }
}
