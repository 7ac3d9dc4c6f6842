//! Starting programs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use offspring::policy::{Grant, Limits, Policy};
use offspring::request::StdioKind;
use offspring_tests::*;
use wasmtime_wasi::FsPerms::ReadWrite;

use crate::assert_test_exists;
use crate::place::{Place, without_loader};
use crate::run::{Run, sandbox};
use crate::runtime::everywhere;

for_each_spawn_program!(assert_test_exists);

#[test]
fn spawn_output() {
    everywhere(|| Run::new(SPAWN_OUTPUT).allow(&["sh"]));
}

#[test]
fn spawn_status() {
    let place = Place::new();
    everywhere(|| Run::new(SPAWN_STATUS).allow(&["sh"]).dir(place.root(), "/dir", ReadWrite));
}

#[test]
fn spawn_run() {
    everywhere(|| {
        let run = Run::new(SPAWN_RUN).allow(&["sh"]);
        let short = Grant::permissive("short", "sh").env("PATH", crate::run::PATH);
        let short = short.sandbox(sandbox()).deadline(Duration::from_millis(20));
        let one = Grant::permissive("one", "sh").sandbox(sandbox()).max_children(1);
        run.grant(short).grant(one)
    });
}

#[test]
fn spawn_run_program() {
    everywhere(|| {
        let bare = Grant::new("bare", "true").stdio([StdioKind::Null, StdioKind::Piped]);
        let shell = Grant::permissive("sh", "sh").env_allow("A".parse().unwrap());
        let run = Run::new(SPAWN_RUN_PROGRAM).grant(shell.sandbox(sandbox()));
        run.grant(bare.sandbox(sandbox()))
    });
}

#[test]
fn spawn_arguments() {
    everywhere(|| Run::new(SPAWN_ARGUMENTS).allow(&["sh"]));
}

fn limited(component: &'static str, max_argument_bytes: u64, place: &Place) -> Run {
    let limits = Limits { max_argument_bytes, ..Limits::default() };
    let run = Run::new(component).policy(Policy::new().limits(limits));
    run.allow(&["sh"]).dir(place.root(), "/dir", ReadWrite)
}

#[test]
fn spawn_arguments_beyond_host() {
    let place = Place::new();
    limited(SPAWN_ARGUMENTS_BEYOND_HOST, 4096, &place).sync().success();
}

#[test]
fn spawn_arguments_beyond_kernel() {
    let place = Place::new();
    limited(SPAWN_ARGUMENTS_BEYOND_KERNEL, 1 << 26, &place).sync().success();
}

#[test]
fn spawn_malformed() {
    Run::new(SPAWN_MALFORMED).allow(&["sh"]).sync().success();
}

#[test]
fn spawn_environment() {
    let fixed = Grant::permissive("fixed", "env").env("FIXED", "1").env_inherit("PATH");
    let fixed = fixed.env_allow("CHOSEN".parse().unwrap()).env_allow("LC_*".parse().unwrap());
    let run = Run::new(SPAWN_ENVIRONMENT).grant(fixed).grant(Grant::permissive("empty", "env"));
    let path = std::env::var("PATH").unwrap();
    run.env("GUEST", "1").args(&[&path]).sync().success();
}

#[test]
fn spawn_directory() {
    let place = Place::new();
    fs::create_dir(place.path("sub")).unwrap();
    fs::write(place.path("file"), "").unwrap();
    let links = [("inside", "sub"), ("out", ".."), ("absolute", place.root().to_str().unwrap())];
    for (name, target) in links {
        symlink(target, place.path(name)).unwrap();
    }
    let root = place.root().to_str().unwrap();
    let run = || Run::new(SPAWN_DIRECTORY).allow(&["sh"]).dir(place.root(), "/dir", ReadWrite);
    run().args(&["/", root]).sync().success();
    let elsewhere = run().process(|process| process.initial_cwd("/usr"));
    elsewhere.args(&["/usr", root]).sync().success();
}

#[test]
fn spawn_again() {
    everywhere(|| Run::new(SPAWN_AGAIN).allow(&["cat"]));
}

#[test]
fn spawn_replaced() {
    let place = Place::new();
    let mut run = Run::new(SPAWN_REPLACED);
    for name in ["replaced", "deleted"] {
        // Shells of some systems ask for their own name.
        run = run.grant(Grant::permissive(name, place.shell(name)).arg0("sh"));
        let name = format!("{name}-script");
        let script = place.program(&name, "#!/bin/sh\nexit 7\n");
        run = run.grant(Grant::permissive(name, script));
    }
    let ready = run.ready();
    for name in ["", "-script"] {
        let other = place.program("other", "#!/bin/sh\nexit 8\n");
        fs::rename(other, place.path(&format!("replaced{name}"))).unwrap();
        fs::remove_file(place.path(&format!("deleted{name}"))).unwrap();
    }
    ready.sync().success();
}

#[test]
fn spawn_not_executable() {
    let place = Place::new();
    let mut run = Run::new(SPAWN_NOT_EXECUTABLE);
    let files = [
        ("empty", b"".to_vec()),
        ("text", b"exit 0\n".to_vec()),
        ("lost-loader", without_loader()),
        ("forbidden", without_loader()),
        ("script", b"#!/bin/sh\necho \"script: $*\"\n".to_vec()),
    ];
    for (name, content) in files {
        run = run.grant(Grant::permissive(name, place.program(name, content)));
    }
    let ready = run.ready();
    // What was permitted when it was granted need not stay so.
    fs::set_permissions(place.path("forbidden"), fs::Permissions::from_mode(0o644)).unwrap();
    ready.sync().success();
}
