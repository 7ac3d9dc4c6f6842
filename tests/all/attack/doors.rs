//! Second doors: functions of the interfaces that nobody thought of, and ways in
//! the source that go past the policy.

use std::collections::BTreeSet;
use std::fs;

use offspring_tests::*;
use wasmtime_wasi::FsPerms::ReadOnly;
use wit_parser::{Function, FunctionKind, Handle, Resolve, Type, TypeDefKind, TypeId};

use super::{recorded, unharmed};
use crate::isolation::isolated;
use crate::layers::{code, sources};
use crate::place::Place;
use crate::run::Run;

/// What can be called only on a child or a group, which nobody has who was refused.
const HELD: [&str; 2] = ["pidfd", "cgroup"];

#[test]
pub fn attack_doors() {
    isolated(|| {
        let place = Place::new();
        fs::write(place.path("file"), "").unwrap();
        unharmed(|| {
            let run = Run::new(ATTACK_DOORS).dir(place.root(), "/ro", ReadOnly);
            let ended = recorded(run);
            let called = ended.stdout.lines().filter_map(|line| line.strip_prefix("door "));
            let called: BTreeSet<String> = called.map(str::to_owned).collect();
            assert_eq!(called, doors());
        });
    });
}

fn interfaces() -> Resolve {
    let mut resolve = Resolve::default();
    resolve.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit")).unwrap();
    resolve
}

/// The functions of our interfaces, by the names that audit logs have for them.
fn functions(resolve: &Resolve) -> Vec<(String, &Function)> {
    let package = resolve.packages.iter().find(|(_, package)| package.name.name == "process");
    let (_, package) = package.unwrap();
    let mut functions = Vec::new();
    for (interface, id) in &package.interfaces {
        for (name, function) in &resolve.interfaces[*id].functions {
            let bare = name.rsplit(['.', ']']).next().unwrap_or(name);
            let of = match function.kind {
                FunctionKind::Constructor(of) => return_name(resolve, of, "constructor"),
                FunctionKind::Method(of) | FunctionKind::Static(of) => {
                    return_name(resolve, of, bare)
                }
                _ => format!("{interface}.{bare}"),
            };
            functions.push((of, function));
        }
    }
    functions
}

fn return_name(resolve: &Resolve, of: TypeId, function: &str) -> String {
    let of = resolve.types[of].name.as_deref().unwrap();
    // Both ends of a pipe are one noun.
    let of = if of.starts_with("pipe-") { "pipe" } else { of };
    format!("{of}.{function}")
}

/// All that can be called without a grant.
fn doors() -> BTreeSet<String> {
    let resolve = interfaces();
    let is_held = |name: &str, function: &Function| {
        let (of, _) = name.split_once('.').unwrap();
        // A grant is confined to a group that is held.
        name == "grant.within"
            || HELD.contains(&of) && matches!(function.kind, FunctionKind::Method(_))
    };
    // A command is put into a group, or into another's, by such a handle.
    let takes = |function: &Function| {
        function.params.iter().any(|param| {
            handle(&resolve, &param.ty).is_some_and(
                |handle| matches!(handle, Handle::Borrow(of) if named(&resolve, of, "cgroup")),
            )
        })
    };
    let all = functions(&resolve).into_iter();
    let doors = all.filter(|(name, function)| !is_held(name, function) && !takes(function));
    doors.map(|(name, _)| name).collect()
}

fn handle(resolve: &Resolve, ty: &Type) -> Option<Handle> {
    let Type::Id(id) = ty else { return None };
    match resolve.types[*id].kind {
        TypeDefKind::Handle(handle) => Some(handle),
        _ => None,
    }
}

fn named(resolve: &Resolve, mut of: TypeId, name: &str) -> bool {
    while let TypeDefKind::Type(Type::Id(id)) = resolve.types[of].kind {
        of = id;
    }
    resolve.types[of].name.as_deref() == Some(name)
}

/// Whether a type has an owned handle of such a resource in it.
fn gives(resolve: &Resolve, ty: &Type, name: &str) -> bool {
    let Type::Id(id) = ty else { return false };
    let inside = |ty: &Type| gives(resolve, ty, name);
    match &resolve.types[*id].kind {
        TypeDefKind::Handle(Handle::Own(of)) => named(resolve, *of, name),
        TypeDefKind::Type(ty) | TypeDefKind::Option(ty) | TypeDefKind::List(ty) => inside(ty),
        TypeDefKind::Result(result) => result.ok.iter().chain(&result.err).any(inside),
        TypeDefKind::Tuple(tuple) => tuple.types.iter().any(inside),
        TypeDefKind::Record(record) => record.fields.iter().any(|field| inside(&field.ty)),
        TypeDefKind::Variant(variant) => {
            variant.cases.iter().filter_map(|case| case.ty.as_ref()).any(inside)
        }
        _ => false,
    }
}

