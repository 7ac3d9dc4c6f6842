//! What children of a grant can reach.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use offspring_spawn::{Access, CallGroup, Network, Part};

use super::error::Location;
use super::text::{listed, near_miss, quoted};
use super::words::meaning;

/// What the children of a grant can reach besides what they are given.
///
/// A new one is the sandbox of a grant that says nothing of it: the guest's
/// directories in the mode that the guest may use them, what a program needs of
/// the system to run, to read, and nothing else; no other program may be
/// executed. The methods that change it have the names of a policy file's keys.
///
/// `docs/sandbox.md` says what each word means, and what no sandbox stops.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sandbox {
    none: bool,
    files: SandboxFiles,
    no_run_time: bool,
    paths: Vec<SandboxPath>,
    network: Network,
    metadata: Option<bool>,
    execute_written: bool,
    system_calls: BTreeSet<CallGroup>,
    without: BTreeSet<Part>,
    best_effort: BTreeSet<Part>,
}

/// Which files of the host a sandbox has, besides those that are named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum SandboxFiles {
    /// None.
    None,
    /// The directories that the guest holds, as the guest may use them.
    #[default]
    Preopens,
    /// All that the host's user has.
    Host,
}

/// A path of the host's that a sandbox allows something for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxPath {
    /// The path, which is absolute.
    pub path: PathBuf,
    /// What is allowed, for a directory also for all beneath it.
    pub access: Access,
    /// Where it stands, if in a file.
    pub location: Option<Location>,
}

/// The keys, for errors.
pub(super) const SANDBOX: &[&str] = &[
    "files",
    "run-time",
    "read",
    "write",
    "execute",
    "execute-written",
    "network",
    "metadata",
    "system-calls",
    "without",
    "best-effort",
];

impl SandboxFiles {
    const ALL: &[SandboxFiles] = &[SandboxFiles::Preopens, SandboxFiles::None, SandboxFiles::Host];

    /// The word in a policy file.
    pub const fn as_str(self) -> &'static str {
        match self {
            SandboxFiles::None => "none",
            SandboxFiles::Preopens => "preopens",
            SandboxFiles::Host => "host",
        }
    }
}

impl Sandbox {
    /// The sandbox of a grant that says nothing of it.
    pub fn new() -> Sandbox {
        Sandbox::default()
    }

    /// No sandbox at all: children have the rights of the host's user, but for
    /// `no_new_privs`.
    pub fn none() -> Sandbox {
        Sandbox { none: true, ..Sandbox::default() }
    }

    /// Sets which files there are besides those that are named. Default:
    /// [`SandboxFiles::Preopens`].
    pub fn files(mut self, files: SandboxFiles) -> Sandbox {
        self.files = files;
        self
    }

    /// Sets whether there is what a program needs of the system to run:
    /// [`offspring_spawn::Sandbox::run_time_files`]. Default: yes.
    pub fn run_time(mut self, yes: bool) -> Sandbox {
        self.no_run_time = !yes;
        self
    }

    /// Lets this, and all beneath it, be read. Default: nothing.
    pub fn read(self, path: impl Into<PathBuf>) -> Sandbox {
        self.path(path.into(), Access::Read, None)
    }

    /// Lets this, and all beneath it, be read and written. Default: nothing.
    pub fn write(self, path: impl Into<PathBuf>) -> Sandbox {
        self.path(path.into(), Access::Write, None)
    }

    /// Lets this, and all beneath it, be read and executed. Default: the
    /// program itself, and what the kernel executes with it.
    pub fn execute(self, path: impl Into<PathBuf>) -> Sandbox {
        self.path(path.into(), Access::Execute, None)
    }

    /// Sets whether children may execute, and load libraries from, what the guest
    /// or they themselves may write. Default: no, and where both would be allowed
    /// for the same files it is an error when the context is built.
    pub fn execute_written(mut self, yes: bool) -> Sandbox {
        self.execute_written = yes;
        self
    }

    /// Sets which sockets there may be. Default: [`Network::Deny`].
    pub fn network(mut self, network: Network) -> Sandbox {
        self.network = network;
        self
    }

    /// Sets whether owners, permissions, times and attributes of files may be
    /// changed: of all that belong to the host's user. Default: where anything
    /// may be written.
    pub fn metadata(mut self, yes: bool) -> Sandbox {
        self.metadata = Some(yes);
        self
    }

