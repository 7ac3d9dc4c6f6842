//! Ends in the way that its first argument names, while a child and a
//! grandchild live.

use std::hint::black_box;

use test_programs::family;

fn main() {
    let child = family(|_| ());
    match std::env::args().nth(1).as_deref() {
        Some("panic") => panic!("on purpose"),
        Some("abort") => std::process::abort(),
        Some("overflow") => println!("{}", overflow(0)),
        Some("memory") => loop {
            std::mem::forget(black_box(Vec::<u8>::with_capacity(1 << 28)));
        },
        Some("exit") => offspring_guest::exit(3),
        Some("forget") => std::mem::forget(child),
        way => panic!("no such way: {way:?}"),
    }
}

#[expect(unconditional_recursion, reason = "that is what it is for")]
fn overflow(depth: u64) -> u64 {
    black_box(overflow(black_box(depth + 1))) + 1
}