/// A child and a group come from where the policy was asked, and from nowhere else.
#[test]
fn handles_are_made_where_the_policy_is_asked() {
    let resolve = interfaces();
    let giving = |resource: &str| {
        let all = functions(&resolve).into_iter();
        let giving = all.filter(|(_, function)| {
            function.result.as_ref().is_some_and(|ty| gives(&resolve, ty, resource))
        });
        giving.map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(giving("pidfd"), ["fork.fork", "command.spawn", "command.run", "spawn.run-program"]);
    let sorted = |resource| {
        let mut giving = giving(resource);
        giving.sort_unstable();
        giving
    };
    assert_eq!(sorted("cgroup"), ["cgroup.create-child", "cgroup.open"]);
    // What is opened is a name, until spawn asks the policy.
    assert_eq!(sorted("grant"), ["grant.narrow", "grant.within", "grants.open"]);
    assert_eq!(sorted("command"), ["command.constructor", "command.from-grant"]);
}

/// Whatever number a guest says, it is none of the host's: neither a process nor a
/// descriptor. What is new here has to be thought of.
#[test]
fn no_number_names_anything_of_the_hosts() {
    let resolve = interfaces();
    let is_number = |ty: &Type| {
        matches!(ty, Type::U16 | Type::U32 | Type::U64 | Type::S16 | Type::S32 | Type::S64)
    };
    let mut numbers = BTreeSet::new();
    for (name, function) in functions(&resolve) {
        for param in &function.params {
            if is_number(&param.ty) {
                numbers.insert(format!("{name} {}", param.name));
            }
        }
    }
    let expected = [
        // The child's own descriptors.
        "command.pass fd",
        "file-actions.close fd",
        "file-actions.closefrom fd",
        "file-actions.dup2 new",
        "file-actions.dup2 old",
        "file-actions.fchdir fd",
        "file-actions.open fd",
        "file-actions.tcsetpgrp fd",
        // Bits and amounts.
        "cgroup.set-cpu-weight weight",
        "cgroup.set-io-weight weight",
        "command.nice value",
        "command.scheduler priority",
        "command.umask mask",
        "file-actions.open mode",
    ];
    assert_eq!(numbers, expected.iter().map(|&name| name.to_owned()).collect());
}

/// Nothing but the engine makes processes, whatever it would be called.
#[test]
fn no_other_code_starts_a_process() {
    let ways = [
        concat!("process::", "Command"),
        concat!("Command", "Ext"),
        concat!("posix_", "spawn"),
        concat!("libc::", "fork"),
        concat!("vfo", "rk("),
        concat!("exec", "v"),
        concat!("SYS_", "clone"),
        concat!("libc::", "system"),
    ];
    let product = ["host/src", "cli/src", "spawn/src"];
    for (path, text) in sources(&product) {
        let (shipped, _) = text.split_once("#[cfg(test)]").unwrap_or((&text, ""));
        let code = code(shipped);
        for way in ways {
            // The engine has the one place, and its own copies of a process.
            let may = path.starts_with("spawn/src")
                && ["exec", "libc::"].iter().any(|at| way.starts_with(at));
            assert!(may || !code.contains(way), "{} uses {way}", path.display());
        }
    }
}

/// What starts a child is called in one file, for guests and for hosts: where the
/// policy is asked.
#[test]
fn every_spawn_was_prepared_by_the_policy() {
    let mut starts = Vec::new();
    for (path, text) in sources(&["host/src", "cli/src"]) {
        let code = code(&text);
        if ["spawn_abortable(", "spawn_async_abortable("].iter().any(|call| code.contains(call)) {
            starts.push((
                path.to_str().unwrap().to_owned(),
                code.contains("self.policy.check_narrowed("),
            ));
        }
    }
    assert_eq!(starts, [("host/src/launch.rs".to_owned(), true)]);
}

/// A case that is added is thought of wherever something is decided: no arm takes
/// what is left.
#[test]
fn no_decision_has_an_arm_for_the_rest() {
    let decide = ["check.rs", "env.rs", "grant.rs", "args/matching.rs"];
    let decide = decide.map(|file| format!("host/src/policy/{file}"));
    for (path, text) in sources(&decide.each_ref().map(String::as_str)) {
        let code = code(&text);
        assert!(code.contains("match "), "{} decides nothing", path.display());
        assert!(!code.contains("_ =>"), "{}", path.display());
    }
}
