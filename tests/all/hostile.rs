//! Guests that break every rule, and hosts that have nothing left.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use offspring::policy::Grant;
use offspring_tests::*;
use rustix::process::{Resource, Uid};
use rustix::thread::{CapabilitySet, capabilities, set_thread_res_uid};
use wasmtime::{Trap, UpdateDeadline};
use wasmtime_wasi::FsPerms::ReadOnly;

use crate::assert_test_exists;
use crate::component::engine;
use crate::ended::Ended;
use crate::isolation::{isolated, skip};
use crate::leaks::leaves_nothing;
use crate::lifeline::Lifeline;
use crate::place::Place;
use crate::run::{Run, grant};
use crate::runtime::{current_thread, drive_until, everywhere};
use crate::traces::{assert_no_children, descriptors, with_limit};

for_each_hostile_program!(assert_test_exists);

/// Runs a guest whose children must be gone with it.
fn run(component: &'static str, way: &str) -> Ended {
    let lifeline = Lifeline::new();
    let run = || Run::new(component).allow(&["sh"]).args(&[way, &lifeline.path()]);
    current_thread().block_on(run().r#async());
    let ended = run().sync();
    lifeline.assert_gone();
    ended
}

#[test]
fn hostile_trap() {
    for way in ["panic", "abort", "overflow", "memory"] {
        let ended = run(HOSTILE_TRAP, way);
        let trap = ended.result.as_ref().unwrap_err().downcast_ref::<Trap>();
        assert!(trap.is_some(), "{way}: {ended:?}");
    }
    assert_eq!(run(HOSTILE_TRAP, "exit").code(), Some(3));
    assert_eq!(run(HOSTILE_TRAP, "forget").code(), Some(0));
}

/// A host can end a guest that computes without end, and its children with it.
#[test]
fn hostile_loop() {
    let lifeline = Lifeline::new();
    let ready = || {
        let run = Run::new(HOSTILE_LOOP).allow(&["sh"]).args(&[&lifeline.path()]);
        let mut ready = run.ready();
        ready.store.set_epoch_deadline(1);
        let printed = ready.stdout();
        (ready, move || printed.text().contains("started"))
    };

    // By dropping what runs it.
    let (mut dropped, started) = ready();
    dropped.store.epoch_deadline_async_yield_and_update(1);
    let run = || current_thread().block_on(drive_until(Box::pin(dropped.r#async()), started));
    let ended = while_time_goes_by(run);
    assert!(ended.is_none(), "{ended:?}");

    // By interrupting it.
    let (mut interrupted, started) = ready();
    interrupted.store.epoch_deadline_callback(move |_| match started() {
        true => Ok(UpdateDeadline::Interrupt),
        false => Ok(UpdateDeadline::Continue(1)),
    });
    let ended = while_time_goes_by(|| interrupted.sync());
    let trap = ended.result.as_ref().unwrap_err().downcast_ref::<Trap>();
    assert_eq!(trap, Some(&Trap::Interrupt), "{ended:?}");
    lifeline.assert_gone();
}

/// Moves the engine's epoch on as long as something runs.
fn while_time_goes_by<T>(body: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(1));
                engine().increment_epoch();
            }
        });
        let result = body();
        done.store(true, Ordering::Relaxed);
        result
    })
}

/// However few resources a guest may still hold, it is told, and nothing is
/// left of what did not fit.
#[test]
fn hostile_table() {
    let run = |capacity| {
        let run = Run::new(HOSTILE_TABLE).grant(grant("cat").max_children(1));
        run.table_capacity(capacity).sync().code()
    };
    // A command takes one, the process and its pipes four.
    assert_eq!(outcomes(run), [Some(10), Some(11), Some(11), Some(11), Some(0)]);
}

#[test]
fn hostile_table_pipe() {
    let run = |capacity| Run::new(HOSTILE_TABLE_PIPE).table_capacity(capacity).sync().code();
    assert_eq!(outcomes(run), [Some(10), Some(0)]);
}

/// What becomes of a guest that may hold more and more resources, from the
/// first end that is not a trap to the first success.
fn outcomes(run: impl Fn(usize) -> Option<i32>) -> Vec<Option<i32>> {
    let mut outcomes: Vec<_> = (0..100).map(run).skip_while(Option::is_none).collect();
    let success = outcomes.iter().position(|code| *code == Some(0)).unwrap();
    assert!(outcomes.drain(success + 1..).all(|code| code == Some(0)));
    outcomes
}

