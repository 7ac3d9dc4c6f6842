//! What a host's log has of its guests.

use std::collections::{BTreeMap, BTreeSet};

use offspring_tests::*;
use tracing::Level;

use crate::assert_test_exists;
use crate::isolation::isolated;
use crate::run::{Run, grant};
use crate::runtime::current_thread;
use crate::subscriber::{Said, Seen, State};

for_each_seen_program!(assert_test_exists);

/// Begins to see everything. Only for a process that runs one test.
fn see() -> Seen {
    let seen = Seen::default();
    tracing::subscriber::set_global_default(seen.clone()).unwrap();
    seen
}

/// Runs it in both kinds of embedder, and gives what was seen of each.
fn both(seen: &Seen, run: impl Fn() -> Run, check: impl Fn(State)) {
    run().sync().success();
    check(seen.take());
    current_thread().block_on(run().r#async()).success();
    check(seen.take());
}

/// What is said of spawns, denials, signals and ends, but for numbers.
fn lines(said: &[Said]) -> Vec<String> {
    let told = said.iter().filter(|said| said.level < Level::TRACE);
    let line = |said: &Said| {
        let field = |name| said.fields.get(name).map(String::as_str).unwrap_or("-");
        let [message, grant, status, cause, signal] =
            ["message", "grant", "status", "cause", "signal"].map(field);
        assert_eq!(field("guest"), "name", "{said:?}");
        let has_pid = said.fields.contains_key("pid");
        assert_eq!(has_pid, said.fields.contains_key("child"), "{said:?}");
        format!("{} {message} | {grant} {status} {cause} {signal}", said.level)
    };
    told.map(line).collect()
}

#[test]
fn spawns_denials_signals_and_ends() {
    isolated(|| {
        let seen = see();
        let run = || {
            let shell = grant("sh").env_allow("SECRET".parse().unwrap());
            let run = Run::new(EMBED_AUDIT).grant(shell).allow(&["cat"]);
            run.process(|process| process.name("name"))
        };
        both(&seen, run, |State { said, .. }| {
            let told = format!("{said:?}");
            assert!(!told.contains("hunter2"), "a secret: {told}");
            let expected = [
                "WARN refused for `missing`: no program is granted as `missing` | - - - -",
                "INFO spawned | sh - - -",
                "INFO exited | sh exit status: 3 None -",
                "INFO spawned | cat - - -",
                "WARN refused for `cat`: SIGHUP may not be sent to `cat`; allowed: `SIGKILL` | - - - -",
                "INFO signaled | cat - - SIGKILL",
                "INFO exited | cat signal: 9 (SIGKILL) Some(Killed) -",
                "INFO spawned | cat - - -",
                "INFO exited | cat signal: 9 (SIGKILL) Some(Dropped) -",
                "INFO spawned | cat - - -",
                "INFO exited | cat signal: 9 (SIGKILL) Some(Deadline) -",
                "INFO spawned | sh - - -",
                "INFO exited | sh signal: 9 (SIGKILL) Some(Dropped) -",
            ];
            assert_eq!(lines(&said), expected);
        });
    });
}

/// Each call is a span of its own, in which its begin and its end are told.
#[test]
fn calls() {
    isolated(|| {
        let seen = see();
        let signals = [offspring_spawn::Signal::TERM, offspring_spawn::Signal::STOP];
        let run = || {
            let run = Run::new(EMBED_AUDIT).grant(grant("cat").signals(signals));
            run.grant(grant("sh").env_allow("SECRET".parse().unwrap()))
        };
        let functions = [
            "pidfd [method]pidfd.kill",
            "pidfd [method]pidfd.send-signal",
            "pidfd [method]pidfd.subscribe",
            "pidfd [method]pidfd.try-wait",
            "spawn [constructor]command",
            "spawn [method]command.args",
            "spawn [method]command.deadline",
            "spawn [method]command.env",
            "spawn [method]command.spawn",
            "spawn [method]command.stdin",
            "spawn [static]command.run",
        ];
        both(&seen, run, |state| check_calls(&state, &functions));
        let run = || Run::new(SPAWN_OUTPUT).allow(&["sh"]);
        both(&seen, run, |state| check_calls(&state, &["spawn run-program"]));
    });
}

fn check_calls(State { spans, said }: &State, wanted: &[&str]) {
    let mut told: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    for Said { fields, span, .. } in said.iter().filter(|said| said.level == Level::TRACE) {
        told.entry(span.unwrap()).or_default().push(&fields["message"]);
    }
    assert_eq!(told.len(), spans.len());
    for messages in told.values() {
        assert_eq!(messages[..], ["call", "return"]);
    }
    let functions: BTreeSet<_> =
        spans.iter().map(|span| format!("{} {}", span["module"], span["function"])).collect();
    for function in wanted {
        assert!(functions.contains(*function), "{function} is not in {functions:#?}");
    }
    // What is told of a spawn is told in the span of its call, but for
    // what another thread finds out.
    let spawned = said.iter().filter(|said| said.fields["message"] == "spawned");
    for said in spawned {
        let span = &spans[usize::try_from(said.span.unwrap()).unwrap() - 1];
        let starts = ["[static]command.run", "[method]command.spawn", "run-program"];
        assert!(starts.contains(&&*span["function"]), "{span:?}");
        assert_eq!(span["level"], "TRACE");
    }
}

#[test]
fn limits() {
    isolated(|| {
        let seen = see();
        let policy = r#"
            [program.cat]
            path = "cat"
            stdio = ["piped"]

            [limits]
            max-handles = 50
        "#;
        let run = || {
            let run = Run::new(POLICY_HANDLES).policy_file(policy).args(&["children"]);
            run.process(|process| process.name("name"))
        };
        both(&seen, run, |State { said, .. }| {
            let denied: Vec<_> =
                lines(&said).into_iter().filter(|line| line.starts_with("WARN")).collect();
            let full = "WARN refused for command.spawn: the guest holds as many resources as its \
                        host allows | - - - -";
            assert_eq!(denied, [full]);
        });
    });
}

/// A guest that is refused without end does not fill its host's disk: what is not
/// told is counted.
#[test]
fn seen_refused() {
    isolated(|| {
        const REFUSED: usize = 2000;
        let seen = see();
        let run = || {
            let run = Run::new(SEEN_REFUSED).args(&[&REFUSED.to_string()]);
            run.process(|process| process.name("name"))
        };
        both(&seen, run, |State { said, .. }| {
            let warned: Vec<&Said> = said.iter().filter(|said| said.level == Level::WARN).collect();
            let (omitted, refused): (Vec<&Said>, _) =
                warned.into_iter().partition(|said| said.fields.contains_key("count"));
            assert!((1000..REFUSED).contains(&refused.len()), "{} were told", refused.len());
            let omitted = omitted.iter().map(|said| said.fields["count"].parse::<usize>().unwrap());
            assert_eq!(omitted.sum::<usize>() + refused.len(), REFUSED);
        });
    });
}
