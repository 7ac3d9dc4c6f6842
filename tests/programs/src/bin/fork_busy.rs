//! While a thread of the host waits for a deadline, there is no fork.

use std::time::Duration;

use offspring_guest::fork::{self, ForkError};
use offspring_guest::{Command, Stdio};
use test_programs::{forked, not_forked};

fn main() {
    let mut command = Command::new("cat");
    let command = command.stdin(Stdio::piped()).deadline(Duration::from_secs(100_000));
    let child = command.spawn().expect("it starts");
    assert_eq!(not_forked(fork::fork()), ForkError::Busy);
    drop(child);
    forked(|| {});
}
