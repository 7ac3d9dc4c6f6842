//! Commands without end, and arguments that are many and empty: both take the
//! host's memory, and are counted by it.

use offspring_guest::__internal::spawn::Command;
use offspring_guest::__internal::types::ErrorCode;

/// More than the host has memory for, by its limit.
const MANY: usize = 20_000;

fn main() {
    let commands: Vec<Command> = (0..MANY).map(|_| Command::new("sh")).collect();
    let last = commands.last().expect("there are many");
    assert!(matches!(last.args(&[]), Err(ErrorCode::LimitReached)));
    let error = last.spawn().expect_err("it counts for nothing");
    assert!(matches!(error.code, ErrorCode::LimitReached));
    drop(commands);

    let nothing = vec![(String::new(), String::new()); 400_000];
    let commands: Vec<Command> = (0..4).map(|_| Command::new("sh")).collect();
    let taken = commands.iter().filter(|command| command.env(&nothing).is_ok()).count();
    assert!(taken < commands.len(), "{taken} took all");
    assert!(commands[0].env(&[]).is_ok(), "less is always possible");
}
