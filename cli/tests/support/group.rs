//! Cgroups for tests of the tool, and running it in them.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::time::Duration;

use offspring_spawn::{Cgroup, CgroupMount};

/// A cgroup beneath our own, removed with all that is in it.
#[derive(Debug)]
pub struct Group {
    own: Cgroup,
    name: String,
    path: PathBuf,
}

/// Who tests run the tool as when it must not be root: a user who has nothing.
pub const USER: u32 = 54_321;

/// How long killed processes may take to be gone.
const PATIENCE: Duration = Duration::from_secs(60);

/// Says that a test cannot run here.
pub fn skip(name: &str, reason: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "SKIPPED {name}: {reason}");
}

/// Whether this is root; if not, the test is skipped.
pub fn is_root(test: &str) -> bool {
    let yes = rustix::process::geteuid().is_root();
    if !yes {
        skip(test, "only root can make this place");
    }
    yes
}

impl Group {
    /// Makes one; if that is not allowed, the test is skipped.
    pub fn new(test: &str) -> Option<Group> {
        let name = format!("offspring-cli-{test}-{}", process::id());
        let made = CgroupMount::own().and_then(|mount| {
            let own = Cgroup::open(mount.path())?;
            own.create(&name)?;
            Ok(Group { own, path: mount.path().join(&name), name })
        });
        made.inspect_err(|error| skip(test, error)).ok()
    }

    /// The same where it has these controllers.
    pub fn with(test: &str, controllers: &[&str]) -> Option<Group> {
        let group = Group::new(test)?;
        let has = fs::read_to_string(group.path.join("cgroup.controllers")).unwrap();
        let has: Vec<&str> = has.split_whitespace().collect();
        match controllers.iter().find(|wanted| !has.contains(wanted)) {
            None => Some(group),
            Some(missing) => {
                skip(test, format_args!("there is no controller {missing}"));
                None
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it has a controller.
    pub fn has(&self, controller: &str) -> bool {
        let has = fs::read_to_string(self.path.join("cgroup.controllers")).unwrap();
        has.split_whitespace().any(|name| name == controller)
    }

    /// Gives it to a user as a system manager does: everything but its limits.
    pub fn delegate_to(&self, user: u32) {
        for file in ["", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"] {
            chown(self.path.join(file), Some(user), Some(user)).unwrap();
        }
    }

    /// A script of the shell that is in it from its first command on. `$1` is
    /// the tool, `$2` this cgroup; more can be added.
    pub fn sh(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("echo 0 > \"$2/cgroup.procs\"\n{script}"), "sh"]);
        command.arg(env!("CARGO_BIN_EXE_offspring")).arg(&self.path);
        command.stdin(process::Stdio::null()).env_remove("NO_COLOR");
        command
    }

    /// The cgroups in it that a host has made.
    pub fn places(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.path).unwrap().map(|entry| entry.unwrap().path());
        let is_place = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("offspring."))
        };
        entries.filter(is_place).collect()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Err(error) = self.own.remove_tree(&self.name, PATIENCE) {
            let _ = writeln!(io::stderr(), "left {}: {error}", self.path.display());
        }
    }
}
