//! Forks that compute without end and ask their host for nothing, one after the
//! other, and a parent that waits for them.

use std::hint::black_box;

use offspring_guest::fork;
use test_programs::forked;

fn spin() -> u8 {
    loop {
        black_box(0);
    }
}

fn main() {
    for _ in 0..3 {
        let child = fork::spawn(spin).expect("it forks");
        assert_eq!(child.wait().expect("it ends").code(), Some(134));
    }
    forked(|| {
        let child = fork::spawn(spin).expect("it forks");
        assert_eq!(child.wait().expect("it ends").code(), Some(134));
    });
}
