//! Components stay small.

use std::fs;

use offspring_tests::{CI, HELLO};

#[test]
fn of_the_examples() {
    for (component, limit) in [(HELLO, 150_000), (CI, 600_000)] {
        let size = fs::metadata(component).unwrap().len();
        assert!(size < limit, "{component} has {size} bytes");
    }
}
