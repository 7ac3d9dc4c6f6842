//! Programs that take long to execute, on a file system that does not answer.

use std::fs;
use std::time::Duration;

use offspring::policy::Grant;
use offspring_tests::*;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::assert_test_exists;
use crate::ended::Ended;
use crate::fuse::{Fuse, Withheld};
use crate::isolation::skip;
use crate::leaks::leaves_nothing;
use crate::namespace::in_namespaces;
use crate::place::Place;
use crate::run::{Ready, Run};
use crate::runtime::{current_thread, drive_until};
use crate::traces::{assert_no_children, children};

for_each_slow_program!(assert_test_exists);

const NAME: &str = "slow::slow_exec";

/// A guest that starts a program which nobody can open, or read, any more.
fn starts(fuse: &Fuse, withheld: Withheld, deadline: Option<Duration>) -> Ready {
    let grant = Grant::permissive("slow", fuse.program());
    let grant = match deadline {
        Some(after) => grant.deadline(after),
        None => grant,
    };
    let ready = Run::new(SLOW_EXEC).grant(grant).ready();
    // The host has looked at it when it loaded its policy.
    fuse.withhold(withheld);
    ready
}

/// A file system with a shell.
fn slow(place: &Place) -> std::io::Result<Fuse> {
    Fuse::mount(place.root(), fs::read(fs::canonicalize("/bin/sh")?)?)
}

/// A thread that runs guests serves the others meanwhile, and its timers.
fn others_go_on(fuse: &Fuse, withheld: Withheld) {
    let runtime = current_thread();
    let ready = starts(fuse, withheld, None);
    let hangs = runtime.spawn(ready.r#async());
    let asked = drive_until(Box::pin(std::future::pending::<()>()), || fuse.is_asked());
    runtime.block_on(asked);
    let others = [(PIDFD_MANY, &["sh"][..]), (STDIO_BYTES, &["cat"]), (PIDFD_TIMEOUT, &["cat"])];
    for (guest, programs) in others {
        runtime.block_on(Run::new(guest).allow(programs).r#async()).success();
    }
    runtime.block_on(async {
        let mut ticks = interval(Duration::from_millis(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        for _ in 0..20 {
            ticks.tick().await;
        }
    });
    assert!(!hangs.is_finished());
    fuse.answer();
    let Ended { stdout, .. } = runtime.block_on(hangs).unwrap().success();
    assert_eq!(stdout, "starting\nexit status: 7\n");
}

/// The time that the grant gives is over before the program is executed.
fn a_deadline_counts(fuse: &Fuse, withheld: Withheld) {
    let ready = starts(fuse, withheld, Some(Duration::from_millis(100)));
    let children = ready.children();
    let Ended { stdout, .. } = current_thread().block_on(ready.r#async()).success();
    assert_eq!(stdout, "starting\nTimedOut Exec Some(\"ETIMEDOUT\")\n");
    assert!(fuse.is_asked());
    // As long as there is a process, it is counted: one that is there now was there
    // when its host was asked.
    let counted = !children.is_empty();
    assert!(counted || self::children().is_empty());
}

/// A guest that is given up waits no more, and neither does its host.
fn a_guest_is_given_up(fuse: &Fuse, withheld: Withheld) {
    let ready = starts(fuse, withheld, None);
    let runtime = current_thread();
    let ended = runtime.block_on(drive_until(Box::pin(ready.r#async()), || fuse.is_asked()));
    assert!(ended.is_none(), "{ended:?}");
    runtime.block_on(async { sleep(Duration::from_millis(1)).await });
}

#[test]
fn slow_exec() {
    in_namespaces(NAME, &["--mount"], || {
        let place = Place::new();
        if let Err(error) = slow(&place) {
            return skip(NAME, format_args!("no file system in user space can be had: {error}"));
        }
        for withheld in [Withheld::Read, Withheld::Open] {
            for body in [others_go_on, a_deadline_counts, a_guest_is_given_up] {
                leaves_nothing(|| {
                    let place = Place::new();
                    let fuse = slow(&place).unwrap();
                    body(&fuse, withheld);
                    if withheld == Withheld::Read {
                        // Who waits for a page can be killed, and was.
                        assert_no_children();
                    }
                });
            }
        }
    });
}
