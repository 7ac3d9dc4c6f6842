//! The example does what it says.

use std::process::Command;

#[test]
fn runs_the_hello_example() {
    let host = env!("CARGO_BIN_EXE_embed");
    let output = Command::new(host).arg(offspring_tests::HELLO).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(stdout.starts_with("git version "), "{stdout}");
    assert!(stdout.ends_with("git ended with exit status: 0\n"), "{stdout}");
}
