//! Where a child cannot share its parent's memory, no child is made.

mod support;

use std::io::Write;
use std::process::Command;

use offspring_spawn::{Errno, Kernel, Stage};
use support::isolation::{helper, is_helper, skip};
use support::traces::{assert_no_children, descriptors};

/// What is to be said of an emulator, if this is one.
fn refuses() {
    let refusal = Kernel::get().expect_err("this is no emulator");
    let (path, before) = ("/bin/true", descriptors("self"));
    let program = offspring_spawn::Program::open(path).unwrap();
    let error = offspring_spawn::Command::new(&program).spawn().unwrap_err();
    assert_eq!((error.stage, error.errno), (Stage::Kernel, Errno::NOSYS));
    assert_eq!(Kernel::get(), Err(refusal));
    drop(program);
    assert_eq!(descriptors("self"), before);
    assert_no_children();
    let words = refusal.to_string();
    assert!(words.contains("as under emulators"), "{words}");
    let _ = writeln!(std::io::stderr(), "refused: {words}");
}

#[test]
fn emulators_are_refused_before_there_is_a_child() {
    let body = || {};
    if is_helper(&body) || Kernel::get().is_err() {
        return refuses();
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        return skip("emulators_are_refused_before_there_is_a_child", "no Valgrind here");
    }
    let test = helper(&body);
    let mut command = Command::new("valgrind");
    command.arg("--quiet").arg(test.get_program()).args(test.get_args());
    for (name, value) in test.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    let output = command.output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && words.contains("refused: "), "{words}");
}
