//! Hosts of every kind.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use offspring::ProcessView;
use offspring::bindings::pidfd::HostPidfd;
use offspring::bindings::spawn::{HostCommand, Input};
use offspring::bindings::types::Outcome;
use offspring_tests::*;
use wasmtime::component::{Component, Linker, Resource};
use wasmtime_wasi::p2::bindings::io::poll::HostPollable;

use crate::assert_test_exists;
use crate::component::engine;
use crate::kept::{Kept, text};
use crate::lifeline::Lifeline;
pub use crate::moments::embed_spawns;
use crate::run::{Ready, Run, State, grant};
use crate::runtime::{current_thread, drive_until, multi_thread};

for_each_embed_program!(assert_test_exists);

/// A guest that waits for its child until something ends it.
fn waiting(lifeline: &Lifeline) -> (Ready, impl Fn() -> bool + Send + 'static) {
    let ready = Run::new(EMBED_WAIT).allow(&["sh"]).args(&[&lifeline.path()]).ready();
    let printed = ready.stdout();
    (ready, move || printed.text().contains("waiting"))
}

/// A future that is dropped in the middle of a wait leaves nothing.
#[test]
fn embed_wait() {
    for runtime in [current_thread(), multi_thread()] {
        let lifeline = Lifeline::new();
        let (ready, is_waiting) = waiting(&lifeline);
        let ended = runtime.block_on(drive_until(Box::pin(ready.r#async()), is_waiting));
        assert!(ended.is_none(), "{ended:?}");
        lifeline.assert_gone();
    }
}

/// A guest that waits holds up no other on the same thread.
#[test]
fn waiting_blocks_no_other_store() {
    let lifeline = Lifeline::new();
    let (ready, is_waiting) = waiting(&lifeline);
    let runtime = current_thread();
    let waits = runtime.spawn(ready.r#async());
    let others = [(PIDFD_MANY, &["sh"][..]), (STDIO_BYTES, &["cat"]), (PIDFD_TIMEOUT, &["cat"])];
    for (guest, programs) in others {
        runtime.block_on(Run::new(guest).allow(programs).r#async()).success();
    }
    runtime.block_on(drive_until(Box::pin(std::future::pending::<()>()), is_waiting));
    assert!(!waits.is_finished());
    drop(runtime);
    lifeline.assert_gone();
}

/// Each store has children of its own.
#[test]
fn two_stores_at_once() {
    let lifelines = [Lifeline::new(), Lifeline::new()];
    let [(first, first_waits), (second, second_waits)] = lifelines.each_ref().map(waiting);
    let children = [first.children(), second.children()];
    let runtime = multi_thread();
    let (first, second) = (runtime.spawn(first.r#async()), runtime.spawn(second.r#async()));
    let both = move || first_waits() && second_waits();
    runtime.block_on(drive_until(Box::pin(std::future::pending::<()>()), both));
    assert_eq!(children.each_ref().map(|children| children.len()), [1, 1]);

    children[0].shut_down();
    let ended = runtime.block_on(first).unwrap().success();
    assert!(ended.stdout.contains("killed by the host"), "{ended:?}");
    assert!(!second.is_finished());
    assert_eq!(children.each_ref().map(|children| children.len()), [0, 1]);
    drop(runtime);
    assert!(children[1].is_empty());
    for lifeline in lifelines {
        lifeline.assert_gone();
    }
}

/// A store may be made, used and dropped on different threads.
#[test]
fn a_store_moves_between_threads() {
    let ready = Run::new(PIDFD_MANY).allow(&["sh"]).ready();
    let ended = thread::spawn(move || ready.sync()).join().unwrap();
    ended.success();

    let lifeline = Lifeline::new();
    let (ready, is_waiting) = waiting(&lifeline);
    let runtime = multi_thread();
    let mut future = Box::pin(ready.r#async());
    let handle = runtime.handle().clone();
    let half_way = thread::spawn(move || {
        let ended = handle.block_on(drive_until(&mut future, is_waiting));
        assert!(ended.is_none(), "{ended:?}");
        future
    });
    let future = half_way.join().unwrap();
    thread::spawn(move || drop(future)).join().unwrap();
    lifeline.assert_gone();
}

/// What waits in one runtime can wait in another afterwards, also while the
/// first one still is there but does nothing.
#[test]
fn a_store_moves_between_runtimes() {
    let mut state = Run::new(EMBED_WAIT).allow(&["cat"]).ready().store.into_data();
    let children = state.process.children();
    let mut view = state.process();
    let command = HostCommand::new(&mut view, "cat".to_owned()).unwrap();
    let command = command.rep();
    HostCommand::stdin(&mut view, Resource::new_borrow(command), Input::Piped).unwrap();
    let spawned = HostCommand::spawn(&mut view, Resource::new_borrow(command)).unwrap();
    let pidfd = spawned.pidfd.rep();
    let pollable = HostPidfd::subscribe(&mut view, Resource::new_borrow(pidfd)).unwrap().rep();

    let idle = current_thread();
    idle.block_on(async {
        let mut exit = pin!(HostPollable::block(&mut state.table, Resource::new_borrow(pollable)));
        poll_fn(|context| {
            assert!(exit.as_mut().poll(context).is_pending(), "the child lives");
            Poll::Ready(())
        })
        .await;
    });
    current_thread().block_on(async {
        let mut exit = pin!(HostPollable::block(&mut state.table, Resource::new_borrow(pollable)));
        poll_fn(|context| {
            assert!(exit.as_mut().poll(context).is_pending(), "the child lives");
            Poll::Ready(())
        })
        .await;
        // Only now, so that there is something to be woken for.
        children.shut_down();
        let patience = Duration::from_secs(60);
        tokio::time::timeout(patience, exit).await.expect("it is woken").unwrap();
    });
    drop(idle);
}

/// The kernel kills a child when the thread ends that started it, where the
/// host wants that: the guest's own in a synchronous host.
#[test]
fn children_die_with_their_thread() {
    let run = Run::new(EMBED_WAIT).allow(&["cat"]);
    let ready = run.process(|process| process.die_with_thread(true)).ready();
    let mut state = ready.store.into_data();
    let (mut state, pidfd) = thread::spawn(move || {
        let mut view = state.process();
        let command = HostCommand::new(&mut view, "cat".to_owned()).unwrap().rep();
        HostCommand::stdin(&mut view, Resource::new_borrow(command), Input::Piped).unwrap();
        let spawned = HostCommand::spawn(&mut view, Resource::new_borrow(command)).unwrap();
        (state, spawned.pidfd.rep())
    })
    .join()
    .unwrap();
    let mut view = state.process();
    // Ends only if it is killed. A test that fails here hangs, and says so.
    let status = loop {
        match HostPidfd::try_wait(&mut view, Resource::new_borrow(pidfd)).unwrap() {
            Some(status) => break status,
            None => thread::sleep(Duration::from_millis(1)),
        }
    };
    assert!(matches!(status.outcome, Outcome::Signaled(_)), "{status:?}");
}

/// In an asynchronous host it is a thread of ours, which never ends.
#[test]
fn children_of_an_asynchronous_host_outlive_its_threads() {
    let lifeline = Lifeline::new();
    let run = Run::new(EMBED_WAIT).allow(&["sh"]).args(&[&lifeline.path()]);
    let ready = run.process(|process| process.die_with_thread(true)).ready();
    let (printed, children) = (ready.stdout(), ready.children());
    let runtime = multi_thread();
    let mut future = Box::pin(ready.r#async());
    let handle = runtime.handle().clone();
    let starts = thread::spawn(move || {
        let is_waiting = || printed.text().contains("waiting");
        let ended = handle.block_on(drive_until(&mut future, is_waiting));
        assert!(ended.is_none(), "{ended:?}");
        future
    });
    let future = starts.join().unwrap();
    children.shut_down();
    let ended = runtime.block_on(future).success();
    assert!(ended.stdout.contains("killed by the host"), "{ended:?}");
    lifeline.assert_gone();
}

#[test]
fn embed_audit() {
    let kept = Arc::new(Kept::default());
    let sink = Arc::clone(&kept);
    let shell = grant("sh").env_allow("SECRET".parse().unwrap());
    let run = Run::new(EMBED_AUDIT).grant(shell).allow(&["cat"]);
    run.process(|process| process.name("name").audit(sink)).sync().success();

    let lines = kept.lines();
    assert!(lines.iter().all(|line| !line.to_string().contains("hunter2")), "a secret");
    let keys = ["event", "decision", "grant", "child", "rule", "signal", "exit_code", "cause"];
    let rows = lines.iter().map(|line| keys.map(|key| text(line, key)).join(" "));
    let rows: Vec<String> = rows.collect();
    let expected = [
        "spawn denied missing - program - - -",
        "spawn allowed sh 1 - - - -",
        "exit - sh 1 - - 3 -",
        "spawn allowed cat 2 - - - -",
        "signal denied cat 2 signals SIGHUP - -",
        "signal allowed cat 2 - SIGKILL - -",
        "exit - cat 2 - SIGKILL - killed",
        "spawn allowed cat 3 - - - -",
        "exit - cat 3 - SIGKILL - dropped",
        "spawn allowed cat 4 - - - -",
        "exit - cat 4 - SIGKILL - deadline",
        "spawn allowed sh 5 - - - -",
        "exit - sh 5 - SIGKILL - dropped",
    ];
    assert_eq!(rows, expected, "{lines:#?}");
    assert!(lines.iter().all(|line| line["guest"] == "name"));
    assert_eq!(lines[0]["argv"], serde_json::json!(["argument"]));
    assert_eq!(lines[1]["argv"], serde_json::json!(["sh", "-c", "exit 3", "sh"]));
    assert_eq!(lines[1]["env"], serde_json::json!(["PATH", "SECRET"]));
    assert!(lines[2]["usage"]["minor_faults"].as_u64().unwrap() > 0);
}

/// Children that the host itself ends are in what it keeps, before it is gone.
#[test]
fn what_is_shut_down_is_kept() {
    let kept = Arc::new(Kept::default());
    let sink = Arc::clone(&kept);
    let lifeline = Lifeline::new();
    let run = Run::new(EMBED_WAIT).allow(&["sh"]).args(&[&lifeline.path()]);
    let ready = run.process(|process| process.audit(sink)).ready();
    let (children, printed) = (ready.children(), ready.stdout());
    let runtime = current_thread();
    let waits = runtime.spawn(ready.r#async());
    let is_waiting = move || printed.text().contains("waiting");
    runtime.block_on(drive_until(Box::pin(std::future::pending::<()>()), is_waiting));
    // Nothing runs here but this.
    children.shut_down();
    let last = kept.lines().pop().unwrap();
    assert_eq!([&last["event"], &last["cause"]], ["exit", "killed-by-host"]);
    drop((waits, runtime));
    lifeline.assert_gone();
}

/// A host that does not link us gets an error that says what is missing.
#[test]
fn a_host_without_processes() {
    let component = Component::from_file(engine(), HELLO).unwrap();
    let mut linker = Linker::<State>::new(engine());
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker).unwrap();
    let error = linker.instantiate_pre(&component).err().unwrap();
    assert!(format!("{error:?}").contains("offspring:process/"), "{error:?}");
}

/// As many stores as are wanted spawn at once, and each has its own children.
#[test]
fn a_hundred_stores_at_once() {
    let runtime = multi_thread();
    let start = |_| {
        let ready = Run::new(EMBED_AUDIT).allow(&["true"]).args(&["10"]).ready();
        (ready.children(), runtime.spawn(ready.r#async()))
    };
    let stores: Vec<_> = (0..100).map(start).collect();
    for (children, ended) in stores {
        let ended = runtime.block_on(ended).unwrap().success();
        assert_eq!(ended.stdout.lines().count(), 10, "{ended:?}");
        assert!(children.is_empty());
    }
}
