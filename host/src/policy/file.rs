//! Reads a policy from TOML.

use std::path::Path;

use offspring_spawn::{Resource, Signal};
use toml::de::DeTable;

use super::apart_file::{APART, Keys};
use super::args::file::arguments;
use super::env::EnvPattern;
use super::error::PolicyError;
use super::grant::{Cwd, Grant};
use super::invalid::Invalid;
use super::limits::Limits;
use super::narrow::Narrowing;
use super::table::{Entry, Source, Value, entries};
use super::text::quoted;
use super::words::{Attribute, FileAction, RESOURCES};
use super::{Policy, group_file, sandbox_file, stdio};

// The keys of each table, for the error that an unknown one is. A test keeps
// them in step with the matches below.
pub(super) const FILE: &[&str] = &["program", "group", "fork", "limits"];
pub(super) const PROGRAM: &[&str] = &[
    "path",
    "sha256",
    "arg0",
    "args",
    "env",
    "env-inherit",
    "env-allow",
    "cwd",
    "stdio",
    "attributes",
    "file-actions",
    "rlimits",
    "signals",
    "max-children",
    "spawns-per-second",
    "deadline",
    "grace",
    "detach",
    "group",
    "user",
    "user-group",
    "user-groups",
    "namespaces",
    "view",
    "sandbox",
];
pub(super) const LIMITS: &[&str] = &[
    "max-children",
    "max-pipes",
    "max-handles",
    "max-buffered-bytes",
    "max-argument-bytes",
    "max-groups",
    "spawns-per-second",
    "spawn-burst",
];
pub(super) const FORK: &[&str] = &["max"];

pub(super) fn read(name: &str, text: &str) -> Result<Policy, PolicyError> {
    let source = Source { name, text };
    let root = DeTable::parse(text).map_err(|error| source.syntax_error(&error))?;
    let mut policy = Policy::new();
    for entry in entries(source, root.get_ref()) {
        match entry.key() {
            "program" => {
                for program in entry.value.table()? {
                    policy = policy.grant(grant(&program)?)?;
                }
            }
            "fork" => policy = policy.forks(max_forks(&entry)?),
            "group" => {
                for group in entry.value.table()? {
                    policy = policy.group(group_file::group(&group)?)?;
                }
            }
            "limits" => policy = policy.limits(limits(&entry.value)?),
            _ => return Err(entry.unknown(FILE)),
        }
    }
    policy.check_groups()?;
    Ok(policy)
}

fn grant(program: &Entry<'_>) -> Result<Grant, PolicyError> {
    let entries = program.value.table()?;
    let mut grant = Grant::new(program.key(), "");
    let mut apart = Keys::default();
    for entry in &entries {
        let value = &entry.value;
        grant = match entry.key() {
            "path" => grant.found(value.string()?, value.location()),
            "sha256" => {
                let sum = value.word("64 hexadecimal digits", |text| text.parse().ok())?;
                grant.sha256_found(sum, value.location())
            }
            "arg0" => grant.arg0(value.string()?),
            "args" => grant.arguments(arguments(value)?),
            "env" => env(grant, value)?,
            "env-inherit" => env_inherit(grant, value)?,
            "env-allow" => env_allow(grant, value)?,
            "cwd" => {
                let cwd = value.word("\"preopens\" or an absolute path", cwd)?;
                grant.cwd_found(cwd, value.location())
            }
            "stdio" => grant.stdio(words(value, STDIO, stdio::kind)?),
            "attributes" => grant.attributes(value.words(Attribute::ALL, Attribute::as_str)?),
            "file-actions" => grant.file_actions(value.words(FileAction::ALL, FileAction::as_str)?),
            "rlimits" => rlimits(grant, value)?,
            "signals" => grant.signals(words(value, SIGNAL, signal)?),
            "max-children" => grant.max_children(value.number(1)?),
            "spawns-per-second" => grant.spawns_per_second(value.number(1)?),
            "deadline" => grant.deadline(value.duration()?),
            "grace" => grant.grace(value.duration()?),
            "detach" => grant.detach(value.boolean()?),
            "group" => grant.group_found(group_file::grant_group(value)?, value.location()),
            key if APART.contains(&key) => {
                apart.read(key, value)?;
                grant
            }
            "sandbox" => grant.sandbox_found(sandbox_file::sandbox(value)?, value.location()),
            _ => return Err(entry.unknown(PROGRAM)),
        };
    }
    let grant = grant.apart(apart.finish()?);
    if grant.location().is_none() {
        return Err(program.error(format!("program {} has no `path`", quoted(program.key()))));
    }
    match grant.validate() {
        Ok(()) => Ok(grant),
        Err(Invalid { key, item, message }) => {
            Err(match entries.iter().find(|entry| entry.key() == key) {
                Some(entry) => {
                    PolicyError::new(Some(&entry.value.location_of(item.as_deref())), message)
                }
                None => program.error(message),
            })
        }
    }
}

/// The keys of rules that narrow a grant.
pub(super) const NARROW: &[&str] = &[
    "args",
    "env-allow",
    "cwd",
    "stdio",
    "attributes",
    "file-actions",
    "rlimits",
    "signals",
    "max-children",
    "spawns-per-second",
    "deadline",
    "detach",
];

