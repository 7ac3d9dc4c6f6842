//! A process goes on twice.
//!
//! `FK` is what glibc's tests assert of `_Fork` and `fork`, `FN` what is known
//! of those that `fork_np` was to have.

#![expect(unsafe_code, reason = "what the C library keeps for itself has no wrapper")]

mod support;

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::thread;

use offspring_spawn::{
    Child, Command, Errno, ExitStatus, Fork, ForkError, Forked, Sibling, Signal, exit_process,
    generation, is_single_threaded, prefer_huge_ends, prefer_huge_pages,
};
use rustix::io::{FdFlags, fcntl_getfd};
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect};
use rustix::process::{
    Pid, PidfdFlags, WaitId, WaitIdOptions, WaitOptions, getpid, getppid, pidfd_open, waitid,
    waitpid,
};
use rustix::rand::{GetRandomFlags, getrandom};
use support::cgroup::Cgroup;
use support::fork::{child, succeeds};
use support::isolation::alone;
use support::place::{Place, directory};
use support::traces::{Traces, assert_no_children};
use support::{killed, program};

#[test]
fn fk_1_a_process_of_its_own() {
    alone(|| {
        let parent = getpid();
        succeeds(&Fork::new(), || {
            assert_ne!(getpid(), parent);
            assert_eq!(getppid(), Some(parent));
        });
        assert_eq!(getpid(), parent);
        assert_no_children();
    });
}

/// How often each handler ran.
static HANDLED: [AtomicU32; 3] = [const { AtomicU32::new(0) }; 3];

extern "C" fn handled<const WHICH: usize>() {
    HANDLED[WHICH].fetch_add(1, Ordering::Relaxed);
}

fn register_handlers() {
    let [prepare, parent, child] = [handled::<0>, handled::<1>, handled::<2>]
        .map(|handler: extern "C" fn()| Some(handler as unsafe extern "C" fn()));
    // SAFETY: the handlers do nothing but count.
    let done = unsafe { libc::pthread_atfork(prepare, parent, child) };
    assert_eq!(done, 0);
}

fn handled_so_far() -> [u32; 3] {
    HANDLED.each_ref().map(|count| count.load(Ordering::Relaxed))
}

#[test]
fn fk_2_no_handler_of_the_c_library_runs() {
    alone(|| {
        register_handlers();
        succeeds(&Fork::new(), || assert_eq!(handled_so_far(), [0; 3]));
        assert_eq!(handled_so_far(), [0; 3]);
    });
}

/// With threads there is no fork at all, on whichever it is tried.
#[test]
fn fn_2_no_handler_runs_with_threads_either() {
    alone(|| {
        register_handlers();
        let refused = || matches!(Fork::new().fork(), Err(ForkError::NotSingleThreaded));
        thread::scope(|scope| {
            let (send, receive) = std::sync::mpsc::channel::<()>();
            let other = scope.spawn(move || {
                assert!(refused());
                assert_eq!(is_single_threaded(), Ok(false));
                let _ = receive.recv();
            });
            assert!(refused());
            drop(send);
            other.join().unwrap();
        });
        assert_eq!(handled_so_far(), [0; 3]);
        // A thread that was joined is gone a moment later.
        while !is_single_threaded().unwrap() {
            thread::yield_now();
        }
        succeeds(&Fork::new(), || {});
    });
}

#[test]
fn fk_3_an_offset_is_shared_both_ways() {
    alone(|| {
        let place = Place::new();
        let path = place.path("file");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"parent ").unwrap();
        succeeds(&Fork::new(), || {
            assert_eq!((&file).stream_position().unwrap(), 7);
            (&file).write_all(b"child ").unwrap();
        });
        assert_eq!(file.stream_position().unwrap(), 13);
        file.write_all(b"again").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"parent child again");
        succeeds(&Fork::new(), || {
            (&file).seek(SeekFrom::Start(3)).unwrap();
        });
        assert_eq!(file.stream_position().unwrap(), 3);
    });
}

#[test]
fn fn_3_the_parent_is_known() {
    alone(|| {
        let outer = getpid();
        succeeds(&Fork::new(), || {
            let middle = getpid();
            succeeds(&Fork::new(), || {
                assert_eq!(getppid(), Some(middle));
                assert_ne!(getppid(), Some(outer));
            });
        });
    });
}

