//! Makes a pipe with as many resources as are left: two are needed.

use offspring_guest::__internal::pipe::create;
use offspring_guest::__internal::spawn::Command;
use offspring_guest::__internal::types::ErrorCode;
use offspring_guest::exit;

/// What it exits with when one was left.
const ONE: u8 = 10;

fn main() {
    let Err(error) = create() else { exit(0) };
    assert!(matches!(error, ErrorCode::LimitReached), "{error:?}");
    // Nothing is left of it, so there is room for this; else it traps.
    let _command = Command::new("one");
    exit(ONE);
}
