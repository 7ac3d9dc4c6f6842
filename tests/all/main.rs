//! End-to-end tests: real guests in a real engine start real processes.
//!
//! One module a suite, one test a guest, of the same name: a guest without a
//! test does not compile.

#![deny(unsafe_code)]

#[path = "../../spawn/tests/support/isolation.rs"]
mod isolation;
mod place;
mod run;
#[path = "../../spawn/tests/support/traces.rs"]
mod traces;

mod spawn;

/// Fails to compile when a guest has no test.
#[macro_export]
macro_rules! assert_test_exists {
    ($name:ident) => {
        #[expect(unused_imports, reason = "only that it exists matters")]
        use self::$name as _;
    };
}