static SEEN: AtomicI32 = AtomicI32::new(0);

extern "C" fn see(signal: i32) {
    SEEN.store(signal, Ordering::Relaxed);
}

/// Counts a signal in [`SEEN`] from now on.
fn watch(signal: Signal) {
    let handler = see as extern "C" fn(i32) as libc::sighandler_t;
    // SAFETY: the handler does nothing but store a number.
    unsafe { libc::signal(signal.as_raw(), handler) };
}

/// What a child that ends makes its parent see, once it was waited for.
fn seen_after(fork: &Fork) -> i32 {
    SEEN.store(0, Ordering::Relaxed);
    succeeds(fork, || {});
    SEEN.load(Ordering::Relaxed)
}

/// SIGCHLD at the end, seen by a plain wait, memory of its own, the same cgroup.
#[test]
fn fn_1_nothing_said_is_a_fork() {
    alone(|| {
        watch(Signal::CHLD);
        assert_eq!(seen_after(&Fork::new()), Signal::CHLD.as_raw());
        assert_eq!(seen_after(&Fork::default()), Signal::CHLD.as_raw());
        let (mut memory, group) = (1, fs::read("/proc/self/cgroup").unwrap());
        let ended = child(&Fork::new(), || {
            memory += 1;
            assert_eq!(fs::read("/proc/self/cgroup").unwrap(), group);
            memory
        });
        let pid = Pid::from_raw(ended.pidfd().getpid().unwrap().cast_signed());
        let (_, status) = waitpid(pid, WaitOptions::empty()).unwrap().unwrap();
        assert_eq!(status.exit_status(), Some(2));
        assert_eq!(memory, 1);
    });
}

#[test]
fn fn_4_a_pidfd_and_both_ways_to_wait() {
    alone(|| {
        let made = child(&Fork::new(), || 7);
        assert_eq!(fcntl_getfd(&made), Ok(FdFlags::CLOEXEC));
        let leave = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::PidFd(made.as_fd()), leave).unwrap().unwrap();
        assert!(status.exited());
        assert_eq!(status.exit_status(), Some(7));
        let pid = Pid::from_raw(made.pidfd().getpid().unwrap().cast_signed()).unwrap();
        let status = waitid(WaitId::Pid(pid), leave).unwrap().unwrap();
        assert_eq!(status.exit_status(), Some(7));
        let exit = made.wait().unwrap();
        assert_eq!(exit.status, ExitStatus::Exited(7));
        assert!(exit.usage.is_some());
    });
}

#[test]
fn fn_5_exit_signals() {
    alone(|| {
        for signal in [Signal::CHLD, Signal::USR1] {
            watch(signal);
        }
        assert_eq!(seen_after(Fork::new().exit_signal(None)), 0);
        let usr1 = Some(Signal::USR1);
        assert_eq!(seen_after(Fork::new().exit_signal(usr1)), Signal::USR1.as_raw());
        assert_eq!(seen_after(&Fork::new()), Signal::CHLD.as_raw());
        // Nobody else can take it away.
        let hidden = child(Fork::new().exit_signal(None), || 3);
        assert!(matches!(waitpid(None, WaitOptions::empty()), Err(Errno::CHILD)));
        assert_eq!(hidden.wait().unwrap().status, ExitStatus::Exited(3));
    });
}

#[test]
fn fn_7_cgroups() {
    alone(|| {
        let Some(group) = Cgroup::new("fn_7_cgroups") else {
            return;
        };
        let line = format!("0::{}\n", group.name);
        let is_inside = || fs::read_to_string("/proc/self/cgroup").unwrap().contains(&line);
        succeeds(Fork::new().cgroup(group.directory()), || assert!(is_inside()));
        assert!(!is_inside());

        let none: OwnedFd = File::open("/dev/null").unwrap().into();
        for bad in [none, directory("/".as_ref())] {
            let error = Fork::new().cgroup(bad).fork().unwrap_err();
            assert_eq!(error, ForkError::Cgroup(Errno::BADF));
        }
        let removed = group.directory();
        drop(group);
        let error = Fork::new().cgroup(removed).fork().unwrap_err();
        assert_eq!(error, ForkError::Cgroup(Errno::NOENT));
        assert_no_children();
    });
}

