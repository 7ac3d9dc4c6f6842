//! What a policy amounts to.

use std::fmt::{self, Write};
use std::path::Path;

use offspring::CheckedPolicy;
use offspring::policy::{Group, Limits, Policy};

use super::danger::dangers;
use super::entry;

/// Every grant, group and limit, and what is dangerous.
pub fn report(file: &Path, checked: &CheckedPolicy) -> Result<String, fmt::Error> {
    let policy = checked.policy();
    let mut page = String::new();
    let mut count = 0;
    if policy.grants().is_empty() {
        writeln!(page, "{}: nothing may be started", file.display())?;
    }
    for (grant, program) in policy.grants().iter().zip(checked.programs()) {
        writeln!(page, "program {}", grant.name())?;
        for fact in grant.summary() {
            entry(&mut page, fact.about, &fact.allowed);
        }
        if grant.path().is_relative() {
            entry(&mut page, "found", &program.path().display().to_string());
        }
        let interpreters = program.interpreters().map(|path| path.display().to_string());
        let interpreters: Vec<String> = interpreters.collect();
        if !interpreters.is_empty() {
            entry(&mut page, "interpreter", &interpreters.join(", "));
        }
        for danger in dangers(grant, program) {
            entry(&mut page, "WARNING", &danger);
            count += 1;
        }
        page.push('\n');
    }
    for group in policy.groups() {
        self::group(&mut page, group)?;
    }
    limits(&mut page, policy)?;
    match count {
        0 => {}
        1 => writeln!(page, "\n1 warning")?,
        count => writeln!(page, "\n{count} warnings")?,
    }
    Ok(page)
}

fn group(page: &mut String, group: &Group) -> fmt::Result {
    writeln!(page, "group {}", group.name())?;
    let required = if group.is_required() { "required" } else { "preferred" };
    entry(page, "mode", required);
    for (setting, _) in group.settings() {
        entry(page, setting.file(), &setting.to_string());
    }
    page.push('\n');
    Ok(())
}

fn limits(page: &mut String, policy: &Policy) -> fmt::Result {
    let Limits {
        max_children,
        max_pipes,
        max_handles,
        max_buffered_bytes,
        max_argument_bytes,
        max_groups,
        spawns_per_second,
        ..
    } = policy.get_limits();
    writeln!(page, "limits")?;
    let burst = policy.get_limits().burst();
    let children = format!("{max_children} held, {spawns_per_second} a second, {burst} at once");
    entry(page, "children", &children);
    let handles =
        format!("{max_handles} of every kind, {max_pipes} pipe ends, {max_groups} groups");
    entry(page, "handles", &handles);
    let bytes = format!("{max_argument_bytes} of arguments, {max_buffered_bytes} in pipes");
    entry(page, "bytes", &bytes);
    let forks =
        policy.get_forks().map_or_else(|| "none".to_owned(), |max| format!("{max} at once"));
    entry(page, "forks", &forks);
    Ok(())
}
