//! Spawns as many times as its argument says, and leaves each child in another
//! state.

use offspring_guest::{Command, Stdio};
use test_programs::cat;

fn main() {
    let count: usize = std::env::args().nth(1).and_then(|count| count.parse().ok()).expect("n");
    for number in 0..count {
        match number % 4 {
            0 => drop(cat()),
            1 => assert!(cat().wait().expect("it ends").success()),
            2 => assert!(Command::new("cat").output().expect("it starts").status.success()),
            _ => {
                let mut missing = Command::new("text");
                let missing = missing.stdin(Stdio::piped()).stdout(Stdio::piped());
                missing.spawn().expect_err("it cannot be executed");
            }
        }
    }
}
