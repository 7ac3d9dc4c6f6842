//! End-to-end tests: real guests in a real engine start real processes.
//!
//! One module a suite, one test a guest, of the same name: a guest without a
//! test does not compile. Beside them stand tests of hosts, of what is left
//! behind, and of the sources themselves.

#![deny(unsafe_code)]

#[path = "../../spawn/tests/support/attacker.rs"]
mod attacker;
mod component;
mod ended;
mod fuse;
#[path = "../../spawn/tests/support/isolation.rs"]
#[allow(dead_code, reason = "every user of it uses a part of it")]
mod isolation;
mod kept;
mod lifeline;
mod namespace;
mod place;
#[path = "../../spawn/tests/support/refusal.rs"]
#[allow(dead_code, reason = "every user of it uses a part of it")]
mod refusal;
mod run;
mod runtime;
mod subscriber;
#[path = "../../spawn/tests/support/traces.rs"]
#[allow(dead_code, reason = "every user of it uses a part of it")]
mod traces;

mod actions;
mod apart;
mod attack;
mod attributes;
mod cgroup;
mod embed;
mod fork;
mod grant;
mod grants;
mod hostile;
mod layers;
mod leaks;
mod moments;
mod pidfd;
mod pinned;
mod pipe;
mod policy;
mod posix;
mod pty;
mod recipes;
mod sandbox;
mod seen;
mod sizes;
mod slow;
mod spawn;
mod spawned;
mod stdio;
mod wit;
mod written;

/// Fails to compile when a guest has no test.
#[macro_export]
macro_rules! assert_test_exists {
    ($name:ident) => {
        #[expect(unused_imports, reason = "only that it exists matters")]
        use self::$name as _;
    };
}
