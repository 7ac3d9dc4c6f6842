//! Guests that fork.

use std::os::fd::AsFd;
use std::sync::{Arc, OnceLock};

use offspring::policy::Policy;
use offspring_tests::*;
use rustix::pipe::pipe;
use wasmtime::{Config, Engine};
use wasmtime_wasi::FsPerms::ReadWrite;
use wasmtime_wasi::clocks::HostMonotonicClock;

use crate::assert_test_exists;
use crate::isolation::alone;
use crate::place::Place;
use crate::run::Run;
use crate::runtime::everywhere;
use crate::traces::{assert_no_children, descriptors};

for_each_fork_program!(assert_test_exists);

/// A guest that may have so many forks.
fn forking(guest: &'static str, max: u16) -> Run {
    Run::new(guest).policy(Policy::new().forks(max))
}

/// Runs a guest that must end well, and leave no child.
#[track_caller]
fn succeeds(run: Run) {
    assert_eq!(run.forking(), 0);
    assert_no_children();
}

#[test]
fn fork_memory() {
    alone(|| succeeds(forking(FORK_MEMORY, 2)));
}

#[test]
fn fork_ends() {
    alone(|| {
        assert_eq!(forking(FORK_ENDS, 1).forking(), 3);
        assert_no_children();
    });
}

#[test]
fn fork_random() {
    alone(|| succeeds(forking(FORK_RANDOM, 1)));
}

#[test]
fn fork_time() {
    alone(|| succeeds(forking(FORK_TIME, 2)));
}

#[test]
fn fork_files() {
    alone(|| {
        let place = Place::new();
        succeeds(forking(FORK_FILES, 2).dir(place.root(), "/dir", ReadWrite));
    });
}

#[test]
fn fork_sockets() {
    alone(|| {
        succeeds(forking(FORK_SOCKETS, 2).wasi(|wasi| {
            wasi.inherit_network().allow_tcp(true).allow_udp(true);
        }));
    });
}

#[test]
fn fork_names() {
    alone(|| {
        succeeds(forking(FORK_NAMES, 2).wasi(|wasi| {
            wasi.inherit_network().allow_ip_name_lookup(true);
        }));
    });
}

#[test]
fn fork_stdin() {
    alone(|| {
        let (reader, writer) = pipe().unwrap();
        rustix::stdio::dup2_stdin(reader).unwrap();
        // Not by `forking`, which has our output.
        rustix::stdio::dup2_stdout(writer.as_fd()).unwrap();
        succeeds(forking(FORK_STDIN, 1));
        drop(writer);
    });
}

#[test]
fn fork_spawn() {
    alone(|| succeeds(forking(FORK_SPAWN, 2).allow(&["cat", "sh"])));
}

#[test]
fn fork_not_ours() {
    alone(|| succeeds(forking(FORK_NOT_OURS, 3).allow(&["cat"])));
}

#[test]
fn fork_nested() {
    alone(|| succeeds(forking(FORK_NESTED, 100).args(&["100"])));
}

#[test]
fn fork_limits() {
    alone(|| {
        let policy = "fork = { max = 3 }\n[limits]\nmax-children = 10";
        succeeds(Run::new(FORK_LIMITS).policy_file(policy));
    });
}

#[test]
fn fork_signals() {
    alone(|| succeeds(forking(FORK_SIGNALS, 5)));
}

#[test]
fn fork_handlers() {
    alone(|| succeeds(forking(FORK_HANDLERS, 3)));
}

#[test]
fn fork_busy() {
    alone(|| succeeds(forking(FORK_BUSY, 1).allow(&["cat"])));
}

/// Without a grant, in an embedder with threads, and in one that has none but is
/// no host for forks.
#[test]
fn fork_refused() {
    everywhere(|| Run::new(FORK_REFUSED).args(&["policy"]));
    everywhere(|| forking(FORK_REFUSED, 1).args(&["threads"]));
    alone(|| succeeds(Run::new(FORK_REFUSED).args(&["policy"])));
}

/// Fuel is counted by each process for itself.
#[test]
fn fork_loop() {
    alone(|| {
        let mut config = Config::new();
        config.parallel_compilation(false).consume_fuel(true);
        let code = forking(FORK_LOOP, 1).forking_with(&config, |store| {
            store.set_fuel(100_000_000).unwrap();
        });
        assert_eq!(code, 0);
        assert_no_children();
    });
}

/// A clock that counts an engine's epochs: one each time that it is looked at.
#[derive(Clone, Default)]
struct Epochs(Arc<OnceLock<Engine>>);

impl HostMonotonicClock for Epochs {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        self.0.get().inspect(|engine| engine.increment_epoch());
        0
    }
}

/// So are epochs, whoever counts them.
#[test]
fn epochs_in_a_fork() {
    alone(|| {
        let mut config = Config::new();
        config.parallel_compilation(false).epoch_interruption(true);
        let clock = Epochs::default();
        let run = forking(FORK_LOOP, 1).wasi(|wasi| {
            wasi.monotonic_clock(clock.clone());
        });
        let code = run.forking_with(&config, |store| {
            store.set_epoch_deadline(1000);
            clock.0.get_or_init(|| store.engine().clone());
        });
        assert_eq!(code, 0);
        assert_no_children();
    });
}

/// Every child is accounted for, and no descriptor is left.
#[test]
fn fork_many() {
    alone(|| {
        let many = |count: &str| {
            let place = Place::new();
            let policy = "fork = { max = 2 }\n[limits]\nspawns-per-second = 1_000_000";
            let run = Run::new(FORK_MANY).policy_file(policy).args(&[count]);
            succeeds(run.dir(place.root(), "/dir", ReadWrite).wasi(|wasi| {
                wasi.inherit_network().allow_tcp(true).allow_udp(true);
            }));
        };
        many("1");
        let before = descriptors("self");
        many("1000");
        assert_eq!(descriptors("self"), before);
    });
}