    /// Lets a group of system calls through. Default: none.
    pub fn system_calls(mut self, group: CallGroup) -> Sandbox {
        match group {
            CallGroup::Metadata => self.metadata = Some(true),
            group => drop(self.system_calls.insert(group)),
        }
        self
    }

    /// Leaves a part out. Default: none.
    pub fn without(mut self, part: Part) -> Sandbox {
        match part {
            Part::Files => self.files = SandboxFiles::Host,
            Part::Network => self.network = Network::Allow,
            part => drop(self.without.insert(part)),
        }
        self
    }

    /// Does without a part where the host's kernel lacks it, which otherwise is
    /// an error when the context is built. Default: none.
    pub fn best_effort(mut self, part: Part) -> Sandbox {
        self.best_effort.insert(part);
        self
    }

    /// Whether there is no sandbox at all.
    pub fn is_none(&self) -> bool {
        self.none
    }

    /// Which files there are besides those that are named.
    pub fn get_files(&self) -> SandboxFiles {
        self.files
    }

    /// Whether there is what a program needs of the system.
    pub fn get_run_time(&self) -> bool {
        !self.no_run_time
    }

    /// The paths that are named.
    pub fn get_paths(&self) -> &[SandboxPath] {
        &self.paths
    }

    /// Whether children may execute what the guest or they themselves may write.
    pub fn get_execute_written(&self) -> bool {
        self.execute_written
    }

    /// Which sockets there may be.
    pub fn get_network(&self) -> Network {
        self.network
    }

    /// Whether owners, permissions, times and attributes may be changed, if
    /// that was said.
    pub fn get_metadata(&self) -> Option<bool> {
        self.metadata
    }

    /// The groups of system calls that are let through.
    pub fn get_system_calls(&self) -> impl Iterator<Item = CallGroup> {
        self.system_calls.iter().copied()
    }

    /// The parts that are left out.
    pub fn get_without(&self) -> impl Iterator<Item = Part> {
        self.without.iter().copied()
    }

    /// The parts that may be missing.
    pub fn get_best_effort(&self) -> impl Iterator<Item = Part> {
        self.best_effort.iter().copied()
    }

    /// Changes it by a key of a policy file and one value of it, as on a command
    /// line: `network` and `allow`. `none` without a value is no sandbox.
    ///
    /// # Errors
    /// What is wrong with it, and what it may be.
    pub fn set(self, key: &str, value: &str) -> Result<Sandbox, String> {
        self.set_at(key, value, None)
    }

    pub(super) fn set_at(
        self,
        key: &str,
        value: &str,
        location: Option<Location>,
    ) -> Result<Sandbox, String> {
        Ok(match key {
            "files" => self.files(one_of(key, value, SandboxFiles::ALL, SandboxFiles::as_str)?),
            "run-time" => self.run_time(one_of(key, value, &[true, false], yes_or_no)?),
            "network" => self.network(one_of(key, value, Network::ALL, Network::name)?),
            "metadata" => self.metadata(one_of(key, value, &[true, false], allow_or_deny)?),
            "execute-written" => {
                self.execute_written(one_of(key, value, &[true, false], allow_or_deny)?)
            }
            "system-calls" => self.system_calls(one_of(key, value, GROUPS, CallGroup::name)?),
            "without" => self.without(one_of(key, value, PARTS, Part::name)?),
            "best-effort" => self.best_effort(one_of(key, value, Part::ALL, Part::name)?),
            "read" => self.path(absolute(key, value)?, Access::Read, location),
            "write" => self.path(absolute(key, value)?, Access::Write, location),
            "execute" => self.path(absolute(key, value)?, Access::Execute, location),
            _ => return Err(unknown(key)),
        })
    }

    fn path(mut self, path: PathBuf, access: Access, location: Option<Location>) -> Sandbox {
        self.paths.push(SandboxPath { path, access, location });
        self
    }
}

/// The parts that have no key of their own.
const PARTS: &[Part] = &[
    Part::Truncate,
    Part::DeviceIoctl,
    Part::Signals,
    Part::AbstractSockets,
    Part::SystemCalls,
    Part::Capabilities,
    Part::Keyring,
    Part::CoreDumps,
];

