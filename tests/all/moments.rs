//! Guests that are ended at any moment, as often in the middle of a spawn as not,
//! leave nothing: seen from outside, over hundreds of random trials.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use offspring::cgroup::Place;
use offspring_tests::*;
use tokio::runtime::Runtime;
use wasmtime::{Trap, UpdateDeadline};

use crate::component::engine;
use crate::isolation::{isolated, skip};
use crate::leaks::leaves_nothing;
use crate::lifeline::Lifeline;
use crate::run::{Ready, Run};
use crate::runtime::{current_thread, multi_thread};

/// Trials of each way in each place.
const TRIALS: usize = 25;

/// The latest moment. A guest has started its eleven children well before, and goes
/// on dropping one and starting another.
const LATEST: u64 = 40_000;

/// How a guest ends.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// The future that runs it is dropped.
    Cancelled,
    /// Its host panics while that is there, and unwinds.
    Panicked,
    /// It traps, in an asynchronous host.
    Trapped,
    /// It traps, in a synchronous host.
    TrappedSync,
    /// Its host says that it is ending.
    ShutDown,
}

const WAYS: [Way; 5] =
    [Way::Cancelled, Way::Panicked, Way::Trapped, Way::TrappedSync, Way::ShutDown];

/// Numbers in no order, from a seed that is told.
struct Random(u64);

impl Random {
    fn new() -> Random {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
        println!("seed {now}");
        Random(u64::try_from(now).unwrap() | 1)
    }

    fn moment(&mut self) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Duration::from_micros(self.0 % LATEST)
    }
}

/// A guest that traps from a moment on, whatever it does then.
fn trapping(mut ready: Ready, moment: Duration) -> (Ready, Clock) {
    let clock = Clock::default();
    let over = Arc::clone(&clock.0);
    ready.store.set_epoch_deadline(1);
    ready.store.epoch_deadline_callback(move |_| match over.load(Ordering::Relaxed) {
        true => Ok(UpdateDeadline::Interrupt),
        false => Ok(UpdateDeadline::Continue(1)),
    });
    let over = Arc::clone(&clock.0);
    thread::spawn(move || {
        thread::sleep(moment);
        over.store(true, Ordering::Relaxed);
        // A guest that was not started yet looks only later.
        while Arc::strong_count(&over) > 1 {
            engine().increment_epoch();
            thread::sleep(Duration::from_millis(1));
        }
    });
    (ready, clock)
}

/// Whether the moment has come. Time goes by as long as somebody holds it.
#[derive(Default)]
struct Clock(Arc<AtomicBool>);

fn end(way: Way, ready: Ready, runtime: &Runtime, moment: Duration) {
    let is_interrupt = |error: &wasmtime::Error| {
        assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::Interrupt), "{error:?}");
    };
    match way {
        Way::Cancelled | Way::Panicked => {
            let ended = runtime.spawn(async move {
                let mut future = Box::pin(ready.r#async());
                let ended = tokio::time::timeout(moment, &mut future).await;
                assert!(ended.is_err(), "it runs without end: {ended:?}");
                // While the future is there.
                assert!(!matches!(way, Way::Panicked), "on purpose");
            });
            let panicked = runtime.block_on(ended).is_err();
            assert_eq!(panicked, matches!(way, Way::Panicked));
        }
        Way::Trapped => {
            let (ready, _clock) = trapping(ready, moment);
            let ended = runtime.block_on(runtime.spawn(ready.r#async())).unwrap();
            is_interrupt(&ended.result.unwrap_err());
        }
        Way::TrappedSync => {
            let (ready, _clock) = trapping(ready, moment);
            is_interrupt(&ready.sync().result.unwrap_err());
        }
        Way::ShutDown => {
            let children = ready.children();
            let ended = runtime.spawn(ready.r#async());
            runtime.block_on(async { tokio::time::sleep(moment).await });
            children.shut_down();
            // A spawn is refused now, which the guest does not expect.
            let ended = runtime.block_on(ended).unwrap();
            assert!(ended.stderr.contains("it starts"), "{ended:?}");
        }
    }
}

fn trials(place: Option<&Arc<Place>>) {
    let runtimes = [current_thread(), multi_thread()];
    let mut random = Random::new();
    for way in WAYS {
        for trial in 0..TRIALS {
            let lifeline = Lifeline::new();
            // Leaves its session, forks twice, or has stopped, where that can be told.
            let kind = match place {
                Some(_) => "tree",
                None if trial % 2 == 0 => "run",
                None => "group",
            };
            let run = Run::new(EMBED_SPAWNS).allow(&["sh"]).args(&[kind, &lifeline.path()]);
            let run = run.process(|process| match place {
                Some(place) => process.own_groups(Arc::clone(place)),
                None => process,
            });
            let (ready, moment) = (run.ready(), random.moment());
            let children = ready.children();
            let runtime = &runtimes[trial / 2 % runtimes.len()];
            end(way, ready, runtime, moment);
            let gone = children.wait_until_gone(Duration::from_secs(60));
            assert!(gone, "{way:?} after {moment:?}: {} are left", children.len());
            lifeline.last_words();
        }
    }
}

#[test]
pub fn embed_spawns() {
    isolated(|| leaves_nothing(|| trials(None)));
}

/// With a cgroup for each child, and children that a process group does not hold.
#[test]
fn with_cgroups() {
    isolated(|| {
        let place = match Place::find() {
            Ok(place) => place,
            Err(error) => return skip("moments::with_cgroups", error),
        };
        let groups = || {
            let entries = std::fs::read_dir(place.path()).unwrap();
            entries.filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_dir()).count()
        };
        leaves_nothing(|| {
            trials(Some(&place));
            // Those that took long are removed by a thread.
            while groups() > 0 {
                thread::sleep(Duration::from_millis(1));
            }
        });
    });
}
