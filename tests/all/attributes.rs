//! What a guest chooses of its children's attributes.

use offspring::policy::{Attribute, Part};
use offspring_spawn::Signal;
use offspring_tests::*;
use rustix::process::{Uid, geteuid};
use rustix::thread::set_thread_res_uid;

use crate::assert_test_exists;
use crate::isolation::{isolated, skip};
use crate::lifeline::Lifeline;
use crate::run::{Run, grant, sandbox};
use crate::runtime::everywhere;

for_each_attributes_program!(assert_test_exists);

/// Programs whose every attribute may be chosen, within what the host has.
fn run(component: &'static str) -> Run {
    let choosable = || Attribute::ALL.iter().copied().filter(|it| *it != Attribute::RaisePriority);
    // Whose limit of cores is its own.
    let sandbox = sandbox().without(Part::CoreDumps);
    let grant = |name| grant(name).attributes(choosable()).signals([Signal::TERM]);
    let grant = |name| grant(name).sandbox(sandbox.clone());
    Run::new(component).grant(grant("cat")).grant(grant("sh"))
}

#[test]
fn attributes_seen() {
    everywhere(|| run(ATTRIBUTES_SEEN));
}

#[test]
fn attributes_denied() {
    let policy = r#"
        [program.cat]
        path = "cat"
        stdio = ["piped"]

        [program.plain]
        path = "true"

        [program.umask]
        path = "true"
        attributes = ["umask"]

        [program.bounded]
        path = "true"
        attributes = ["nice", "scheduler", "rlimits"]
        rlimits = { core = 7 }
    "#;
    everywhere(|| Run::new(ATTRIBUTES_DENIED).policy_file(policy));
}

#[test]
fn attributes_hostile() {
    let lifeline = Lifeline::new();
    everywhere(|| run(ATTRIBUTES_HOSTILE).args(&[&lifeline.path()]));
    lifeline.assert_gone();
}

/// An ordinary user, who owns nothing.
const NOBODY: u32 = 65534;

/// Only with a host whose ids differ is there something to see.
#[test]
fn attributes_ids() {
    isolated(|| {
        let root = geteuid();
        let nobody = Uid::from_raw(NOBODY);
        // Threads have users of their own in Linux, and this one starts the
        // children.
        if !root.is_root() || set_thread_res_uid(nobody, root, root).is_err() {
            return skip("attributes::attributes_ids", "only root can have two ids");
        }
        run(ATTRIBUTES_IDS).args(&["65534", "0"]).sync().success();
    });
}
