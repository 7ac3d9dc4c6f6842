//! Nothing is left behind: no descriptor, no child, no thread.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use offspring_tests::*;
use wasmtime_wasi::FsPerms::ReadWrite;

use crate::isolation::isolated;
use crate::lifeline::Lifeline;
use crate::place::Place;
use crate::run::Run;
use crate::runtime::current_thread;
use crate::traces::{assert_no_children, descriptors};

/// How long what is on its way out may take on a busy machine, before it is
/// called left behind. A runtime keeps idle threads for ten seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs something that must leave nothing behind. Only for a process that runs
/// one test.
///
/// It is run once before, for what a process makes once: runtimes, caches.
#[track_caller]
pub fn leaves_nothing(body: impl Fn()) {
    body();
    let (open, running) = (descriptors("self"), threads());
    body();
    let start = Instant::now();
    // What the first run had not closed yet may be there no more.
    let more = || {
        let mut now = descriptors("self");
        now.retain(|number, what| open.get(number) != Some(what));
        now
    };
    while (!more().is_empty() || threads() > running) && start.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(more(), BTreeMap::new());
    assert!(threads() <= running, "{} threads, {running} before", threads());
    assert_no_children();
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

/// The same guests again, in both kinds of embedder.
#[test]
fn of_running_again() {
    isolated(|| {
        let guests = [
            SPAWN_OUTPUT,
            SPAWN_STATUS,
            STDIO_BOTH_FULL,
            STDIO_HALF_CLOSE,
            STDIO_JOINED,
            STDIO_UNREAD_INPUT,
            STDIO_UNREAD_OUTPUT,
            PIDFD_MANY,
            PIPE_SHARED,
        ];
        let place = Place::new();
        leaves_nothing(|| {
            for guest in guests {
                let run = || {
                    let run = Run::new(guest).allow(&["cat", "head", "sh", "true"]);
                    run.dir(place.root(), "/dir", ReadWrite)
                };
                run().sync().success();
                current_thread().block_on(run().r#async()).success();
            }
        });
    });
}

/// Guests that end badly, with children that live.
#[test]
fn of_guests_that_trap() {
    isolated(|| {
        leaves_nothing(|| {
            for way in ["abort", "memory", "exit", "forget"] {
                let lifeline = Lifeline::new();
                let run = || Run::new(HOSTILE_TRAP).allow(&["sh"]).args(&[way, &lifeline.path()]);
                run().sync();
                current_thread().block_on(run().r#async());
                lifeline.assert_gone();
            }
        });
    });
}
