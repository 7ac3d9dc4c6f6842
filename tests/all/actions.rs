//! What children do with their descriptors.

use std::fs;
use std::os::unix::fs::symlink;

use offspring::policy::Grant;
use offspring_tests::*;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use wasmtime_wasi::FsPerms::{ReadOnly, ReadWrite};

use crate::assert_test_exists;
use crate::place::Place;
use crate::run::Run;
use crate::runtime::everywhere;

for_each_actions_program!(assert_test_exists);

/// What a guest may only read.
fn reading() -> Place {
    let place = Place::new();
    fs::write(place.path("in"), "from the host\n").unwrap();
    place
}

#[test]
fn actions_seen() {
    let (ro, rw) = (reading(), Place::new());
    everywhere(|| {
        let run = Run::new(ACTIONS_SEEN).allow(&["sh"]).dir(ro.root(), "/ro", ReadOnly);
        run.dir(rw.root(), "/rw", ReadWrite)
    });
    assert_eq!(fs::read_to_string(ro.path("in")).unwrap(), "from the host\n");
}

#[test]
fn actions_denied() {
    let policy = r#"
        [program.plain]
        path = "true"

        [program.close]
        path = "true"
        file-actions = ["close"]
    "#;
    let ro = reading();
    everywhere(|| Run::new(ACTIONS_DENIED).policy_file(policy).dir(ro.root(), "/ro", ReadOnly));
    assert_eq!(fs::read_dir(ro.root()).unwrap().count(), 1);
}

#[test]
fn actions_hostile() {
    let outer = Place::new();
    let inner = outer.path("inner");
    fs::create_dir_all(inner.join("sub")).unwrap();
    fs::write(inner.join("file"), "").unwrap();
    symlink("..", inner.join("up")).unwrap();
    symlink("/etc/passwd", inner.join("absolute")).unwrap();
    mknodat(CWD, inner.join("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let script = outer.program("script", "#!/bin/sh\necho script\n");
    everywhere(|| {
        let script = Grant::permissive("script", &script).env("PATH", crate::run::PATH);
        let run = Run::new(ACTIONS_HOSTILE).allow(&["sh"]).grant(script);
        run.dir(&inner, "/rw", ReadWrite)
    });
    assert!(!outer.path("made").exists());
}
