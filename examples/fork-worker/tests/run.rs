//! The example does what it says.

use std::process::Command;

#[test]
fn two_tenants_fork_at_once() {
    let host = env!("CARGO_BIN_EXE_fork-worker");
    let output = Command::new(host).arg(offspring_tests::FORK_SERVER).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    let mut lines: Vec<_> = stdout.lines().collect();
    lines.sort_unstable();
    let mut expected = [
        "blue: 100: exit status: 0",
        "blue: 25 primes up to 100",
        "blue: crash: exit status: 134",
        "blue ended with exit status: 0",
        "red: 10: exit status: 0",
        "red: 1000: exit status: 0",
        "red: 168 primes up to 1000",
        "red: 4 primes up to 10",
        "red ended with exit status: 0",
    ];
    expected.sort_unstable();
    assert_eq!(lines, expected, "{output:?}");
}
