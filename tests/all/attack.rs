//! Proof by attack: guests that try what broke others who let a confined program
//! start processes. Each ends refused, is in the audit log, and has left a host that
//! serves the next guest.
//!
//! `docs/attacks.md` has the table, and a test here keeps it true.

mod document;
mod doors;
mod links;
mod native;
mod programs;
mod words;

use std::sync::Arc;

use offspring::policy::Policy;
use offspring_tests::*;

use crate::assert_test_exists;
use crate::ended::Ended;
use crate::isolation::skip;
use crate::kept::{Kept, text};
use crate::leaks::leaves_nothing;
use crate::run::Run;

use doors::attack_doors;
use links::attack_links;
use native::attack_native;
use programs::attack_programs;
use words::{attack_answers, attack_scopes, attack_variables, attack_words};

for_each_attack_program!(assert_test_exists);

/// Runs attackers, twice; then the host has neither more descriptors nor threads nor
/// children than before, and serves a guest that means well. Only for a process that
/// runs one test.
#[track_caller]
fn unharmed(attack: impl Fn()) {
    leaves_nothing(|| {
        attack();
        Run::new(SPAWN_OUTPUT).allow(&["sh"]).sync().success();
    });
}

/// Runs an attacker, and compares what it was refused with what its host was told.
#[track_caller]
fn recorded(run: Run) -> Ended {
    let kept = Arc::new(Kept::default());
    let sink = Arc::clone(&kept);
    let ended = run.process(|process| process.audit(sink)).sync().success();
    let is_tried =
        |line: &&str| ["spawn ", "call ", "signal "].iter().any(|at| line.starts_with(at));
    let tried: Vec<String> = ended.stdout.lines().filter(is_tried).map(str::to_owned).collect();
    let told: Vec<String> = told(&kept);
    assert!(!tried.is_empty(), "nothing was tried");
    let differs = tried.iter().zip(&told).position(|(tried, told)| tried != told);
    let at = differs.unwrap_or(tried.len().min(told.len()));
    assert_eq!(tried.get(at), told.get(at), "refusal {at} of {}, {}", tried.len(), told.len());
    ended
}

/// Whether grants can have a sandbox; if not, the test of this name is skipped.
fn has_sandbox(test: &str) -> bool {
    let text = "program.x = { path = 'x', sandbox = 'none' }";
    let has = Policy::parse("policy.toml", text).is_ok();
    if !has {
        skip(test, "grants have no sandbox here");
    }
    has
}

/// The refusals that a host was told, in the words of the guests.
fn told(kept: &Kept) -> Vec<String> {
    let lines = kept.lines();
    let refusals = lines.iter().filter(|line| {
        assert_ne!(text(line, "event"), "omitted", "there were too many");
        ["denied", "failed"].contains(&&*text(line, "decision"))
    });
    let words = refusals.map(|line| {
        let of = if line["event"] == "call" { "function" } else { "grant" };
        let [event, decision, stage] = ["event", "decision", "stage"].map(|key| text(line, key));
        let about = [text(line, "rule"), text(line, "detail")];
        let about = about.iter().filter(|about| *about != "-");
        let stage = about.fold(stage, |stage, about| format!("{stage} {about}"));
        assert!(!text(line, "message").is_empty(), "{line}");
        format!("{event} {:?} {decision} {stage} {}", text(line, of), text(line, "errno"))
    });
    words.collect()
}
