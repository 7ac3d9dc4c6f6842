//! The tests.

use std::fs::File;
use std::io::{PipeReader, Read, Write};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use offspring::cgroup::Place;
use offspring::fork::{Call, ExitStatus, Job, Launcher, Settings, StartError, Worker, Zygote};
use offspring_spawn::Errno;
use offspring_tests::*;
use rustix::process::{WaitId, WaitIdOptions, waitid};
use tokio::runtime::{Builder, Runtime};
use wasmtime_wasi::FsPerms;

use crate::guest::{FAILS, HAS_A_THREAD, PANICS};
use crate::isolation::skip;
use crate::traces::descriptors;

macro_rules! tests {
    ($($name:ident)*) => {
        pub const ALL: &[(&str, fn())] = &[$((stringify!($name), $name)),*];
    };
}

tests! {
    a_guest_forks_in_a_worker
    worker_calls
    calls_that_nobody_answers
    an_answer_that_fails
    the_status_and_the_streams_are_the_guests
    a_directory_by_its_descriptor
    what_the_guest_is_given
    what_is_dropped_is_gone
    nothing_is_left_of_many
    a_killed_embedder_takes_its_workers_along
    a_group_of_its_own
    what_cannot_start
    a_zygote_that_cannot_be_copied
    a_zygote_that_is_gone
    only_within_a_runtime
}

