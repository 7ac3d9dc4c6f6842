//! Embedders with threads, whose guests fork in workers.
//!
//! Without the test harness, because a worker is this program executed again, and
//! must not have its threads. Arguments are those of the harness as far as they name
//! tests.

#![deny(unsafe_code)]

#[path = "../../spawn/tests/support/isolation.rs"]
#[allow(dead_code, reason = "every user of it uses a part of it")]
mod isolation;
#[path = "../../spawn/tests/support/traces.rs"]
#[allow(dead_code, reason = "every user of it uses a part of it")]
mod traces;

mod guest;
mod tests;

use std::panic::catch_unwind;
use std::process::ExitCode;

fn main() -> ExitCode {
    offspring::fork::worker_main(guest::prepare);
    if std::env::var_os(tests::LOST).is_some() {
        return tests::be_lost();
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--list") {
        tests::ALL.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let exact = words.iter().any(|word| word == "--exact");
    let names: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let is_wanted = |test: &str| {
        names.is_empty()
            || names.iter().any(|name| if exact { *name == test } else { test.contains(*name) })
    };
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in tests::ALL.iter().filter(|(name, _)| is_wanted(name)) {
        let result = match catch_unwind(test) {
            Ok(()) => {
                passed += 1;
                "ok"
            }
            Err(_) => {
                failed += 1;
                "FAILED"
            }
        };
        println!("test {name} ... {result}");
    }
    let filtered = tests::ALL.len() - passed - failed;
    let result = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {result}. {passed} passed; {failed} failed; 0 ignored; 0 measured; \
         {filtered} filtered out"
    );
    ExitCode::from(u8::from(failed > 0))
}
