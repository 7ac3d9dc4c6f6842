//! However a fork ends, its parent learns of it, and only of its end.

use std::hint::black_box;

use offspring_guest::fork::{self, Forked};

#[expect(clippy::exit, reason = "one of the ways to end")]
fn end(way: &str) -> u8 {
    match way {
        "exit" => offspring_guest::exit(7),
        "failure" => std::process::exit(1),
        "panic" => panic!("on purpose"),
        "abort" => std::process::abort(),
        "recursion" => deep(0).to_le_bytes()[0],
        "stack" => wide(0),
        "memory" => loop {
            std::mem::forget(black_box(Vec::<u8>::with_capacity(1 << 28)));
        },
        _ => 255,
    }
}

#[expect(unconditional_recursion, reason = "that is what it is for")]
fn deep(depth: u64) -> u64 {
    black_box(deep(black_box(depth + 1))) + 1
}

/// Leaves the stack in linear memory, below which there is no memory.
#[expect(unconditional_recursion, reason = "that is what it is for")]
fn wide(depth: u8) -> u8 {
    let mut room = black_box([depth; 1 << 16]);
    room[0] = wide(black_box(depth.wrapping_add(1)));
    black_box(room)[1]
}

fn main() {
    const TRAP: i32 = 134;
    let ways = [
        ("code", 255),
        ("exit", 7),
        ("failure", 1),
        ("panic", TRAP),
        ("abort", TRAP),
        ("recursion", TRAP),
        ("stack", TRAP),
        ("memory", TRAP),
    ];
    for (way, code) in ways {
        let child = fork::spawn(|| end(way)).expect("it forks");
        let status = child.wait().expect("it ends");
        assert_eq!(status.code(), Some(code), "{way}: {status}");
    }
    // It returns from `main`, where nobody but the host sees it.
    match fork::fork().expect("it forks") {
        Forked::Child => {}
        Forked::Parent(child) => {
            assert_eq!(child.wait().expect("it ends").code(), Some(0));
            // No fork made this one.
            fork::exit(3);
        }
    }
}