/// The groups that have no key of their own.
const GROUPS: &[CallGroup] = &[
    CallGroup::IoUring,
    CallGroup::Keys,
    CallGroup::Ptrace,
    CallGroup::Namespaces,
    CallGroup::Mounts,
    CallGroup::Bpf,
    CallGroup::Userfaultfd,
    CallGroup::Ipc,
    CallGroup::Terminals,
    CallGroup::Limits,
    CallGroup::Administration,
];

const fn yes_or_no(yes: bool) -> &'static str {
    if yes { "true" } else { "false" }
}

const fn allow_or_deny(yes: bool) -> &'static str {
    if yes { "allow" } else { "deny" }
}

fn one_of<T: Copy>(
    key: &str,
    word: &str,
    all: &[T],
    name: fn(T) -> &'static str,
) -> Result<T, String> {
    meaning(all, name, word).ok_or_else(|| {
        let known = || all.iter().map(|value| name(*value));
        let rest = match near_miss(word, known()) {
            Some(near) => format!(", did you mean {}?", quoted(near)),
            None => format!("; known here: {}", listed(known())),
        };
        format!("{} is no value of {}{rest}", quoted(word), quoted(key))
    })
}

fn absolute(key: &str, path: &str) -> Result<PathBuf, String> {
    match Path::new(path).is_absolute() && !path.contains('\0') {
        true => Ok(PathBuf::from(path)),
        false => Err(format!("{} must be an absolute path, not {}", quoted(key), quoted(path))),
    }
}

fn unknown(key: &str) -> String {
    match near_miss(key, SANDBOX.iter().copied()) {
        Some(near) => format!("unknown key {}, did you mean {}?", quoted(key), quoted(near)),
        None => {
            format!("unknown key {}; known here: {}", quoted(key), listed(SANDBOX.iter().copied()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_and_group_has_a_key() {
        for part in Part::ALL {
            let own = matches!(part, Part::Files | Part::Network);
            assert_eq!(PARTS.contains(part), !own, "{part}");
        }
        for group in CallGroup::ALL {
            assert_eq!(GROUPS.contains(group), *group != CallGroup::Metadata, "{}", group.name());
        }
    }

    #[test]
    fn words_are_the_methods() {
        let set = |words: &[(&str, &str)]| {
            words.iter().try_fold(Sandbox::new(), |sandbox, (key, value)| sandbox.set(key, value))
        };
        assert_eq!(set(&[("files", "none")]), Ok(Sandbox::new().files(SandboxFiles::None)));
        assert_eq!(set(&[("run-time", "false")]), Ok(Sandbox::new().run_time(false)));
        assert_eq!(set(&[("network", "unix")]), Ok(Sandbox::new().network(Network::Unix)));
        assert_eq!(set(&[("metadata", "deny")]), Ok(Sandbox::new().metadata(false)));
        let written = Sandbox::new().execute_written(true);
        assert_eq!(set(&[("execute-written", "allow")]), Ok(written));
        assert_eq!(set(&[("execute-written", "deny")]), Ok(Sandbox::new()));
        assert_eq!(
            set(&[("read", "/a"), ("write", "/b"), ("execute", "/c")]),
            Ok(Sandbox::new().read("/a").write("/b").execute("/c"))
        );
        for part in PARTS {
            assert_eq!(set(&[("without", part.name())]), Ok(Sandbox::new().without(*part)));
        }
        for part in Part::ALL {
            let expected = Sandbox::new().best_effort(*part);
            assert_eq!(set(&[("best-effort", part.name())]), Ok(expected));
        }
        for group in GROUPS {
            let expected = Sandbox::new().system_calls(*group);
            assert_eq!(set(&[("system-calls", group.name())]), Ok(expected));
        }
        assert_eq!(Sandbox::new().without(Part::Files).get_files(), SandboxFiles::Host);
        assert_eq!(Sandbox::new().without(Part::Network).get_network(), Network::Allow);
    }

    #[test]
    fn mistakes_say_what_is_allowed() {
        let error = |key, value| Sandbox::new().set(key, value).unwrap_err();
        assert_eq!(error("netwrk", "deny"), "unknown key `netwrk`, did you mean `network`?");
        assert_eq!(
            error("network", "dney"),
            "`dney` is no value of `network`, did you mean `deny`?"
        );
        assert_eq!(
            error("files", "all"),
            "`all` is no value of `files`; known here: `preopens`, `none`, `host`"
        );
        assert_eq!(error("read", "etc"), "`read` must be an absolute path, not `etc`");
        assert!(error("without", "files").starts_with("`files` is no value of `without`"));
    }
}
