//! Guests that fork.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use offspring::Controller;
use offspring::audit::AuditFile;
use offspring::policy::{GrantGroup, Group, Policy};
use offspring_spawn::{Errno, generation};
use offspring_tests::*;
use rustix::pipe::pipe;
use serde_json::Value;
use wasmtime::{Config, Engine, UpdateDeadline};
use wasmtime_wasi::FsPerms::{ReadOnly, ReadWrite};
use wasmtime_wasi::clocks::HostMonotonicClock;

use crate::isolation::alone;
use crate::place::Place;
use crate::refusal::refuse;
use crate::run::{Run, TRAPPED, grant};
use crate::runtime::everywhere;
use crate::traces::{assert_no_children, descriptors};
use crate::{assert_test_exists, cgroup};

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

/// A thread counts epochs, which no fork has: each gets one of its own.
#[test]
fn fork_spin() {
    alone(|| {
        let mut config = Config::new();
        config.parallel_compilation(false).epoch_interruption(true);
        let run = forking(FORK_SPIN, 2).epochs(Duration::from_millis(1));
        let code = run.forking_with(&config, |store| {
            // Every fork of the first process but the one that waits.
            let mut left = 50;
            store.epoch_deadline_callback(move |_| {
                left -= u32::from(generation() > 0);
                match left {
                    0 => Err(wasmtime::Error::msg("its time is over")),
                    _ => Ok(UpdateDeadline::Continue(1)),
                }
            });
            store.set_epoch_deadline(1);
        });
        assert_eq!(code, 0);
        assert_no_children();
    });
}

#[test]
fn fork_traps() {
    alone(|| succeeds(forking(FORK_TRAPS, 2)));
}

/// What the host and its C library do at the end they do once.
#[test]
fn fork_once() {
    alone(|| {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let said = writer.try_clone().unwrap();
        rustix::stdio::dup2_stdout(&writer).unwrap();
        drop(writer);
        at_exit();
        // In the buffer of the host when the guest forks.
        print!("buffered ");
        let (code, ended) = {
            let said = Said(said);
            (forking(FORK_ONCE, 1).allow(&["cat"]).forking(), said)
        };
        assert_eq!(code, 0);
        assert_no_children();
        drop(ended);
        std::io::stdout().flush().unwrap();
        drop(File::open("/dev/null").and_then(|null| Ok(rustix::stdio::dup2_stdout(null)?)));
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "buffered dropped ");
    });
}

/// Says when it is dropped.
struct Said(std::io::PipeWriter);

impl Drop for Said {
    fn drop(&mut self) {
        self.0.write_all(b"dropped ").unwrap();
    }
}

/// Has the C library say when the process ends by it, which this one does not, nor
/// may its forks.
#[expect(unsafe_code, reason = "atexit has no wrapper")]
fn at_exit() {
    extern "C" fn say() {
        let _ = rustix::io::write(rustix::stdio::stdout(), b"atexit ");
    }
    // SAFETY: the function makes one system call.
    assert_eq!(unsafe { libc::atexit(say) }, 0);
}

/// How often each signal came.
static CAME: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

/// Counts SIGCHLD and SIGWINCH from now on.
#[expect(unsafe_code, reason = "signal has no wrapper")]
fn watch_signals() {
    extern "C" fn came(signal: i32) {
        CAME[usize::from(signal != libc::SIGCHLD)].fetch_add(1, Ordering::Relaxed);
    }
    let handler = came as extern "C" fn(i32) as libc::sighandler_t;
    for signal in [libc::SIGCHLD, libc::SIGWINCH] {
        // SAFETY: the handler does nothing but count.
        unsafe { libc::signal(signal, handler) };
    }
}

/// The host's process gets the signal that the guest has chosen, or none.
#[test]
fn fork_signal() {
    alone(|| {
        watch_signals();
        for (name, expected) in [("none", [0, 0]), ("winch", [0, 1]), ("chld", [1, 0])] {
            CAME.iter().for_each(|count| count.store(0, Ordering::Relaxed));
            succeeds(forking(FORK_SIGNAL, 1).args(&[name]));
            assert_eq!(CAME.each_ref().map(|count| count.load(Ordering::Relaxed)), expected);
        }
    });
}

/// Where a sandbox refuses clone3, clone serves.
#[test]
fn without_clone3() {
    alone(|| {
        refuse(libc::SYS_clone3, Errno::NOSYS);
        assert!(!offspring_spawn::Kernel::get().unwrap().has_clone3());
        succeeds(forking(FORK_MEMORY, 2));
        succeeds(forking(FORK_SIGNALS, 5));
        if cgroup::has("without_clone3", &[]) {
            succeeds(grouped(FORK_GROUP));
        }
    });
    // The C library starts no thread then, which reading a file needs.
    alone(|| {
        refuse(libc::SYS_clone3, Errno::PERM);
        succeeds(forking(FORK_MEMORY, 2));
    });
}

/// A guest that forks, with a group that is granted, and may read `/proc`.
fn grouped(guest: &'static str) -> Run {
    let named = |name| grant(name).group(GrantGroup::Named("build".to_owned()));
    let policy = Policy::new().forks(5).group(Group::new("build")).unwrap();
    let run = Run::new(guest).policy(policy).grant(named("cat"));
    run.dir("/proc".as_ref(), "/proc", ReadOnly)
}