/// Reads rules that narrow a grant.
pub(super) fn narrowing(text: &str) -> Result<Narrowing, PolicyError> {
    let source = Source { name: "rules", text };
    let root = DeTable::parse(text).map_err(|error| source.syntax_error(&error))?;
    let mut rules = Narrowing::default();
    for entry in entries(source, root.get_ref()) {
        let value = &entry.value;
        match entry.key() {
            "args" => rules.arguments = Some(arguments(value)?),
            "env-allow" => rules.env_allow = Some(patterns(value)?),
            "cwd" => {
                rules.cwd = Some(value.word("\"none\"", |word| (word == "none").then_some(false))?)
            }
            "stdio" => rules.stdio = Some(words(value, STDIO, stdio::kind)?.into_iter().collect()),
            "attributes" => {
                let words = value.words(Attribute::ALL, Attribute::as_str)?;
                rules.attributes = Some(words.into_iter().collect());
            }
            "file-actions" => {
                let words = value.words(FileAction::ALL, FileAction::as_str)?;
                rules.file_actions = Some(words.into_iter().collect());
            }
            "rlimits" => rules.rlimits = limited(value)?,
            "signals" => rules.signals = Some(words(value, SIGNAL, signal)?.into_iter().collect()),
            "max-children" => rules.max_children = Some(value.number(1)?),
            "spawns-per-second" => rules.spawns_per_second = Some(value.number(1)?),
            "deadline" => rules.deadline = Some(value.duration()?),
            "detach" => rules.detach = Some(value.boolean()?),
            _ => return Err(entry.unknown(NARROW)),
        }
    }
    Ok(rules)
}

const STDIO: &str = "\"null\", \"inherit\", \"piped\", \"file\" or \"terminal\"";
const SIGNAL: &str = "a signal such as \"TERM\"";

fn cwd(word: &str) -> Option<Cwd> {
    match word {
        "preopens" => Some(Cwd::Preopens),
        path => Path::new(path).is_absolute().then(|| Cwd::Fixed(path.into())),
    }
}

fn signal(word: &str) -> Option<Signal> {
    word.parse().ok()
}

fn env(mut grant: Grant, table: &Value<'_>) -> Result<Grant, PolicyError> {
    for variable in table.table()? {
        grant = grant.env(variable.key(), variable.value.string()?);
    }
    Ok(grant)
}

fn env_inherit(mut grant: Grant, list: &Value<'_>) -> Result<Grant, PolicyError> {
    for name in list.list()? {
        grant = grant.env_inherit(name.string()?);
    }
    Ok(grant)
}

fn env_allow(mut grant: Grant, list: &Value<'_>) -> Result<Grant, PolicyError> {
    for pattern in patterns(list)? {
        grant = grant.env_allow(pattern);
    }
    Ok(grant)
}

fn patterns(list: &Value<'_>) -> Result<Vec<EnvPattern>, PolicyError> {
    let parse = |pattern: &Value<'_>| {
        let parsed = pattern.string()?.parse::<EnvPattern>();
        parsed.map_err(|why| pattern.error(format!("`env-allow` {why}")))
    };
    list.list()?.iter().map(parse).collect()
}

fn rlimits(mut grant: Grant, table: &Value<'_>) -> Result<Grant, PolicyError> {
    for (resource, most) in limited(table)? {
        grant = grant.rlimit(resource, most);
    }
    Ok(grant)
}

fn limited(table: &Value<'_>) -> Result<Vec<(Resource, u64)>, PolicyError> {
    let read = |entry: Entry<'_>| match RESOURCES.iter().find(|(_, word)| *word == entry.key()) {
        Some((resource, _)) => Ok((*resource, entry.value.number(0)?)),
        None => {
            let words: Vec<_> = RESOURCES.iter().map(|(_, word)| *word).collect();
            Err(entry.unknown(&words))
        }
    };
    table.table()?.into_iter().map(read).collect()
}

/// What the words of a list stand for.
fn words<T>(
    list: &Value<'_>,
    expected: &str,
    meaning: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, PolicyError> {
    list.list()?.iter().map(|word| word.word(expected, &meaning)).collect()
}

fn max_forks(fork: &Entry<'_>) -> Result<u16, PolicyError> {
    let mut max = None;
    for entry in fork.value.table()? {
        match entry.key() {
            "max" => max = Some(entry.value.number(1)?),
            _ => return Err(entry.unknown(FORK)),
        }
    }
    max.ok_or_else(|| fork.error("`fork` has no `max`"))
}

fn limits(table: &Value<'_>) -> Result<Limits, PolicyError> {
    let mut limits = Limits::default();
    for entry in table.table()? {
        match entry.key() {
            "max-children" => limits.max_children = entry.value.number(1)?,
            "max-pipes" => limits.max_pipes = entry.value.number(0)?,
            "max-handles" => limits.max_handles = entry.value.number(1)?,
            "max-buffered-bytes" => limits.max_buffered_bytes = entry.value.number(0)?,
            "max-groups" => limits.max_groups = entry.value.number(0)?,
            "max-argument-bytes" => limits.max_argument_bytes = entry.value.number(1)?,
            "spawns-per-second" => limits.spawns_per_second = entry.value.number(1)?,
            "spawn-burst" => limits.spawn_burst = Some(entry.value.number(1)?),
            _ => return Err(entry.unknown(LIMITS)),
        }
    }
    Ok(limits)
}