/// However few descriptors the host has left, the guest is told, and nothing
/// is left of what was not started.
#[test]
fn hostile_descriptors() {
    isolated(|| {
        let place = Place::new();
        let ready = || {
            let run = Run::new(HOSTILE_DESCRIPTORS).allow(&["true"]);
            run.dir(place.root(), "/dir", ReadOnly).ready()
        };
        let run = |limit| {
            let ready = ready();
            with_limit(Resource::Nofile, limit, || ready.sync()).code()
        };
        // The runtime, which cannot be had without descriptors, and which a guest
        // need not wait in.
        wasmtime_wasi::runtime::with_ambient_tokio_runtime(|| ());
        ready().sync().success();
        let codes = || {
            let open = descriptors("self");
            let first_free = (0..).find(|number| !open.contains_key(number)).unwrap();
            let limits = u64::try_from(first_free).unwrap()..;
            let mut codes = Vec::new();
            for limit in limits {
                codes.push(run(limit));
                if codes.last() == Some(&Some(0)) {
                    return codes;
                }
            }
            codes
        };
        leaves_nothing(|| {
            let codes = codes();
            let (last, few) = codes.split_last().unwrap();
            assert_eq!(*last, Some(0));
            assert!(few.len() > 5 && few.iter().all(|code| *code == Some(10)), "{codes:?}");
        });
    });
}

#[test]
fn hostile_processes() {
    /// A user that has no processes.
    const NOBODY: u32 = 61_234;
    isolated(|| {
        let name = "hostile::hostile_processes";
        let ready = || Run::new(HOSTILE_PROCESSES).allow(&["true"]).ready();
        assert_eq!(ready().sync().code(), Some(0));
        let (refused, again) = (ready(), ready());
        // The limit is not for root. Threads have users of their own in Linux,
        // and this one starts the children.
        let uid = Uid::from_raw(NOBODY);
        if rustix::process::geteuid().is_root() && set_thread_res_uid(uid, uid, uid).is_err() {
            return skip(name, "root cannot become another user here");
        }
        if capability_set(CapabilitySet::SYS_RESOURCE | CapabilitySet::SYS_ADMIN) {
            return skip(name, "this user is above the limit");
        }
        let ended = with_limit(Resource::Nproc, 0, || refused.sync());
        assert_eq!(ended.code(), Some(10), "{ended:?}");
        assert_no_children();
        again.sync().success();
    });
}

/// Whether this thread has one of these rights.
fn capability_set(rights: CapabilitySet) -> bool {
    capabilities(None).unwrap().effective.intersects(rights)
}

#[test]
fn hostile_stream() {
    for way in ["too-much", "unasked"] {
        let ended = run(HOSTILE_STREAM, way).trapped();
        assert!(ended.stderr.is_empty(), "it was not the guest that gave up: {ended:?}");
        let error = format!("{:?}", ended.result.unwrap_err());
        assert!(error.contains("more than check-write permitted"), "{error}");
    }
}

#[test]
fn hostile_order() {
    let run = |way| Run::new(HOSTILE_ORDER).allow(&["cat"]).args(&[way]);
    for way in ["pollable-first", "command-first", "pipes-first"] {
        everywhere(|| run(way));
    }
    for way in ["pidfd-before-pollable", "stream-before-pollable"] {
        let ended = run(way).sync().trapped();
        assert!(ended.stderr.is_empty() && ended.stdout.is_empty(), "{way}: {ended:?}");
        let error = format!("{:?}", ended.result.unwrap_err());
        assert!(error.contains("child"), "{way}: {error}");
    }
}

#[test]
fn hostile_many() {
    isolated(|| {
        let place = Place::new();
        let text = place.program("text", "not a program\n");
        leaves_nothing(|| {
            let run = Run::new(HOSTILE_MANY).allow(&["cat"]).args(&["1000"]);
            run.grant(Grant::permissive("text", &text)).sync().success();
        });
    });
}

#[test]
fn hostile_commands() {
    Run::new(HOSTILE_COMMANDS).allow(&["sh"]).sync().success();
}
