//! What a guest learns of its policy.

use offspring_spawn::Kernel;
use offspring_tests::*;

use crate::assert_test_exists;
use crate::run::Run;

for_each_grants_program!(assert_test_exists);

#[test]
fn grants_listing() {
    let kernel = Kernel::get().unwrap();
    let features = [kernel.has_group_signals(), kernel.has_exit_info()].map(|has| has.to_string());
    let policy = r#"
        [program.plain]
        path = "true"

        [program."all of it"]
        path = "/bin/sh"
        args = "any"
        env = { LANG = "C" }
        env-inherit = ["PATH"]
        env-allow = ["CHOSEN", "LC_*"]
        cwd = "preopens"
        stdio = ["null", "inherit", "piped", "file", "terminal"]
        file-actions = ["pass", "tcsetpgrp"]
        attributes = ["session", "nice", "raise-priority"]
        rlimits = { nofile = 256, as = 0x100000000 }
        signals = ["TERM", "INT"]
        max-children = 4
        spawns-per-second = 5
        deadline = "1m30s500ms"
        group = "preferred"
        sandbox = "none"

        [group.unavailable]
        mode = "preferred"
        cpuset-cpus = "0"

        [limits]
        max-children = 9
        max-pipes = 10
        max-handles = 11
        max-argument-bytes = 8589934592
        max-groups = 15
        spawns-per-second = 12
        spawn-burst = 13
        max-buffered-bytes = 14
    "#;
    let run = Run::new(GRANTS_LISTING).policy_file(policy);
    run.args(&features.each_ref().map(String::as_str)).sync().success();
}
