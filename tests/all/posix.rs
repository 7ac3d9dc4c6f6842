//! What glibc's own tests of `posix_spawn` and its relatives assert, through
//! the interfaces: a test a row, whose name begins with the row's id. What the
//! engine's tests of the same ids show natively, a guest shows here.
//!
//! `docs/posix.md` has the table, and a test here keeps it true.

use std::collections::BTreeSet;

use offspring::policy::{Attribute, Grant, GrantGroup, Group, Policy};
use offspring_spawn::Signal;
use offspring_tests::*;
use wasmtime_wasi::FsPerms::ReadWrite;

use crate::assert_test_exists;
use crate::cgroup;
use crate::isolation::{helper, in_terminal, is_helper, isolated, skip};
use crate::leaks::leaves_nothing;
use crate::place::{Place, without_loader};
use crate::run::{Run, grant};
use crate::runtime::multi_thread;
use crate::traces::descriptors;

for_each_posix_program!(assert_test_exists);

/// A guest that shows these rows, and the directory that it works in.
fn run(rows: &[&str]) -> ([Place; 2], Run) {
    // The guest may not write to what it may start.
    let [place, programs] = [Place::new(), Place::new()];
    let choosable = || Attribute::ALL.iter().copied().filter(|it| *it != Attribute::RaisePriority);
    let grant = |name| {
        let grant = grant(name).env_allow("ONLY".parse().unwrap()).attributes(choosable());
        grant.signals([Signal::TERM, Signal::USR1])
    };
    let mut run = Run::new(POSIX_ROWS).dir(place.root(), "/dir", ReadWrite).args(rows);
    for name in ["cat", "ls", "sh"] {
        run = run.grant(grant(name));
    }
    let files = [
        ("text", b"exit 0\n".to_vec()),
        ("lost", without_loader()),
        ("script", b"#!/bin/sh\npwd -P\n".to_vec()),
    ];
    for (name, content) in files {
        let program = programs.program(name, content);
        let permissive = Grant::permissive(name, program).env("PATH", crate::run::PATH);
        run = run.grant(permissive.attributes(choosable()));
    }
    ([place, programs], run)
}

#[track_caller]
fn row(name: &str) {
    let (_places, run) = run(&[name]);
    run.sync().success();
}

