//! Terminals.

use offspring_tests::*;
use wasmtime_wasi::FsPerms::ReadWrite;

use crate::assert_test_exists;
use crate::isolation::isolated;
use crate::leaks::leaves_nothing;
use crate::place::Place;
use crate::run::Run;
use crate::runtime::{current_thread, everywhere};

for_each_pty_program!(assert_test_exists);

#[test]
fn pty_seen() {
    everywhere(|| Run::new(PTY_SEEN).allow(&["sh"]));
}

#[test]
fn pty_limits() {
    let policy = r#"
        [program.plain]
        path = "true"

        [program.granted]
        path = "true"
        stdio = ["terminal"]

        [limits]
        max-pipes = 10
    "#;
    everywhere(|| Run::new(PTY_LIMITS).policy_file(policy));
}

#[test]
fn a_terminal_leaves_nothing_behind() {
    isolated(|| {
        leaves_nothing(|| {
            Run::new(PTY_SEEN).allow(&["sh"]).sync().success();
            let run = Run::new(PTY_SEEN).allow(&["sh"]);
            current_thread().block_on(run.r#async()).success();
        });
    });
}

/// The example that people copy.
#[test]
fn the_example_of_a_terminal() {
    let place = Place::new();
    std::fs::write(place.path("file"), "").unwrap();
    let run = Run::new(PTY).allow(&["ls"]).dir(place.root(), "/", ReadWrite);
    let run = run.process(|process| process.initial_cwd(place.root()));
    let ready = run.ready();
    let printed = ready.stdout();
    ready.sync().success();
    let text = printed.text();
    assert!(text.starts_with("file"), "{text}");
    assert!(text.contains("ls ended with exit status: 0\n"), "{text}");
    let log = std::fs::read_to_string(place.path("log")).unwrap();
    assert!(log.contains("missing"), "{log}");
}
