//! Waiting for a child and a clock together.

use std::time::Duration;

use offspring_guest::__internal::wasip2::clocks::monotonic_clock::subscribe_duration;
use offspring_guest::poll;
use test_programs::cat;

/// As good as never.
const LONG: Duration = Duration::from_secs(100_000);

fn main() {
    let mut child = cat();
    let exit = child.pidfd().pollable();
    assert_eq!(poll(&[&exit, &subscribe_duration(1_000_000)]), [1], "it does not end by itself");
    drop(exit);
    let soon = Duration::from_millis(1);
    assert_eq!(child.pidfd().wait_timeout(soon).expect("it can be asked"), None);
    drop(child.stdin.take());
    let ended = child.pidfd().wait_timeout(LONG).expect("it can be asked");
    assert!(ended.expect("it ends first").success());
    let exit = child.pidfd().pollable();
    let clock = subscribe_duration(u64::MAX);
    assert_eq!(poll(&[&clock, &exit]), [1]);
}
