//! Where it cannot be, a fork is refused, with the reason that the first
//! argument names.

use offspring_guest::fork::{self, ForkError};
use test_programs::not_forked;

fn main() {
    let reason = std::env::args().nth(1).expect("a reason");
    let error = not_forked(fork::fork());
    let expected = match &*reason {
        "policy" => ForkError::NotPermitted,
        "threads" => ForkError::NotSingleThreaded,
        "runtime" => {
            let why = "the host does not run this guest by `offspring::fork::Runtime`";
            ForkError::Unsupported(why.to_owned())
        }
        "limit" => ForkError::LimitReached,
        "memory" => ForkError::OutOfMemory,
        other => panic!("no such reason: {other}"),
    };
    assert_eq!(error, expected);
}
