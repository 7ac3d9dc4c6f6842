//! Runs a program that attacks whatever it can reach, with the arguments that
//! this guest was given. It says itself what it could do. Once more when a thread that
//! is in its sandbox makes it.

use offspring_guest::Command;

fn main() {
    for _ in 0..6 {
        attack();
    }
}

fn attack() {
    let output = Command::new("attacker").args(std::env::args().skip(1)).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{stdout}\n{stderr}", output.status);
    print!("{stdout}");
}
