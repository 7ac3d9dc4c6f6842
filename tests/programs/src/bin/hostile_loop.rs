//! Computes without end, while a child and a grandchild live.

use test_programs::family;

fn main() {
    let _child = family(|_| ());
    println!("started");
    loop {
        std::hint::spin_loop();
    }
}
