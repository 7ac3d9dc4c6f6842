//! Tests in namespaces of their own.

use std::process::{Command, Stdio};

use rustix::process::getuid;

use crate::isolation::{helper, is_helper, skip};

/// Runs the body of a test in a process of its own that has new namespaces of
/// these kinds, as `unshare` calls them, in which it has the rights of root. What
/// it prints is returned, where it could be run: else it is skipped by this name.
pub fn in_namespaces<F: FnOnce()>(name: &str, kinds: &[&str], body: F) -> Option<String> {
    if is_helper(&body) {
        body();
        return None;
    }
    let unshare = || {
        let mut command = Command::new("unshare");
        if !getuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(kinds).stdin(Stdio::null());
        command
    };
    let can = unshare().arg("true").output();
    if !can.as_ref().is_ok_and(|output| output.status.success()) {
        skip(name, format_args!("no namespace can be had: {can:?}"));
        return None;
    }
    let inner = helper(&body);
    let mut outer = unshare();
    outer.arg(inner.get_program()).args(inner.get_args());
    outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = outer.output().unwrap();
    let [stdout, stderr] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    for line in stderr.lines().filter_map(|line| line.strip_prefix(&format!("SKIPPED {name}: "))) {
        skip(name, line);
    }
    let passed = output.status.success() && stdout.contains("test result: ok. 1 passed");
    assert!(passed, "{name} failed in its own namespaces: {stdout}\n{stderr}");
    Some(stdout)
}
