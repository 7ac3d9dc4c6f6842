//! What keeps a fork from being made, or ends one.

mod support;

use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use offspring_spawn::{
    Budget, Errno, ExitStatus, Fork, ForkError, Forked, Kernel, Signal, Unforkable, exit_process,
    is_single_threaded,
};
use rustix::process::{
    PidfdFlags, Resource, WaitOptions, getpid, pidfd_open, set_child_subreaper, wait,
};
use support::cgroup::Cgroup;
use support::fork::{child, succeeds};
use support::isolation::alone;
use support::proc::hide_proc;
use support::refusal::{refuse, refuse_if};
use support::traces::{assert_no_children, descriptors, with_limit};
use support::{assert_ends, killed, read_line};

/// As good as never.
const LONG: Duration = Duration::from_secs(100_000);

fn forever() -> u8 {
    loop {
        thread::park();
    }
}

/// The error of a fork that must not be made, and leaves nothing.
#[track_caller]
fn refused(fork: &Fork) -> ForkError {
    // Takes descriptors that stay.
    Kernel::get().unwrap();
    let first = fork.fork().unwrap_err();
    let before = descriptors("self");
    let error = fork.fork().unwrap_err();
    assert_eq!(error, first);
    assert_eq!(descriptors("self"), before);
    assert_no_children();
    error
}

#[test]
fn a_kernel_that_refuses() {
    for (errno, expected) in [
        (Errno::AGAIN, ForkError::LimitReached),
        (Errno::NOMEM, ForkError::OutOfMemory),
        (Errno::INVAL, ForkError::Clone(Errno::INVAL)),
    ] {
        alone(|| {
            Kernel::get().unwrap();
            refuse(libc::SYS_clone3, errno);
            assert_eq!(refused(&Fork::new()), expected);
        });
    }
}

/// As in a container whose seccomp profile is older than clone3.
#[test]
fn clone_takes_the_place_of_clone3() {
    alone(|| {
        refuse(libc::SYS_clone3, Errno::NOSYS);
        assert!(!Kernel::get().unwrap().has_clone3());
        let parent = getpid();
        succeeds(Fork::new().exit_signal(None).deadline(LONG), || {
            assert_ne!(getpid(), parent);
            succeeds(&Fork::new(), || {});
        });
        let Some(group) = Cgroup::new("clone_takes_the_place_of_clone3") else {
            return;
        };
        let line = format!("0::{}\n", group.name);
        succeeds(Fork::new().cgroup(group.directory()), || {
            let ours = std::fs::read_to_string("/proc/self/cgroup").unwrap();
            assert!(ours.contains(&line), "{ours}");
        });
        let root = support::place::directory("/".as_ref());
        let error = refused(Fork::new().cgroup(root));
        assert_eq!(error, ForkError::Cgroup(Errno::BADF));
    });
}

/// What the child finds out, the parent is told.
#[test]
fn a_child_that_may_not_join() {
    alone(|| {
        let Some(group) = Cgroup::new("a_child_that_may_not_join") else {
            return;
        };
        refuse(libc::SYS_clone3, Errno::NOSYS);
        succeeds(Fork::new().cgroup(group.directory()), || {});
        // Joining is writing one byte.
        refuse_if(libc::SYS_write, 2, 1, Errno::BUSY);
        let error = refused(Fork::new().cgroup(group.directory()));
        assert_eq!(error, ForkError::Cgroup(Errno::BUSY));
    });
}

#[test]
fn a_sandbox_without_unshare() {
    alone(|| {
        refuse(libc::SYS_unshare, Errno::PERM);
        assert_eq!(is_single_threaded(), Ok(true));
        succeeds(&Fork::new(), || {});
        thread::scope(|scope| {
            let (send, receive) = std::sync::mpsc::channel::<()>();
            scope.spawn(move || receive.recv());
            assert_eq!(Fork::new().fork().unwrap_err(), ForkError::NotSingleThreaded);
            drop(send);
        });
    });
}

#[test]
fn a_c_library_that_cannot_be_copied() {
    alone(|| {
        const GET_TID_ADDRESS: u64 = 40;
        refuse_if(libc::SYS_prctl, 0, GET_TID_ADDRESS, Errno::INVAL);
        let why = Unforkable::ThreadAddress(Errno::INVAL);
        assert_eq!(refused(&Fork::new()), ForkError::Unsupported(why));
    });
}

#[test]
fn a_process_that_cannot_see_itself() {
    alone(|| {
        if let Err(error) = hide_proc() {
            support::isolation::skip("a_process_that_cannot_see_itself", error);
            return;
        }
        let why = Unforkable::Proc(Errno::NOENT);
        assert_eq!(Fork::new().fork().unwrap_err(), ForkError::Unsupported(why));
    });
}

