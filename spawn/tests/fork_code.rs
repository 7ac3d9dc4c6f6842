//! Code that was moved to huge pages runs on, here and in forks.

#![expect(unsafe_code, reason = "the program is made large by assembly")]

mod support;

use std::fs;

use offspring_spawn::{Command, ExitStatus, Fork, Program, prefer_huge_code};
use support::fork::{child, succeeds};
use support::isolation::{alone, skip};

// So much code that there is a huge page of it wherever the program is loaded.
std::arch::global_asm!(
    ".pushsection .text.much,\"ax\",@progbits",
    ".globl offspring_test_much",
    "offspring_test_much:",
    ".skip 6 << 20, 0xcc",
    ".popsection"
);

unsafe extern "C" {
    /// What keeps the linker from leaving it out.
    #[link_name = "offspring_test_much"]
    static MUCH: u8;
}

/// What is mapped where this function is.
fn mapped_here() -> String {
    let here = mapped_here as *const () as usize;
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let is_here = |line: &&str| {
        let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        let [start, end] = [start, end].map(|text| usize::from_str_radix(text, 16).unwrap());
        (start..end).contains(&here)
    };
    maps.lines().find(is_here).unwrap().to_owned()
}

fn starts_a_program() {
    let program = Program::open("/bin/true").unwrap();
    let child = Command::new(&program).spawn().unwrap();
    assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(0));
}

#[test]
fn moved_code_runs_on() {
    alone(|| {
        std::hint::black_box(&raw const MUCH);
        let moved = prefer_huge_code().unwrap();
        if moved == 0 {
            return skip("moved_code_runs_on", "no code was moved: no huge pages, or little code");
        }
        assert_eq!(moved % (2 << 20), 0);
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        // The same access as before, and not written to by anybody.
        assert!(!maps.contains("rwx"), "{maps}");
        assert!(mapped_here().contains("r-xp"), "{}", mapped_here());
        starts_a_program();
        succeeds(&Fork::new(), || {
            starts_a_program();
            succeeds(&Fork::new(), starts_a_program);
        });
        let panicked = child(&Fork::new(), || panic!("on purpose, to unwind moved code"));
        assert_eq!(panicked.wait().unwrap().status, ExitStatus::Exited(support::fork::PANICKED));
        // What was moved is no longer a file's, and so is not moved again.
        let again = prefer_huge_code().unwrap();
        assert!(again < moved, "{again} and {moved}");
    });
}

#[test]
fn never_beside_another_thread() {
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let other = std::thread::spawn(move || ended.recv());
    assert_eq!(prefer_huge_code().unwrap(), 0);
    drop(end);
    assert!(other.join().unwrap().is_err());
}