/// Waits until this process has no child, running or not: a drop leaves it to a thread
/// to wait for what takes longer than a moment to die, as all does on a busy machine.
#[track_caller]
fn left_nothing() {
    let begin = Instant::now();
    let leave = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    while !matches!(waitid(WaitId::All, leave), Err(Errno::CHILD)) {
        assert!(begin.elapsed() < PATIENCE, "a child is left");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// An embedder with threads.
fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Starts workers of a guest.
fn launcher(guest: &str) -> Launcher {
    Launcher::this_program().unwrap().setup_file(File::open(guest).unwrap())
}

/// What lets a guest fork.
fn settings(max: u32) -> Settings {
    Settings::new(format!("fork.max = {max}")).arg("guest")
}

fn job(max: u32, args: &[&str]) -> Job {
    Job::new("").settings(args.iter().fold(settings(max), |settings, arg| settings.arg(*arg)))
}

/// A worker that was executed, and one that was forked.
async fn both(guest: &str, job: impl Fn() -> Job) -> (Zygote, [Worker; 2]) {
    let launcher = launcher(guest);
    let executed = launcher.start(job()).await.unwrap();
    let zygote = launcher.zygote().await.unwrap();
    let forked = zygote.start(job()).await.unwrap();
    (zygote, [executed, forked])
}

async fn code(worker: &Worker) -> i32 {
    match worker.wait().await.unwrap().status {
        ExitStatus::Exited(code) => code.into(),
        other => panic!("{other}"),
    }
}

fn a_guest_forks_in_a_worker() {
    for guest in [FORK_MEMORY, FORK_RANDOM, FORK_TIME] {
        runtime().block_on(async {
            let (_zygote, workers) = both(guest, || job(2, &[])).await;
            for worker in &workers {
                assert_eq!(code(worker).await, 0, "{guest}");
                assert_eq!(code(worker).await, 0);
                assert_eq!(worker.try_wait().unwrap(), Some(worker.wait().await.unwrap()));
            }
        });
    }
    left_nothing();
}

/// A number for the process, and the question.
fn echo(call: &Call) -> Vec<u8> {
    [call.process.to_le_bytes().as_slice(), &call.request].concat()
}

/// Never an answer to the wrong process.
fn worker_calls() {
    runtime().block_on(async {
        let asked = Arc::new(AtomicU64::new(0));
        let job = || {
            let asked = Arc::clone(&asked);
            let job = job(8, &["10"]);
            job.answer(move |call: Call| {
                asked.fetch_add(1, Ordering::Relaxed);
                // So that those of several processes are under way at once.
                async move {
                    tokio::task::yield_now().await;
                    echo(&call)
                }
            })
        };
        let (_zygote, workers) = both(WORKER_CALLS, job).await;
        for worker in &workers {
            assert_eq!(code(worker).await, 0);
        }
        // Each round: 3 children with 21 and an inner one with 6, and 21 of the parent.
        assert_eq!(asked.load(Ordering::Relaxed), 2 * (2 + 10 * (3 * (21 + 6) + 21)));
    });
    left_nothing();
}

fn calls_that_nobody_answers() {
    runtime().block_on(async {
        let (_zygote, workers) = both(WORKER_CALLS, || job(8, &["1"]).stderr(null())).await;
        for worker in &workers {
            assert_eq!(code(worker).await, 134);
        }
    });
}

/// The guest traps, and its embedder goes on.
fn an_answer_that_fails() {
    runtime().block_on(async {
        let panics = || job(8, &["1"]).answer(|_| async { panic!("on purpose") });
        let long = || job(8, &["1"]).answer(|_| async { vec![0; (1 << 20) + 1] });
        let launcher = launcher(WORKER_CALLS);
        let zygote = launcher.zygote().await.unwrap();
        for (job, why) in [(panics(), "has no answer"), (long(), "1048577 bytes is too long")] {
            let (reader, writer) = std::io::pipe().unwrap();
            let worker = zygote.start(job.stderr(writer)).await.unwrap();
            assert_eq!(code(&worker).await, 134);
            let said = all(reader);
            assert!(said.contains(why), "{said}");
        }
        let worker = zygote.start(job(8, &["1"]).answer(|call: Call| async move { echo(&call) }));
        assert_eq!(code(&worker.await.unwrap()).await, 0);
    });
}

fn all(mut reader: PipeReader) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    text
}

fn the_status_and_the_streams_are_the_guests() {
    runtime().block_on(async {
        let (_zygote, workers) = both(FORK_ENDS, || job(1, &[]).stderr(null())).await;
        for worker in &workers {
            assert_eq!(code(worker).await, 3);
        }
        let launcher = launcher(FORK_SERVER);
        let zygote = launcher.zygote().await.unwrap();
        for forked in [false, true] {
            let (stdin, mut jobs) = std::io::pipe().unwrap();
            let (results, stdout) = std::io::pipe().unwrap();
            let job = job(8, &[]).stdin(stdin).stdout(stdout);
            let worker = match forked {
                true => zygote.start(job).await.unwrap(),
                false => launcher.start(job).await.unwrap(),
            };
            jobs.write_all(b"10\n100\n").unwrap();
            drop(jobs);
            assert_eq!(code(&worker).await, 0);
            let text = all(results);
            assert!(text.contains("4 primes up to 10\n"), "{text}");
            assert!(text.contains("100: exit status: 0\n"), "{text}");
        }
    });
}

fn null() -> File {
    File::options().write(true).open("/dev/null").unwrap()
}

fn a_directory_by_its_descriptor() {
    runtime().block_on(async {
        let path = std::env::temp_dir().join(format!("offspring-worker-{}", std::process::id()));
        let work = |name: &str| {
            let path = path.join(name);
            std::fs::create_dir_all(&path).unwrap();
            let directory = File::open(path).unwrap();
            Job::new("").settings(settings(2).preopened_dir(directory, "/dir", FsPerms::ReadWrite))
        };
        let launcher = launcher(FORK_FILES);
        let zygote = launcher.zygote().await.unwrap();
        for worker in [
            launcher.start(work("executed")).await.unwrap(),
            zygote.start(work("forked")).await.unwrap(),
        ] {
            assert_eq!(code(&worker).await, 0);
        }
        std::fs::remove_dir_all(path).unwrap();
    });
}

/// The policy, arguments, variables and directories of the job are the guest's.
fn what_the_guest_is_given() {
    let path = std::env::temp_dir().join(format!("offspring-given-{}", std::process::id()));
    let directory = |name: &str| {
        let path = path.join(name);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("file"), "hello").unwrap();
        File::open(path).unwrap()
    };
    let policy = "fork.max = 2\n[program.cat]\npath = \"cat\"\nargs = \"any\"\n\
                  cwd = \"preopens\"\nstdio = [\"null\", \"piped\", \"inherit\"]\n";
    let job = || {
        let settings = ["one", "a \"b\"\n", ""]
            .into_iter()
            .fold(Settings::new(policy).arg("guest"), Settings::arg)
            .env("A", "1")
            .env("B", "x=y z")
            .preopened_dir(directory("read"), "/read", FsPerms::ReadOnly)
            .preopened_dir(directory("write"), "/write", FsPerms::ReadWrite);
        Job::new("").settings(settings)
    };
    runtime().block_on(async {
        let (_zygote, workers) = both(WORKER_SETTINGS, job).await;
        for worker in &workers {
            assert_eq!(code(worker).await, 0);
        }
    });
    assert_eq!(std::fs::read_to_string(path.join("write/file")).unwrap(), "changed");
    std::fs::remove_dir_all(path).unwrap();
    left_nothing();
}