#[test]
fn no_descriptors_left() {
    alone(|| {
        let free = rustix::io::dup(rustix::stdio::stdin()).unwrap();
        let free = u64::from(free.as_raw_fd().unsigned_abs());
        let error = with_limit(Resource::Nofile, free, || Fork::new().fork().unwrap_err());
        assert_eq!(error, ForkError::Descriptors(Errno::MFILE));
        assert_no_children();
        succeeds(&Fork::new(), || {});
    });
}

/// A pagemap would show the child what its parent has.
#[test]
fn an_open_pagemap() {
    alone(|| {
        let open = std::fs::File::open("/proc/self/pagemap").unwrap();
        assert_eq!(refused(&Fork::new()), ForkError::Unsupported(Unforkable::Pagemap));
        drop(open);
        succeeds(&Fork::new(), || {});
    });
}

#[test]
fn deadlines() {
    alone(|| {
        for soon in [Duration::ZERO, Duration::from_millis(20)] {
            let late = child(Fork::new().deadline(soon), forever);
            assert_eq!(late.wait().unwrap().status, killed(Signal::KILL));
        }
        // Also one that is stopped, and one that blocks everything.
        let stopped = child(Fork::new().deadline(Duration::from_millis(50)), forever);
        stopped.pidfd().send_signal(Signal::STOP).unwrap();
        assert_eq!(stopped.wait().unwrap().status, killed(Signal::KILL));
        // A deadline is its process's alone.
        succeeds(Fork::new().deadline(LONG), || {
            succeeds(&Fork::new(), || thread::sleep(Duration::from_millis(1)));
        });
        let none_pending = || {
            let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
            rustix::process::setrlimit(Resource::Sigpending, none).unwrap();
        };
        none_pending();
        assert_eq!(refused(Fork::new().deadline(LONG)), ForkError::Deadline(Errno::AGAIN));
        succeeds(&Fork::new(), || {});
    });
}

/// A fork that wants it dies with its parent, and so does its own.
#[test]
fn dying_with_the_parent() {
    alone(|| {
        let mut fork = Fork::new();
        fork.parent_death_signal(Some(Signal::KILL));
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let middle = child(&fork, || {
            let inner = child(&fork, || {
                let text = format!("{}\n", getpid().as_raw_pid());
                rustix::io::write(&writer, text.as_bytes()).unwrap();
                forever()
            });
            inner.wait().unwrap();
            0
        });
        let inner = read_line(&reader).parse().ok().and_then(rustix::process::Pid::from_raw);
        let inner = pidfd_open(inner.unwrap(), PidfdFlags::empty()).unwrap();
        middle.kill().unwrap();
        assert_eq!(middle.wait().unwrap().status, killed(Signal::KILL));
        assert_ends(inner);
    });
}

/// Every process of the tree counts, and gives its place back, whoever dies.
#[test]
fn a_budget_for_the_whole_tree() {
    alone(|| {
        // What loses its parent is ours to wait for: not everywhere does the first
        // process do so, and a zombie has its place still.
        set_child_subreaper(Some(getpid())).unwrap();
        let budget = Budget::new(3).unwrap();
        let mut fork = Fork::new();
        fork.parent_death_signal(Some(Signal::KILL));
        let take = |fork: &Fork, body: &dyn Fn() -> u8| {
            let slot = budget.take()?;
            match fork.fork().unwrap() {
                Forked::Parent(child) => {
                    slot.give(child.pidfd().getpid().unwrap());
                    Some((slot, child))
                }
                Forked::Child => exit_process(body()),
            }
        };
        let (slot, middle) = take(&fork, &|| {
            let (slot, inner) = take(&fork, &forever).unwrap();
            let (other_slot, other) = take(&fork, &forever).unwrap();
            assert!(budget.take().is_none());
            drop((inner, slot));
            let (_slot, again) = take(&fork, &forever).unwrap();
            assert!(budget.take().is_none());
            // Dies with both, and gives nothing back.
            std::mem::forget((again, other, other_slot));
            exit_process(9)
        })
        .unwrap();
        assert_eq!(middle.wait().unwrap().status, ExitStatus::Exited(9));
        drop(slot);
        let taken = std::iter::from_fn(|| {
            loop {
                // What the kernel has killed is not at once gone.
                let _ = wait(WaitOptions::NOHANG);
                match budget.take() {
                    Some(slot) => break Some(slot),
                    None => thread::yield_now(),
                }
            }
        });
        let all: Vec<_> = taken.take(3).collect();
        assert!(budget.take().is_none());
        drop(all);
    });
}