/// What was made before the fork belongs to the parent.
#[test]
fn an_inherited_child_is_not_ours() {
    alone(|| {
        let sibling = support::sleeper().spawn().unwrap();
        succeeds(&Fork::new(), || {
            assert!(!sibling.is_ours());
            let gone = Some(Errno::CHILD.raw_os_error());
            assert_eq!(sibling.try_wait().unwrap_err().raw_os_error(), gone);
            assert_eq!(sibling.wait().unwrap_err().raw_os_error(), gone);
            assert_eq!(sibling.kill().unwrap_err().raw_os_error(), gone);
            assert_eq!(sibling.signal_group(Signal::TERM), Err(Errno::CHILD));
        });
        // Nor does its drop kill, which the one here does.
        match Fork::new().fork().unwrap() {
            Forked::Child => {
                drop(sibling);
                exit_process(0)
            }
            Forked::Parent(child) => assert!(child.wait().unwrap().status.success()),
        }
        assert!(sibling.is_ours());
        assert_eq!(sibling.try_wait().unwrap(), None);
        sibling.kill().unwrap();
        assert_eq!(sibling.wait().unwrap().status, killed(Signal::KILL));
    });
}

/// A child starts programs and forks as its parent does.
#[test]
fn a_child_has_children_of_its_own() {
    alone(|| {
        succeeds(&Fork::new(), || {
            let status = Command::new(&program("true")).spawn().unwrap().wait().unwrap().status;
            assert_eq!(status, ExitStatus::Exited(0));
            assert_no_children();
        });
        assert_eq!(nest(100), 100);
        assert_no_children();
    });
}

/// Forks within forks: each exits with how many there are below it.
fn nest(depth: u8) -> u8 {
    if depth == 0 {
        return 0;
    }
    let status = child(&Fork::new(), || nest(depth - 1)).wait().unwrap().status;
    match status {
        ExitStatus::Exited(below) => below + 1,
        other => panic!("{other}"),
    }
}

/// Who forks a sibling cannot wait for it, and its parent can.
#[test]
fn a_sibling_is_its_parents_child() {
    alone(|| {
        let parent = getpid();
        let middle = child(&Fork::new(), || {
            let own = getpid();
            match Fork::new().parent_death_signal(Some(Signal::KILL)).fork_sibling().unwrap() {
                Sibling::New => {
                    assert_ne!(getpid(), own);
                    assert_eq!((getppid(), generation()), (Some(parent), 2));
                    exit_process(5)
                }
                Sibling::Old(pidfd) => {
                    assert_eq!(fcntl_getfd(&pidfd), Ok(FdFlags::CLOEXEC));
                    let error = Child::adopt(pidfd, false).unwrap_err();
                    assert_eq!(error.raw_os_error(), Some(Errno::CHILD.raw_os_error()));
                    assert_no_children();
                    0
                }
            }
        });
        assert_eq!(middle.wait().unwrap().status, ExitStatus::Exited(0));
        assert_eq!(generation(), 0);
        // Not one of ours that anybody knows of, but ours.
        let leave = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::All, leave).unwrap().unwrap();
        let children = fs::read_to_string("/proc/thread-self/children").unwrap();
        let pid = Pid::from_raw(children.trim().parse().unwrap()).unwrap();
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        let sibling = Child::adopt(pidfd.into(), false).unwrap();
        assert_eq!(sibling.wait().unwrap().status, ExitStatus::Exited(5));
        drop(sibling);
        assert_no_children();
        let none: OwnedFd = File::open("/dev/null").unwrap().into();
        let error = Child::adopt(none.into(), false).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::BADF.raw_os_error()));
    });
}

/// What has been adopted is owned: dropping it kills it.
#[test]
fn what_is_adopted_is_killed() {
    alone(|| {
        let made = child(&Fork::new(), || {
            loop {
                thread::park();
            }
        });
        let pidfd = made.detach();
        drop(Child::adopt(pidfd, false).unwrap());
        assert_no_children();
    });
}