/// A worker whose guest and whose forks hold the other end of this until they are
/// killed.
async fn holder(start: impl AsyncFn(Job) -> Worker) -> (Worker, PipeReader) {
    let (reader, writer) = std::io::pipe().unwrap();
    let (stdin, mut jobs) = std::io::pipe().unwrap();
    jobs.write_all(b"loop\n1\n").unwrap();
    let worker = start(job(8, &[]).stdin(stdin).stdout(writer)).await;
    let mut first = [0];
    (&reader).read_exact(&mut first).unwrap();
    // The guest waits for more.
    std::mem::forget(jobs);
    (worker, reader)
}

fn what_is_dropped_is_gone() {
    runtime().block_on(async {
        let launcher = launcher(FORK_SERVER);
        let zygote = launcher.zygote().await.unwrap();
        for forked in [false, true] {
            let start = async |job| match forked {
                true => zygote.start(job).await.unwrap(),
                false => launcher.start(job).await.unwrap(),
            };
            let (worker, reader) = holder(start).await;
            assert!(worker.try_wait().unwrap().is_none());
            drop(worker);
            // Ends when all who have it are gone.
            all(reader);
            let (worker, reader) = holder(start).await;
            worker.kill().unwrap();
            assert_eq!(worker.wait().await.unwrap().status.to_string(), "signal: 9 (SIGKILL)");
            all(reader);
        }
        // The workers of a zygote go on without it.
        let (worker, reader) = holder(async |job| zygote.start(job).await.unwrap()).await;
        drop(zygote);
        assert!(worker.try_wait().unwrap().is_none());
        drop(worker);
        all(reader);
    });
    left_nothing();
}

fn nothing_is_left_of_many() {
    let runtime = runtime();
    let launcher = launcher(FORK_NESTED);
    let zygote = runtime.block_on(launcher.zygote()).unwrap();
    let once = |count: u32| {
        runtime.block_on(async {
            let mut all = Vec::new();
            for _ in 0..count {
                all.push(zygote.start(job(3, &["2"])).await.unwrap());
            }
            for worker in &all {
                assert_eq!(code(worker).await, 0);
            }
        });
    };
    once(1);
    let before = descriptors("self");
    once(50);
    assert_eq!(descriptors("self"), before);
    // The zygote lives, and nothing waits to be waited for.
    let leave = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    assert!(matches!(waitid(WaitId::All, leave), Ok(None)));
    // Nor of what is given up while it is under way; a runtime that ends waits for it.
    for _ in 0..5 {
        runtime.block_on(async {
            let given_up = zygote.start(job(3, &["2"]));
            let _ = tokio::time::timeout(Duration::ZERO, given_up).await;
        });
    }
    drop(runtime);
    drop(zygote);
    left_nothing();
}

/// Names the process that is to be killed with a worker.
pub const LOST: &str = "OFFSPRING_TEST_LOST";

/// An embedder that starts two workers, says so, and waits to be killed.
pub fn be_lost() -> ExitCode {
    let runtime = runtime();
    runtime.block_on(async {
        let launcher = launcher(FORK_SERVER);
        let zygote = launcher.zygote().await.unwrap();
        let _executed = launcher.start(waiting()).await.unwrap();
        let _forked = zygote.start(waiting()).await.unwrap();
        println!("started");
        loop {
            tokio::time::sleep(Duration::from_secs(1000)).await;
        }
    })
}

/// A guest that waits for its input, and has this process's output.
fn waiting() -> Job {
    let (stdin, jobs) = std::io::pipe().unwrap();
    std::mem::forget(jobs);
    job(8, &[]).stdin(stdin)
}

fn a_killed_embedder_takes_its_workers_along() {
    let mut embedder = Command::new(std::env::current_exe().unwrap());
    embedder.env(LOST, "yes").stdout(std::process::Stdio::piped());
    let mut embedder = embedder.spawn().unwrap();
    let mut stdout = embedder.stdout.take().unwrap();
    let mut said = [0; 8];
    stdout.read_exact(&mut said).unwrap();
    embedder.kill().unwrap();
    embedder.wait().unwrap();
    // Ends when both workers and the zygote are gone.
    stdout.read_to_end(&mut Vec::new()).unwrap();
}