macro_rules! rows {
    ($($test:ident $row:literal)*) => {
        $(#[test] fn $test() { row($row) })*
    };
}

rows! {
    sp1_1_adding_succeeds "sp1_1"
    sp1_3_a_spawn_with_actions_succeeds "sp1_3"
    sp1_4_its_child_exits_with_zero "sp1_4"
    sp1_6_dup_shares_offset "sp1_6"
    sp1_7_both_move_together "sp1_7"
    sp1_8_the_text_of_the_guest "sp1_8"
    sp1_9_what_is_opened_for_reading "sp1_9"
    sp1_10_what_is_closed_is_closed "sp1_10"
    sp1_11_what_is_closed_is_not_removed "sp1_11"
    sp1_12_the_same_number_stays_open_at_exec "sp1_12"
    sp1_13_the_same_actions_twice "sp1_13"
    sp2_1_a_missing_loader "sp2_1"
    sp4_1_a_script_without_an_interpreter "sp4_1"
    sp5_1_the_upper_half "sp5_1"
    sp5_3_all_but_one "sp5_3"
    sp5_4_all_of_them "sp5_4"
    sp6_2_a_new_group_in_the_foreground "sp6_2"
    sp6_4_a_new_session_has_no_terminal "sp6_4"
    sp7_1_defaults_stay "sp7_1"
    sp7_2_handlers_become_defaults "sp7_2"
    ch_1_changing_directories_succeeds "ch_1"
    ch_3_actions_are_done_in_order "ch_3"
    ch_4_a_program_is_what_was_opened_wherever_the_child_goes "ch_4"
    ch_5_where_the_child_ends_up "ch_5"
    ch_6_the_directory_of_others_stays "ch_6"
    ch_7_what_is_created_was_not_there "ch_7"
    sid_1_the_session_is_the_hosts "sid_1"
    sid_2_a_session_of_its_own "sid_2"
    sid_3_a_command_may_go_before_its_child "sid_3"
    fd_1_numbers_that_could_be "fd_1"
    fd_3_the_limit_of_open_files "fd_3"
    pf_4_a_process_that_runs_or_was_not_waited_for "pf_4"
    pf_5_waiting_by_handle "pf_5"
    pf_6_a_process_that_was_waited_for "pf_6"
    pf_9_a_live_process "pf_9"
    pf_10_a_signal_arrives "pf_10"
    pf_13_a_kill_by_handle "pf_13"
    pm_2_no_signal_after_a_wait "pm_2"
    xp_3_no_shell_runs_what_has_no_format "xp_3"
    xp_5_the_environment_is_the_childs "xp_5"
    rl_limits_of_resources "rl"
    g1_a_child_without_an_exit_signal "g1"
    g6_the_first_failure_wins "g6"
    g7_closing_what_is_not_open "g7"
    g8_close_on_exec_is_kept_and_cleared "g8"
    g10_a_deadly_signal_before_the_program_is_an_end "g10"
    g12_the_number_of_a_process "g12"
    g14_readable_is_not_gone "g14"
    g15_a_group_after_its_leader_was_waited_for "g15"
    g16_the_mask_of_a_child "g16"
}

/// A row of a guest with a group, where the host can make one.
#[track_caller]
fn group_row(test: &str, name: &str) {
    if !cgroup::has(test, &[]) {
        return;
    }
    let grouped = |name| grant(name).group(GrantGroup::Named("build".to_owned()));
    let policy = Policy::new().group(Group::new("build")).unwrap();
    let run = Run::new(POSIX_ROWS).args(&[name]).policy(policy);
    run.grant(grouped("sh")).grant(grouped("cat")).sync().success();
}

#[test]
fn cg_3_a_spawn_into_a_group_succeeds() {
    group_row("cg_3_a_spawn_into_a_group_succeeds", "cg_3");
}

#[test]
fn cg_4_its_child_exits_with_zero() {
    group_row("cg_4_its_child_exits_with_zero", "cg_4");
}

#[test]
fn cg_5_born_inside() {
    group_row("cg_5_born_inside", "cg_5");
}

#[test]
fn g11_a_frozen_group_takes_nobody_in() {
    group_row("g11_a_frozen_group_takes_nobody_in", "g11");
}

/// Shows a row again and again, and counts what is left.
fn leaves_nothing_behind(name: &str) {
    leaves_nothing(|| row(name));
}

#[test]
fn sp2_3_the_child_of_a_failure_is_waited_for() {
    isolated(|| leaves_nothing_behind("sp2_3"));
}

#[test]
fn sp2_4_a_failure_leaves_no_descriptor() {
    isolated(|| leaves_nothing_behind("sp2_4"));
}

#[test]
fn g3_a_child_without_a_handle_leaves_no_descriptor() {
    isolated(|| leaves_nothing_behind("g3"));
}

#[test]
fn sp5_6_those_of_the_host_stay() {
    isolated(|| {
        row("sp5_6");
        let before = descriptors("self");
        row("sp5_6");
        assert_eq!(descriptors("self"), before);
    });
}

#[test]
fn ex1_one_process_of_many_threads() {
    let (_places, run) = run(&["ex1"]);
    let runtime = multi_thread();
    runtime.block_on(runtime.spawn(run.r#async())).unwrap().success();
}

#[test]
fn sp6_1_the_group_of_the_host_in_the_foreground() {
    in_terminal(|| row("sp6_1"));
}

/// Runs the body of a test in a host that ignores these signals, where the shell
/// can do that.
#[track_caller]
fn ignoring<F: FnOnce()>(signals: &str, body: F) {
    if is_helper(&body) {
        return body();
    }
    let test = helper(&body);
    // That of Debian cannot ignore SIGCHLD, another one can.
    let shell = if std::path::Path::new("/bin/bash").exists() { "bash" } else { "sh" };
    let mut shell = std::process::Command::new(shell);
    let script = format!("trap '' {signals}; exec \"$0\" \"$@\"");
    shell.args(["-c", &script]).arg(test.get_program());
    shell.args(test.get_args());
    for (name, value) in test.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let output = shell.stdin(std::process::Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{output:?}");
}

#[test]
fn sp7_3_what_is_ignored_stays_ignored() {
    ignoring("10 34", || row("sp7_3"));
}

#[test]
fn sp7_4_unless_it_is_to_be_the_default() {
    ignoring("10 34", || row("sp7_4"));
}

#[test]
fn sp7_5_such_children_end_well() {
    ignoring("10 34", || row("sp7_5"));
}

#[test]
fn g13_a_status_that_somebody_else_waited_for() {
    ignoring("17", || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
        let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap();
        if ignored & 1 << 16 == 0 {
            return skip("posix::g13", "this system's shell cannot ignore SIGCHLD");
        }
        // Without the scripts, which are made by a child that is waited for.
        Run::new(POSIX_ROWS).args(&["g13"]).allow(&["sh"]).sync().success();
    });
}

/// The tests of the rows, by name.
fn tests() -> BTreeSet<&'static str> {
    let sources = [include_str!("posix.rs"), include_str!("fork.rs")];
    let names = sources.into_iter().flat_map(str::lines).filter_map(|line| {
        let line = line.trim_start();
        let name = line.strip_prefix("fn ").and_then(|rest| rest.split_once("()"));
        let listed = line.split_once(" \"").filter(|(_, row)| row.ends_with('"'));
        Some(name.or(listed)?.0)
    });
    names.filter(|name| id(name).is_some()).collect()
}

/// What a test's name begins with, as the guest calls it: `sp1_6`, `g7`, `rl`.
fn id(test: &str) -> Option<String> {
    let (family, rest) = test.split_once('_')?;
    let numbered = ["ch", "sid", "fd", "cg", "pf", "gi", "pm", "fk", "fn", "xp"].contains(&family);
    let is_numbered = numbered || family.starts_with("sp");
    let number = rest.split('_').next()?;
    let has_number = number.parse::<u32>().is_ok();
    let alone = family == "rl"
        || ["g", "ex"].iter().any(|name| {
            family.strip_prefix(name).is_some_and(|number| number.parse::<u32>().is_ok())
        });
    match (is_numbered && has_number, alone) {
        (true, _) => Some(format!("{family}_{number}")),
        (_, true) => Some(family.to_owned()),
        _ => None,
    }
}

/// Every row that the guest knows has a test, and no test is without its row.
#[test]
fn posix_rows() {
    let (_places, run) = run(&["list"]);
    let ready = run.ready();
    let printed = ready.stdout();
    ready.sync().success();
    let text = printed.text();
    let rows: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    // Those of forks have a guest of their own.
    let is_here = |id: &String| !id.starts_with("fk_") && !id.starts_with("fn_");
    let ids: BTreeSet<String> = tests().into_iter().filter_map(id).filter(is_here).collect();
    assert_eq!(ids, rows);
    assert!(rows.len() > 50, "{}", rows.len());
}

/// The ids of `docs/posix.md`, each with its last cell: a guest's test, or why
/// there is none.
fn table() -> Vec<(&'static str, &'static str)> {
    let document = include_str!("../../docs/posix.md");
    let rows = document.lines().filter_map(|line| {
        let cells = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let cells: Vec<&str> = cells.split(" | ").collect();
        let [name, _, guest] = cells[..] else { return None };
        let is_id = name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-');
        let is_row = guest.starts_with('`') || guest.starts_with("not ");
        (is_id && is_row && name.len() > 1).then_some((name, guest))
    });
    rows.collect()
}

/// The document's ids and the guests' tests are the same set, both ways. The
/// engine's own tests are compared by its `tests/matrix.rs`.
#[test]
fn the_document_and_the_tests_name_the_same() {
    let (mut ids, mut named) = (BTreeSet::new(), BTreeSet::new());
    for (name, cell) in table() {
        assert!(ids.insert(name), "{name} is there twice");
        match cell.strip_prefix('`').and_then(|cell| cell.strip_suffix('`')) {
            Some(test) => {
                let prefix = format!("{}_", name.to_lowercase().replace('-', "_"));
                assert!(test.starts_with(&prefix), "{name} names {test}");
                named.insert(test);
            }
            None => assert!(cell.starts_with("not ") && cell.contains(", because "), "{name}"),
        }
    }
    assert!(ids.len() > 90, "{}", ids.len());
    assert_eq!(named, tests());
}