/// Of what is reserved, and of nothing else.
#[test]
fn huge_pages() {
    alone(|| {
        const SIZE: usize = 2 << 30;
        let none = ProtFlags::empty();
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let start = unsafe { mmap_anonymous(std::ptr::null_mut(), SIZE, none, flags) }.unwrap();
        let asked = prefer_huge_pages().unwrap();
        if asked == 0 {
            return support::isolation::skip("huge_pages", "this kernel has none");
        }
        assert!(asked >= SIZE, "{asked}");
        let maps = fs::read_to_string("/proc/self/smaps").unwrap();
        let mut advised = Vec::new();
        let mut range = "";
        for line in maps.lines() {
            match line.strip_prefix("VmFlags:") {
                Some(flags) if flags.split(' ').any(|flag| flag == "hg") => advised.push(range),
                None if line.contains('-') && !line.starts_with(char::is_uppercase) => range = line,
                Some(_) | None => {}
            }
        }
        let address = format!("{:x}-", start.addr());
        assert!(advised.iter().any(|range| range.starts_with(&address)), "{advised:?}");
        assert!(advised.iter().all(|range| !range.contains('[')), "{advised:?}");
    });
}

/// The ends are what they were, and copied as before.
#[test]
fn huge_ends() {
    const SIZE: usize = 2 << 30;
    const MIB: usize = 1 << 20;
    alone(|| {
        let none = ProtFlags::empty();
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let all = unsafe { mmap_anonymous(std::ptr::null_mut(), SIZE, none, flags) }.unwrap();
        let begin = all.map_addr(|address| address.next_multiple_of(2 * MIB) + MIB);
        let length = 4 * MIB + MIB / 2;
        let access = MprotectFlags::READ | MprotectFlags::WRITE;
        // SAFETY: it lies in the mapping, to which nothing refers.
        unsafe { mprotect(begin, length, access) }.unwrap();
        assert_eq!(prefer_huge_ends().unwrap(), 0, "nothing was asked for");
        let asked = prefer_huge_pages().unwrap();
        // SAFETY: the memory is mapped to be read and written, and nobody else has it.
        let memory = unsafe { std::slice::from_raw_parts_mut(begin.cast::<u8>(), length) };
        let byte = |index: usize| u8::try_from(index / 4096 % 251).unwrap();
        memory.iter_mut().enumerate().for_each(|(index, to)| *to = byte(index));
        let moved = prefer_huge_ends().unwrap();
        if asked == 0 || moved == 0 {
            return support::isolation::skip("huge_ends", "this kernel has no huge pages");
        }
        assert_eq!(moved, 2 * MIB + MIB / 2);
        let is_same = |memory: &[u8]| {
            memory.iter().enumerate().skip(1).all(|(index, found)| *found == byte(index))
        };
        assert!(is_same(memory));
        for round in 1..4 {
            let made = child(&Fork::new(), || {
                let seen = memory[0];
                memory.fill(0xff);
                if seen + 1 == round { 0 } else { 1 }
            });
            assert!(made.wait().unwrap().status.success());
            assert!(is_same(memory));
            memory[0] = round;
        }
        // What lies behind is still for nobody.
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let behind = format!("{:x}-", begin.addr() + length);
        let guard = maps.lines().find(|line| line.starts_with(&behind)).unwrap();
        assert!(guard.contains(" ---p "), "{guard}");
    });
}

#[test]
fn a_thousand_leave_nothing() {
    alone(|| {
        succeeds(&Fork::new(), || {});
        let before = support::traces::descriptors("self");
        for _ in 0..1000 {
            let mut bytes = [0; 1];
            getrandom(&mut bytes, GetRandomFlags::empty()).unwrap();
            let status = child(&Fork::new(), || bytes[0]).wait().unwrap().status;
            assert_eq!(status, ExitStatus::Exited(bytes[0]));
        }
        assert_eq!(support::traces::descriptors("self"), before);
        assert_no_children();
        // Also those that nobody waits for.
        Traces::unchanged(|| {
            drop(child(&Fork::new(), || {
                loop {
                    thread::park()
                }
            }))
        });
    });
}

#[test]
fn a_pipe_goes_both_ways() {
    alone(|| {
        let (mut ours, mut theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let made = child(&Fork::new(), || {
            let mut byte = [0];
            theirs.read_exact(&mut byte).unwrap();
            theirs.write_all(&[byte[0] * 2]).unwrap();
            0
        });
        ours.write_all(&[21]).unwrap();
        let mut byte = [0];
        ours.read_exact(&mut byte).unwrap();
        assert_eq!(byte, [42]);
        assert!(made.wait().unwrap().status.success());
    });
}
