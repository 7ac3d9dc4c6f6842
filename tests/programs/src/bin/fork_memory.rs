//! Memory is copied: what one process writes the other does not see.

use std::sync::atomic::{AtomicU32, Ordering};

use offspring_guest::fork::{self, Forked};
use test_programs::forked;

static GLOBAL: AtomicU32 = AtomicU32::new(1);

fn main() {
    let mut heap = vec![1_u8; 1 << 20];
    let mut local = 1;
    match fork::fork().expect("it forks") {
        Forked::Child => {
            GLOBAL.store(2, Ordering::Relaxed);
            heap.fill(2);
            local += 1;
            let more = vec![3_u8; 1 << 24];
            assert!(more.iter().all(|byte| *byte == 3));
            assert!(heap.iter().all(|byte| *byte == 2));
            offspring_guest::exit(local + 40);
        }
        Forked::Parent(child) => {
            heap[0] = 5;
            let status = child.wait().expect("it ends");
            assert_eq!((status.code(), status.cause()), (Some(42), None));
            // As often as one likes, and what it used.
            assert_eq!(child.wait().expect("it has ended"), status);
            assert_eq!(child.try_wait().expect("it has ended"), Some(status));
            assert!(child.usage().expect("it has ended").minor_faults > 0);
        }
    }
    assert_eq!((GLOBAL.load(Ordering::Relaxed), heap[0], heap[1], local), (1, 5, 1, 1));
    // Each from what its own parent had.
    let mut numbers = vec![0];
    forked(|| {
        numbers.push(1);
        forked(|| {
            numbers.push(2);
            assert_eq!(numbers, [0, 1, 2]);
        });
        assert_eq!(numbers, [0, 1]);
    });
    assert_eq!(numbers, [0]);
    again_and_again();
}

/// Where there were many forks, the host moves memory, and the code that goes on. This
/// is some huge pages, and parts of them, and grows meanwhile.
fn again_and_again() {
    const SIZE: u32 = 3 << 20;
    let numbers = |from: u32| (0..SIZE).map(move |number| number.wrapping_mul(0x9e37_79b9) ^ from);
    let mut all = Vec::new();
    for round in 0..40 {
        if round % 10 == 0 {
            all.push(numbers(round).collect::<Vec<_>>());
        }
        let is_right = |all: &[Vec<u32>]| {
            (0..).step_by(10).zip(all).all(|(from, part)| numbers(from).eq(part.iter().copied()))
        };
        forked(|| {
            assert!(is_right(&all), "the child's, {round}");
            all.iter_mut().for_each(|part| part.fill(round));
        });
        assert!(is_right(&all), "the parent's, {round}");
    }
}