/// Born in a group; and nothing is left of the groups.
#[test]
fn fork_group() {
    alone(|| {
        if !cgroup::has("fork_group", &[]) {
            return;
        }
        let place = offspring::cgroup::Place::find().unwrap();
        succeeds(grouped(FORK_GROUP));
        let entries = std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap());
        let groups = entries.filter(|entry| entry.file_type().unwrap().is_dir());
        let names: Vec<_> = groups.map(|group| group.file_name()).collect();
        assert!(names.iter().all(|name| name == "host"), "{names:?}");
    });
}

#[test]
fn fork_pids() {
    alone(|| {
        if cgroup::has("fork_pids", &[Controller::Pids]) {
            succeeds(grouped(FORK_PIDS));
        }
    });
}

fn row(name: &str) {
    let place = Place::new();
    let run = grouped_if(name == "fn_7", FORK_ROWS).args(&[name]);
    succeeds(run.dir(place.root(), "/dir", ReadWrite));
}

fn grouped_if(is_grouped: bool, guest: &'static str) -> Run {
    match is_grouped {
        true => grouped(guest),
        false => forking(guest, 3).dir("/proc".as_ref(), "/proc", ReadOnly),
    }
}

/// A row that there is not fails, so that no test below passes for want of one.
#[test]
fn fork_rows() {
    alone(|| assert_eq!(forking(FORK_ROWS, 1).args(&["none"]).forking(), TRAPPED));
}

#[test]
fn fk_1_a_process_of_its_own() {
    alone(|| row("fk_1"));
}

#[test]
fn fk_2_no_handler_runs() {
    alone(|| row("fk_2"));
}

#[test]
fn fk_3_an_offset_is_shared_both_ways() {
    alone(|| row("fk_3"));
}

/// With nothing said it is POSIX's: handlers run, and SIGCHLD comes.
#[test]
fn fn_1_nothing_said_is_a_fork() {
    alone(|| {
        watch_signals();
        row("fn_1");
        assert!(CAME[0].load(Ordering::Relaxed) >= 3);
    });
}

#[test]
fn fn_2_async_safe_runs_no_handler() {
    alone(|| row("fn_2"));
}

#[test]
fn fn_3_the_parent_is_known_and_pipes_are_shared() {
    alone(|| row("fn_3"));
}

#[test]
fn fn_4_a_pidfd_and_every_wait() {
    alone(|| row("fn_4"));
}

#[test]
fn fn_5_exit_signals() {
    alone(|| {
        watch_signals();
        succeeds(forking(FORK_SIGNAL, 1).args(&["none"]));
        assert_eq!(CAME[0].load(Ordering::Relaxed), 0);
        succeeds(forking(FORK_SIGNAL, 1).args(&["winch"]));
        assert_eq!(CAME[1].load(Ordering::Relaxed), 1);
    });
}

#[test]
fn fn_7_cgroups() {
    alone(|| {
        if cgroup::has("fn_7_cgroups", &[]) {
            row("fn_7");
        }
    });
}

#[test]
fn fn_8_bad_exit_signals() {
    alone(|| row("fn_8"));
}

/// The audit log has every fork and its end, by the process that saw it.
#[test]
fn forks_are_logged() {
    alone(|| {
        let place = Place::new();
        let path = place.path("log");
        let log = Arc::new(AuditFile::open(&path).unwrap());
        let run = forking(FORK_NESTED, 3).args(&["3"]).process(|process| process.audit(log));
        succeeds(run);
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let word = |line: &Value, key: &str| line[key].as_str().unwrap_or("-").to_owned();
        let seen = lines.map(|line: Value| {
            assert!(
                line["pid"].as_u64() > Some(0) && line["child"] == 1 && line["grant"].is_null()
            );
            (word(&line, "event"), word(&line, "fork"), line["exit_code"].as_u64())
        });
        let line = |event: &str, fork: &str, code| (event.to_owned(), fork.to_owned(), code);
        let expected = [
            line("fork", "-", None),
            line("fork", "1", None),
            line("fork", "1.1", None),
            line("exit", "1.1", Some(0)),
            line("exit", "1", Some(1)),
            line("exit", "-", Some(2)),
        ];
        let mut seen: Vec<_> = seen.collect();
        let mut expected = expected.to_vec();
        // Processes do not wait for each other's lines.
        seen.sort();
        expected.sort();
        assert_eq!(seen, expected);
    });
}

/// Forks as many times with everything busy, and leaves nothing.
fn many(count: u32) {
    let run = |count: &str| {
        let place = Place::new();
        let policy = "fork = { max = 8 }\n[limits]\nspawns-per-second = 1_000_000";
        let run = Run::new(FORK_MANY).policy_file(policy).args(&[count]);
        succeeds(run.dir(place.root(), "/dir", ReadWrite).wasi(|wasi| {
            wasi.inherit_network().allow_tcp(true).allow_udp(true);
        }));
    };
    run("1");
    let before = descriptors("self");
    run(&count.to_string());
    assert_eq!(descriptors("self"), before);
}

/// Every child is accounted for, and no descriptor is left.
#[test]
fn fork_many() {
    alone(|| many(1000));
}

/// The same at length: `cargo test --workspace --test all -- --ignored ten_thousand`.
#[test]
#[ignore = "takes half a minute by itself, and more on a busy machine"]
fn ten_thousand_forks() {
    alone(|| many(10_000));
}
