//! The traps of the processor and those of WebAssembly alone are clean ends of a
//! fork, and its parent goes on.

#![expect(unsafe_code, reason = "safe code does not trap so")]

use std::hint::{black_box, unreachable_unchecked};

use offspring_guest::fork;
use test_programs::forked;

/// Divides as the processor does, without a check before.
fn divide(by: i32) -> i32 {
    let by = black_box(by);
    if by == 0 {
        // SAFETY: that this is reached is what the test is about: the machine's own
        // division is all that is left, and it traps.
        unsafe { unreachable_unchecked() }
    }
    black_box(i32::MIN) / by
}

/// Calls what is no function.
fn call_nothing() -> i32 {
    // SAFETY: none; WebAssembly looks for it in its table, and traps.
    let function: fn(i32) -> i32 =
        unsafe { std::mem::transmute(std::ptr::without_provenance::<()>(black_box(0x00ff_ffff))) };
    function(1)
}

/// Calls a function as one of another type.
fn call_another() -> i64 {
    let function = black_box(divide as fn(i32) -> i32);
    // SAFETY: none; WebAssembly compares the types, and traps.
    let function: fn(i64, i64) -> i64 = unsafe { std::mem::transmute(function) };
    function(1, 2)
}

/// Reads where there is no memory: 4 GiB are reserved, and the guest has less.
fn read_beyond() -> u8 {
    let address = black_box(0xfff0_0000_usize) as *const u8;
    // SAFETY: none; it is outside of the linear memory, and traps.
    unsafe { address.read_volatile() }
}

fn trap(way: &str) -> u8 {
    match way {
        "division" => divide(0).to_le_bytes()[0],
        "no function" => call_nothing().to_le_bytes()[0],
        "another type" => call_another().to_le_bytes()[0],
        "memory" => read_beyond(),
        "unreachable" => std::process::abort(),
        _ => 7,
    }
}

fn main() {
    for way in ["division", "no function", "another type", "memory", "unreachable"] {
        let child = fork::spawn(|| trap(way)).expect("it forks");
        assert_eq!(child.wait().expect("it ends").code(), Some(134), "{way}");
        // Also in the fork of a fork.
        forked(|| {
            let child = fork::spawn(|| trap(way)).expect("it forks");
            assert_eq!(child.wait().expect("it ends").code(), Some(134), "{way}");
        });
    }
    let child = fork::spawn(|| trap("none")).expect("it forks");
    assert_eq!(child.wait().expect("it ends").code(), Some(7));
}
