//! Waits without end for a child, and says what became of it.

use test_programs::family;

fn main() {
    let child = family(|_| ());
    println!("waiting");
    let status = child.pidfd().wait().expect("it ends");
    println!("{status}");
}
