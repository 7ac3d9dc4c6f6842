//! What a grant amounts to, in words.

use super::args::Arguments;
use super::grant::{Cwd, Grant};
use super::group::GrantGroup;
use super::sandbox::{Sandbox, SandboxFiles};
use super::text::printable;
use super::words::{Attribute, FileAction, resource_word};
use super::{Network, SandboxAccess};

/// One line of what a grant amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is about: a key of a policy file, or a word that several share.
    pub about: &'static str,
    /// What is allowed. Text of the policy's own is in it, made printable.
    pub allowed: String,
}

impl Grant {
    /// What this grant amounts to, one line for each thing that a guest can ask
    /// for, also where the answer is no.
    pub fn summary(&self) -> Vec<Fact> {
        let facts = [
            ("path", self.path_summary()),
            ("args", self.arguments_summary()),
            ("env", self.env_summary()),
            ("cwd", self.cwd_summary()),
            ("stdio", self.get_stdio().words().collect::<Vec<_>>().join(", ")),
            ("signals", self.signals_summary()),
            ("attributes", words(self.get_attributes().map(Attribute::as_str))),
            ("file-actions", words(self.get_file_actions().map(FileAction::as_str))),
            ("rlimits", self.rlimits_summary()),
            ("children", self.children_summary()),
            ("group", self.group_summary()),
            ("files", files(self.get_sandbox())),
            ("network", network(self.get_sandbox())),
            ("sandbox", rest(self.get_sandbox())),
        ];
        facts
            .into_iter()
            .chain(self.get_apart().summary())
            .map(|(about, allowed)| Fact { about, allowed })
            .collect()
    }

    fn path_summary(&self) -> String {
        let path = printable(&self.path().to_string_lossy());
        let arg0 = self.get_arg0();
        let named = match arg0 == self.path().to_string_lossy() {
            true => String::new(),
            false => format!(", called {}", printable(&arg0)),
        };
        let pinned = match self.get_sha256() {
            Some(_) => "; its content is pinned",
            None => "",
        };
        format!("{path}{named}{pinned}")
    }

    fn arguments_summary(&self) -> String {
        match self.get_arguments() {
            Arguments::None => "none".to_owned(),
            Arguments::Any => "any".to_owned(),
            Arguments::Slots(slots) => slots.to_string(),
        }
    }

    fn env_summary(&self) -> String {
        let own =
            self.get_env().map(|(name, value)| format!("{}={}", printable(name), printable(value)));
        let inherited = self
            .get_env_inherit()
            .map(|(name, _)| format!("{} as the host has it", printable(name)));
        let chosen = self
            .get_env_allow()
            .iter()
            .map(|pattern| format!("{} as the guest says", printable(pattern.as_str())));
        words(own.chain(inherited).chain(chosen))
    }

    fn cwd_summary(&self) -> String {
        match self.get_cwd() {
            Cwd::Unset => "where the host lets children run".to_owned(),
            Cwd::Preopens => "any directory of the guest's".to_owned(),
            Cwd::Fixed(path) => printable(&path.to_string_lossy()),
        }
    }

    fn signals_summary(&self) -> String {
        let others = self.get_signals().map(|signal| signal.to_string());
        words(["SIGKILL".to_owned()].into_iter().chain(others))
    }

    fn rlimits_summary(&self) -> String {
        words(
            self.get_rlimits()
                .iter()
                .map(|(resource, most)| format!("{} {most}", resource_word(*resource))),
        )
    }

    fn children_summary(&self) -> String {
        let mut facts = Vec::new();
        if let Some(max) = self.get_max_children() {
            facts.push(format!("{max} at once"));
        }
        if let Some(count) = self.get_spawns_per_second() {
            facts.push(format!("{count} a second"));
        }
        facts.push(match self.get_deadline() {
            Some(deadline) => format!("for {deadline:?} each"),
            None => "without a deadline".to_owned(),
        });
        if let Some(grace) = self.get_grace() {
            facts.push(format!("{grace:?} to end when asked"));
        }
        if self.get_detach() {
            facts.push("may live on without their handles".to_owned());
        }
        facts.join(", ")
    }

    fn group_summary(&self) -> String {
        match self.get_group() {
            GrantGroup::Unset => "none".to_owned(),
            GrantGroup::Required => "each its own".to_owned(),
            GrantGroup::Preferred => "each its own, where the host can".to_owned(),
            GrantGroup::Named(name) => format!("{} or beneath", printable(name)),
        }
    }
}

/// What children can reach of the host's files.
fn files(sandbox: &Sandbox) -> String {
    let own = match sandbox.get_files() {
        _ if sandbox.is_none() => return "all that the host's user has".to_owned(),
        SandboxFiles::Host => return "all that the host's user has".to_owned(),
        SandboxFiles::Preopens => Some("the guest's directories".to_owned()),
        SandboxFiles::None => None,
    };
    let system = sandbox.get_run_time().then(|| "the system's to read".to_owned());
    let named = sandbox.get_paths().iter().map(|named| {
        let what = match named.access {
            SandboxAccess::Read => "read",
            SandboxAccess::Write => "write",
            SandboxAccess::Execute => "execute",
            _ => "use",
        };
        format!("{} to {what}", printable(&named.path.to_string_lossy()))
    });
    words(own.into_iter().chain(system).chain(named))
}

fn network(sandbox: &Sandbox) -> String {
    match sandbox.get_network() {
        _ if sandbox.is_none() => "any".to_owned(),
        Network::Allow => "any".to_owned(),
        Network::Unix => "UNIX sockets".to_owned(),
        _ => "none".to_owned(),
    }
}

/// What else of a sandbox is not as it is where nothing is said of it.
fn rest(sandbox: &Sandbox) -> String {
    if sandbox.is_none() {
        return "none".to_owned();
    }
    let metadata = sandbox.get_metadata().map(|yes| match yes {
        true => "permissions may be changed".to_owned(),
        false => "no permissions may be changed".to_owned(),
    });
    let written = sandbox.get_execute_written();
    let written = written.then(|| "what the guest has written may be executed".to_owned());
    let calls = sandbox.get_system_calls().map(|group| format!("system calls of {}", group.name()));
    let without = sandbox.get_without().map(|part| format!("without {part}"));
    let perhaps = sandbox.get_best_effort().map(|part| format!("perhaps without {part}"));
    let changed = metadata.into_iter().chain(written).chain(calls).chain(without).chain(perhaps);
    let changed: Vec<_> = changed.collect();
    match changed.is_empty() {
        true => "whole".to_owned(),
        false => words(changed.into_iter()),
    }
}

/// The words with commas, or that there are none.
fn words(words: impl Iterator<Item = impl Into<String>>) -> String {
    let words: Vec<String> = words.map(Into::into).collect();
    match words.is_empty() {
        true => "none".to_owned(),
        false => words.join(", "),
    }
}
