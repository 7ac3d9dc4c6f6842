//! `offspring doctor`.

mod support;

use support::run;

/// Every machine can be told something, and for all that is missing there is
/// something to do.
#[test]
fn says_what_there_is_and_what_would_mend_the_rest() {
    let ended = run(&["doctor"]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{ended:?}");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines[0], "kernel: children can be run", "{}", ended.stdout);
    let apart = lines.iter().position(|line| line.starts_with("apart: ")).unwrap();
    let facts = &lines[apart + 1..apart + 4];
    assert!(facts.iter().all(|fact| ["  yes ", "  no  "].contains(&&fact[..6])), "{facts:?}");
    if rustix::process::geteuid().is_root() {
        assert_eq!(facts[2], "  yes another user");
    }
    let cgroups = lines.iter().position(|line| line.starts_with("cgroups: ")).unwrap();
    let (_, said) = lines.split_at(cgroups);
    let lacks = said.iter().any(|line| line.starts_with("  no  "));
    let mended = said.iter().any(|line| line.starts_with("  to mend it, "));
    assert_eq!(lacks, mended, "{}", ended.stdout);
}
