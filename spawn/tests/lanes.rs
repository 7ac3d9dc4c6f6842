//! Spawns that do not come back, and callers that must not sleep.

mod support;

use std::fs::File;
use std::future::Future;
use std::io::Read;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use offspring_spawn::{
    Access, Command, Errno, ExitStatus, Sandbox, Signal, SpawnAbort, SpawnError, Stage, Stdio,
};
use rustix::process::geteuid;
use support::cgroup::Cgroup;
use support::isolation::{isolated, skip};
use support::traces::{Traces, assert_no_children};
use support::{find_line, program, sh, sleeper, status_line};

const ABORTED: SpawnError = SpawnError { stage: Stage::Exec, errno: Errno::CANCELED };

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Unpark>) {
        self.0.unpark();
    }
}

/// The smallest runtime.
fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn without_sleeping() {
    isolated(|| {
        let run = || {
            let child = block_on(sh("exit 7").spawn_async()).unwrap();
            assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(7));
            let many: Vec<_> = (0..20).map(|_| sleeper().spawn_async()).collect();
            for spawning in many {
                block_on(spawning).unwrap();
            }
            assert!(block_on(sh("\0").spawn_async()).is_err());
        };
        run();
        assert_no_children();
    });
}

/// What a child gives up, the lane that makes it has still for the next one.
#[test]
fn with_and_without_capabilities() {
    let cat = program("cat");
    let sandbox = Sandbox::builder().run_time(true).program(&cat);
    let sandbox = match sandbox.path("/proc".as_ref(), Access::Read).unwrap().build() {
        Ok(sandbox) => sandbox,
        Err(missing) => return skip("with_and_without_capabilities", missing),
    };
    let bounding_set = |sandbox: Option<&Sandbox>| {
        let mut command = Command::new(&cat);
        command.arg("/proc/self/status").stdout(Stdio::Piped);
        sandbox.map(|sandbox| command.sandbox(sandbox));
        let mut child = block_on(command.spawn_async()).unwrap();
        let mut status = String::new();
        File::from(child.stdout.take().unwrap()).read_to_string(&mut status).unwrap();
        assert!(child.wait().unwrap().status.success());
        u64::from_str_radix(&find_line(&status, "CapBnd"), 16).unwrap()
    };
    let ours = || u64::from_str_radix(&status_line("thread-self", "CapBnd"), 16).unwrap();
    let before = ours();
    let in_a_sandbox = if geteuid().is_root() { 0 } else { before };
    for _ in 0..3 {
        assert_eq!(bounding_set(Some(&sandbox)), in_a_sandbox);
        assert_eq!(bounding_set(None), before);
    }
    assert_eq!(ours(), before);
}

/// Whatever the moment, there is a child or there is nothing.
#[test]
fn given_up_at_any_moment() {
    isolated(|| {
        let run = |rounds: u32| {
            for round in 0..rounds {
                let mut spawning = sleeper().spawn_async();
                for _ in 0..round % 50 {
                    thread::yield_now();
                }
                if round % 3 == 0 {
                    let mut context = Context::from_waker(Waker::noop());
                    let _ = Pin::new(&mut spawning).poll(&mut context);
                }
                drop(spawning);
            }
        };
        run(10);
        assert_no_children();
        run(500);
        assert_no_children();
    });
}

#[test]
fn aborted_at_any_moment() {
    isolated(|| {
        let run = |rounds: u32| {
            let (mut started, mut aborted) = (0, 0);
            for round in 0..rounds {
                let abort = SpawnAbort::default();
                let by = abort.clone();
                let result = thread::scope(|scope| {
                    scope.spawn(move || {
                        (0..round % 40).for_each(|_| thread::yield_now());
                        by.abort();
                    });
                    sleeper().new_process_group(true).spawn_abortable(&abort)
                });
                match result {
                    Ok(child) => {
                        started += 1;
                        assert_eq!(child.try_wait().unwrap(), None, "an abort came too late");
                    }
                    Err(error) => {
                        aborted += 1;
                        assert_eq!(error, ABORTED);
                    }
                }
            }
            println!("{started} started, {aborted} aborted");
        };
        // What a process makes once is there afterwards.
        run(40);
        Traces::unchanged(|| run(300));
    });
}

/// In a frozen cgroup a child does not come to execute its program.
#[test]
fn a_spawn_that_does_not_come_back() {
    isolated(|| {
        let Some(cgroup) = Cgroup::new("a_spawn_that_does_not_come_back") else { return };
        std::fs::write(cgroup.file("cgroup.freeze"), "1").unwrap();
        let directory = Arc::new(cgroup.directory());
        let frozen = || {
            let mut command = sleeper();
            command.cgroup(Arc::clone(&directory));
            command
        };
        let is_stuck = || {
            while std::fs::read_to_string(cgroup.file("cgroup.procs")).unwrap().is_empty() {
                thread::sleep(Duration::from_millis(1));
            }
        };
        let abort = SpawnAbort::default();
        let by = abort.clone();
        let stuck = thread::scope(|scope| {
            scope.spawn(|| {
                is_stuck();
                by.abort();
            });
            frozen().spawn_abortable(&abort)
        });
        assert_eq!(stuck.map(drop), Err(ABORTED));

        // Another one comes through meanwhile, on the same single thread.
        let spawning = frozen().spawn_async();
        is_stuck();
        let other = block_on(sh("exit 3").spawn_async()).unwrap();
        assert_eq!(other.wait().unwrap().status, ExitStatus::Exited(3));
        drop(other);
        drop(spawning);
        assert_no_children();

        // What is thawed goes on.
        let spawning = frozen().spawn_async();
        is_stuck();
        std::fs::write(cgroup.file("cgroup.freeze"), "0").unwrap();
        let child = block_on(spawning).unwrap();
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().status, support::killed(Signal::KILL));
    });
}

/// The thread that makes a child lives as long as this process.
#[test]
fn a_parent_death_signal_waits_for_the_process() {
    let spawn = || {
        let mut command = support::cat();
        command.parent_death_signal(Some(Signal::KILL));
        block_on(command.spawn_async()).unwrap()
    };
    let mut child = thread::spawn(spawn).join().unwrap();
    child.stdin = None;
    assert!(child.wait().unwrap().status.success());
}
