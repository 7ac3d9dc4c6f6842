//! What the tests of the command line share.

#![allow(dead_code, reason = "every test file uses a part of it")]

pub mod group;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The tool.
pub fn offspring() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_offspring"));
    command.stdin(Stdio::null()).env_remove("NO_COLOR");
    command
}

/// Runs the tool with these arguments.
pub fn run(args: &[&str]) -> Ended {
    Ended::of(&offspring().args(args).output().unwrap())
}

/// The CI runner, compiled ahead of time so that each test starts at once.
pub fn ci() -> &'static str {
    static COMPILED: LazyLock<(Folder, String)> = LazyLock::new(|| {
        let folder = Folder::new();
        let path = folder.path("ci.cwasm");
        let ended = run(&["compile", offspring_tests::CI, "-o", &path]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        (folder, path)
    });
    match compiled_before(offspring_tests::CI) {
        Some(path) => path.leak(),
        None => &COMPILED.1,
    }
}

/// What `cargo vm` puts beside a component, because compiling takes long in its
/// machine; elsewhere there is nothing.
pub fn compiled_before(component: &str) -> Option<String> {
    let path = Path::new(component).with_extension("cwasm");
    path.exists().then(|| path.display().to_string())
}

/// A component of the tests, in the fastest form that there is of it.
pub fn component(path: &'static str) -> String {
    compiled_before(path).unwrap_or_else(|| path.to_owned())
}

/// Says that a test cannot run here. Not with `eprintln`, whose text the test harness
/// hides as long as all is well.
pub fn skip(name: &str, reason: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED {name}: {reason}");
}

/// The tool where it can make no cgroups: in a mount namespace in which there are
/// none. An error is why there is no such namespace.
pub fn without_cgroups() -> Result<Command, String> {
    let unshare = || {
        let mut command = Command::new("unshare");
        if !rustix::process::getuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        let hide = "mount -t tmpfs none /sys/fs/cgroup && exec \"$@\"";
        command.args(["--mount", "sh", "-c", hide, "sh"]).stdin(Stdio::null());
        command
    };
    let can = unshare().arg("true").output();
    match can.as_ref().is_ok_and(|output| output.status.success()) {
        true => {
            let mut command = unshare();
            command.arg(env!("CARGO_BIN_EXE_offspring")).env_remove("NO_COLOR");
            Ok(command)
        }
        false => Err(format!("no namespace can be had: {can:?}")),
    }
}

/// How the tool ended and what it said.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn of(output: &Output) -> Ended {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ended {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// Fails unless the tool failed by itself, with this one line.
    #[track_caller]
    pub fn fails_with(&self, line: &str) {
        assert_eq!((self.code, &*self.stdout), (Some(125), ""), "{self:?}");
        assert_eq!(self.stderr, format!("offspring: {line}\n"));
    }
}

/// A directory of a test's own, removed at its end.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("offspring-cli-{}-{count}", process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    pub fn as_path(&self) -> &Path {
        &self.0
    }

    /// The path of a file in it.
    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file in it and returns its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
