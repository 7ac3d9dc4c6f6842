//! Pipes that a guest makes.

use offspring::policy::{Limits, Policy};
use offspring_tests::*;

use crate::assert_test_exists;
use crate::isolation::skip;
use crate::run::Run;
use crate::runtime::everywhere;

for_each_pipe_program!(assert_test_exists);

#[test]
fn pipe_ends() {
    everywhere(|| Run::new(PIPE_ENDS));
}

#[test]
fn pipe_full() {
    everywhere(|| Run::new(PIPE_FULL));
}

#[test]
fn pipe_limit() {
    let limits = Limits { max_pipes: 4, ..Limits::default() };
    let run = Run::new(PIPE_LIMIT).policy(Policy::new().limits(limits));
    run.allow(&["cat", "sh"]).sync().success();
}

#[test]
fn pipe_large() {
    let (_reader, writer) = rustix::pipe::pipe().unwrap();
    if let Err(errno) = rustix::pipe::fcntl_setpipe_size(&writer, 1 << 20) {
        return skip("pipe::pipe_large", format!("this user may not make pipes larger: {errno}"));
    }
    let limits = Limits { max_buffered_bytes: 1_000_000, ..Limits::default() };
    everywhere(|| Run::new(PIPE_LARGE).policy(Policy::new().limits(limits)));
}

#[test]
fn pipe_shared() {
    everywhere(|| Run::new(PIPE_SHARED).allow(&["cat", "sh"]));
}
