//! Grants that are narrowed and handed on.

use std::fs;
use std::sync::Arc;

use offspring::bindings::grant::Grant;
use offspring::policy::{Grant as Words, GrantGroup, Group, Limits, Policy};
use offspring_tests::*;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, Resource};
use wasmtime_wasi::FsPerms::ReadWrite;

use crate::assert_test_exists;
use crate::cgroup::has;
use crate::component::engine;
use crate::kept::{Kept, text};
use crate::place::Place;
use crate::run::{Run, State, grant, sandbox};

for_each_grant_program!(assert_test_exists);

#[test]
fn grant_narrow() {
    let policy = r#"
        [program.sh]
        path = "sh"
        args = "any"
        env = { LANG = "C", PATH = "/bin:/usr/bin" }
        sandbox = { execute = ["/bin", "/usr"], without = ["core-dumps"] }
        env-allow = ["A", "B"]
        cwd = "preopens"
        stdio = ["piped", "inherit"]
        attributes = ["nice", "umask", "rlimits"]
        file-actions = ["close", "dup2"]
        rlimits = { core = 0 }
        signals = ["TERM", "INT"]
        max-children = 2

        [program.cat]
        path = "cat"
        args = [{ path = "preopens" }]
        stdio = ["piped"]
    "#;
    let place = Place::new();
    fs::create_dir(place.path("sub")).unwrap();
    fs::write(place.path("sub/file"), "sub").unwrap();
    fs::write(place.path("file"), "file").unwrap();
    Run::new(GRANT_NARROW)
        .policy_file(policy)
        .dir(place.root(), "/dir", ReadWrite)
        .sync()
        .success();
}

#[test]
fn grant_within() {
    if !has("grant_within", &[]) {
        return;
    }
    let groups = ["build", "other"].map(Group::new);
    let policy = groups.into_iter().try_fold(Policy::new(), Policy::group).unwrap();
    let kept = Arc::new(Kept::default());
    let sink = Arc::clone(&kept);
    let named = |name| grant(name).group(GrantGroup::Named("build".to_owned()));
    let cat = |name, group| Words::permissive(name, "cat").sandbox(sandbox()).group(group);
    Run::new(GRANT_WITHIN)
        .policy(policy)
        .grant(named("cat"))
        .grant(named("sleep"))
        .grant(cat("own", GrantGroup::Required))
        .grant(cat("none", GrantGroup::Unset))
        .process(|process| process.audit(sink))
        .sync()
        .success();
    // Every refusal is told, also of what would only be a handle.
    let lines = kept.lines();
    let not_made = lines.iter().filter(|line| text(line, "function") == "grant.within");
    assert!(not_made.clone().all(|line| text(line, "rule") == "group"), "{lines:?}");
    assert_eq!(not_made.count(), 10);
}

/// What a component imports of this interface.
fn imported(component: &Component, interface: &str) -> Option<Vec<String>> {
    let component = component.component_type();
    let (_, found) = component.imports(engine()).find(|(name, _)| *name == interface)?;
    let ComponentItem::ComponentInstance(instance) = found.ty else { return None };
    Some(instance.exports(engine()).map(|(name, _)| name.to_owned()).collect())
}

/// Two components, composed by the host: one hands a narrowed grant to the other,
/// which can start nothing else.
#[test]
fn a_narrowed_grant_is_handed_on() {
    let policy = Policy::new().limits(Limits { max_children: 1, ..Limits::default() });
    let mut ready = Run::new(DELEGATE).policy(policy).allow(&["echo", "sh"]).ready();
    let worker = Component::from_file(engine(), WORKER).unwrap();
    assert_eq!(imported(&worker, "offspring:process/grants@0.2.0"), None);
    let spawn = imported(&worker, "offspring:process/spawn@0.2.0").unwrap();
    assert!(spawn.iter().any(|name| name == "[static]command.from-grant"), "{spawn:?}");
    for by_name in ["[constructor]command", "run-program"] {
        assert!(!spawn.iter().any(|name| name == by_name), "{spawn:?}");
    }

    let mut linker = Linker::<State>::new(engine());
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker).unwrap();
    offspring::add_to_linker(&mut linker).unwrap();
    let worker = linker.instantiate(&mut ready.store, &worker).unwrap();
    let interface = "example:delegate/work@0.1.0";
    let exported = worker.get_export_index(&mut ready.store, None, interface).unwrap();
    let run = worker.get_export_index(&mut ready.store, Some(&exported), "run").unwrap();
    let mut work = linker.instance(interface).unwrap();
    work.func_wrap("run", move |mut store, given: (Resource<Grant>, String)| {
        type Worked = (Result<String, String>,);
        let run = worker.get_typed_func::<(Resource<Grant>, String), Worked>(&mut store, run)?;
        run.call(&mut store, given)
    })
    .unwrap();
    let printed = ready.stdout();
    ready.sync_linked(&linker).success();
    assert_eq!(
        printed.text(),
        "worker: hello\nrefused: argument 1 of `echo` may not be `--version`; allowed: `bye`, \
         `hello`\n"
    );
}
