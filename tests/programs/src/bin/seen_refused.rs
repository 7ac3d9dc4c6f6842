//! Is refused as often as its argument says.

use offspring_guest::{Command, ErrorCode};
use test_programs::refused;

fn main() {
    let count: usize = std::env::args().nth(1).and_then(|count| count.parse().ok()).expect("n");
    let mut missing = Command::new("missing");
    for _ in 0..count {
        assert_eq!(refused(missing.spawn()).1.code, ErrorCode::AccessDenied);
    }
}
