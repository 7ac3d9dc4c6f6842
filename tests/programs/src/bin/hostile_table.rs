//! Spawns with as many resources as are left: four are needed. One child may
//! live at a time.

use offspring_guest::__internal::spawn::{Command, Input, Output, SpawnError, Spawned, Stage};
use offspring_guest::__internal::types::ErrorCode;
use offspring_guest::exit;

/// What it exits with when nothing was left, and when too little was.
const NOTHING: u8 = 10;
const TOO_LITTLE: u8 = 11;

fn main() {
    let command = Command::new("cat");
    command.stdin(&Input::Piped).expect("setters only record");
    command.stdout(&Output::Piped).expect("setters only record");
    command.stderr(&Output::Piped).expect("setters only record");
    if !full(command.spawn()) {
        exit(0);
    }
    // Nothing is left of it: neither in the table nor alive.
    assert!(full(command.spawn()));
    command.stdin(&Input::Null).expect("setters only record");
    command.stdout(&Output::Null).expect("setters only record");
    command.stderr(&Output::Null).expect("setters only record");
    exit(if full(command.spawn()) { NOTHING } else { TOO_LITTLE });
}

fn full(result: Result<Spawned, SpawnError>) -> bool {
    let Err(error) = result else { return false };
    assert!(matches!(error.code, ErrorCode::LimitReached), "{error:?}");
    assert!(matches!(error.stage, Stage::Policy(rule) if rule == "limits.max-handles"));
    true
}