fn a_group_of_its_own() {
    let place = match Place::find() {
        Ok(place) => place,
        Err(no_place) => return skip("a_group_of_its_own", no_place),
    };
    runtime().block_on(async {
        let launcher = launcher(FORK_SERVER).own_groups(place.clone());
        let zygote = launcher.zygote().await.unwrap();
        let groups = || {
            let entries = std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap());
            let groups =
                entries.filter(|entry| entry.file_name().to_string_lossy().contains("guest"));
            groups.count()
        };
        for forked in [false, true] {
            let start = async |job| match forked {
                true => zygote.start(job).await.unwrap(),
                false => launcher.start(job).await.unwrap(),
            };
            let (worker, reader) = holder(start).await;
            let pid = worker.pidfd().getpid().unwrap();
            let group = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
            assert!(group.contains("/guest."), "{group}");
            assert_eq!(groups(), 1);
            drop(worker);
            all(reader);
            // What takes longer than a moment to die is removed by a thread.
            let begin = Instant::now();
            while groups() > 0 {
                assert!(begin.elapsed() < PATIENCE, "a group is left");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    });
}

fn what_cannot_start() {
    runtime().block_on(async {
        let error = Launcher::new("/nonexistent/program").unwrap_err();
        assert!(matches!(error, StartError::Program(_)), "{error:?}");
        let launcher = Launcher::this_program().unwrap();
        for zygote in [false, true] {
            let start = async |launcher: Launcher| match zygote {
                true => launcher.zygote().await.map(drop).unwrap_err(),
                false => launcher.start(Job::new("")).await.map(drop).unwrap_err(),
            };
            match start(launcher.clone().setup(FAILS)).await {
                StartError::Prepare(why) => assert_eq!(why, "there is nothing to prepare"),
                other => panic!("{other:?}"),
            }
            match start(launcher.clone().setup(PANICS)).await {
                StartError::Ended(status) => assert_eq!(status, ExitStatus::Exited(101)),
                other => panic!("{other:?}"),
            }
            match start(Launcher::new("/bin/true").unwrap()).await {
                StartError::Ended(status) => assert_eq!(status, ExitStatus::Exited(0)),
                other => panic!("{other:?}"),
            }
            let patience = Duration::from_millis(50);
            let sleep = Launcher::new("/bin/sleep").unwrap().arg("1000").patience(patience);
            let error = start(sleep).await;
            assert!(matches!(error, StartError::TimedOut(time) if time == patience), "{error:?}");
            let error = start(launcher.clone().setup(vec![0; (1 << 20) + 1])).await;
            assert!(matches!(error, StartError::Io(_)), "{error:?}");
        }
        let large = Job::new(vec![0; 1 << 20]);
        let error = launcher.start(large).await.unwrap_err();
        assert!(matches!(error, StartError::Io(_)), "{error:?}");
    });
    left_nothing();
}

fn a_zygote_that_cannot_be_copied() {
    runtime().block_on(async {
        let launcher = launcher(FORK_MEMORY).setup(HAS_A_THREAD);
        let zygote = launcher.zygote().await.unwrap();
        match zygote.start(job(2, &[])).await.unwrap_err() {
            StartError::Fork(why) => assert_eq!(why, "this process has more than one thread"),
            other => panic!("{other:?}"),
        }
        // Nor is a guest's fork made in a process with a thread.
        let refused = Launcher::this_program().unwrap();
        let refused = refused.setup_file(File::open(FORK_REFUSED).unwrap()).setup(HAS_A_THREAD);
        let worker = refused.start(job(2, &["threads"])).await.unwrap();
        assert_eq!(code(&worker).await, 0);
    });
    left_nothing();
}

fn a_zygote_that_is_gone() {
    runtime().block_on(async {
        let zygote = launcher(FORK_MEMORY).zygote().await.unwrap();
        zygote.pidfd().send_signal(offspring_spawn::Signal::KILL).unwrap();
        zygote.pidfd().poll(Duration::from_secs(10)).unwrap();
        let error = zygote.start(job(2, &[])).await.unwrap_err();
        match error {
            StartError::ZygoteEnded(status) => {
                assert_eq!(status.to_string(), "signal: 9 (SIGKILL)");
            }
            other => panic!("{other:?}"),
        }
    });
    left_nothing();
}

fn only_within_a_runtime() {
    let launcher = launcher(FORK_MEMORY);
    let mut start = Box::pin(launcher.zygote());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match start.as_mut().poll(&mut context) {
        std::task::Poll::Ready(Err(StartError::NoRuntime)) => {}
        other => panic!("{other:?}"),
    }
}
