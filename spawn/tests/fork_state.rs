//! What a forked process keeps to itself: its thread's number and mutexes, its
//! signals, its epoll instances.

#![expect(unsafe_code, reason = "mutexes of the C library have no wrapper")]

mod support;

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use offspring_spawn::{Fork, Signal, SignalSet};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
use rustix::thread::gettid;
use support::fork::{child, succeeds};
use support::isolation::alone;
use support::killed;

/// A mutex of the C library in memory that forks share.
fn mutex(kind: libc::c_int, robust: bool) -> *mut libc::pthread_mutex_t {
    let size = size_of::<libc::pthread_mutex_t>();
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping at an address of the kernel's choice.
    let memory = unsafe { mmap_anonymous(std::ptr::null_mut(), size, access, MapFlags::SHARED) };
    let mutex = memory.unwrap().cast();
    let mut attributes = MaybeUninit::uninit();
    let attributes = attributes.as_mut_ptr();
    // SAFETY: initialises the attributes, which only this function has.
    assert_eq!(unsafe { libc::pthread_mutexattr_init(attributes) }, 0);
    // SAFETY: they were initialised.
    assert_eq!(unsafe { libc::pthread_mutexattr_settype(attributes, kind) }, 0);
    let shared = libc::PTHREAD_PROCESS_SHARED;
    // SAFETY: as above.
    assert_eq!(unsafe { libc::pthread_mutexattr_setpshared(attributes, shared) }, 0);
    if robust {
        let robust = libc::PTHREAD_MUTEX_ROBUST;
        // SAFETY: as above.
        assert_eq!(unsafe { libc::pthread_mutexattr_setrobust(attributes, robust) }, 0);
    }
    // SAFETY: the mapping is large enough, and nobody else knows it yet.
    assert_eq!(unsafe { libc::pthread_mutex_init(mutex, attributes) }, 0);
    mutex
}

fn lock(mutex: *mut libc::pthread_mutex_t) -> i32 {
    // SAFETY: the mutex was initialised and is never unmapped.
    unsafe { libc::pthread_mutex_lock(mutex) }
}

fn unlock(mutex: *mut libc::pthread_mutex_t) -> i32 {
    // SAFETY: as above.
    unsafe { libc::pthread_mutex_unlock(mutex) }
}

#[test]
fn the_number_of_the_thread() {
    alone(|| {
        let checked = mutex(libc::PTHREAD_MUTEX_ERRORCHECK, false);
        succeeds(&Fork::new(), || {
            assert_eq!(gettid(), rustix::process::getpid());
            assert_eq!(lock(checked), 0);
            assert_eq!(lock(checked), libc::EDEADLK);
            assert_eq!(unlock(checked), 0);
            assert_eq!(unlock(checked), libc::EPERM);
            assert_eq!(lock(checked), 0);
        });
        // Held by another thread, as far as this one can tell.
        assert_eq!(unlock(checked), libc::EPERM);

        let raised = child(&Fork::new(), || {
            // SAFETY: sends a signal to this thread.
            unsafe { libc::raise(libc::SIGTERM) };
            0
        });
        assert_eq!(raised.wait().unwrap().status, killed(Signal::TERM));
    });
}

#[test]
fn robust_mutexes() {
    alone(|| {
        let held_by_parent = mutex(libc::PTHREAD_MUTEX_NORMAL, true);
        assert_eq!(lock(held_by_parent), 0);
        let left_by_child = mutex(libc::PTHREAD_MUTEX_NORMAL, true);
        succeeds(&Fork::new(), || assert_eq!(lock(left_by_child), 0));
        // The child died with its own, and not with its parent's.
        assert_eq!(lock(left_by_child), libc::EOWNERDEAD);
        assert_eq!(unlock(held_by_parent), 0);
        assert_eq!(lock(held_by_parent), 0);
    });
}

#[test]
fn the_mask_is_kept() {
    alone(|| {
        let before = SignalSet::blocked();
        succeeds(&Fork::new(), || assert_eq!(SignalSet::blocked(), before));
        assert_eq!(SignalSet::blocked(), before);
    });
}

/// What an instance has to tell, without waiting.
fn ready(instance: &OwnedFd) -> Vec<u64> {
    let mut events = Vec::with_capacity(8);
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    epoll::wait(instance, spare_capacity(&mut events), Some(&now)).unwrap();
    events.iter().map(|event| event.data.u64()).collect()
}

fn add(instance: &OwnedFd, fd: impl AsFd, data: u64) {
    let edge = EventFlags::IN | EventFlags::ET;
    epoll::add(instance, fd, EventData::new_u64(data), edge).unwrap();
}

/// Neither process takes the other one's events, nor changes what it waits for.
#[test]
fn an_epoll_instance_of_its_own() {
    alone(|| {
        let instance = epoll::create(CreateFlags::CLOEXEC).unwrap();
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        add(&instance, &reader, 7);
        succeeds(&Fork::new(), || {
            assert_eq!(ready(&instance), []);
            rustix::io::write(&writer, b"x").unwrap();
            assert_eq!(ready(&instance), [7]);
            epoll::delete(&instance, &reader).unwrap();
        });
        assert_eq!(ready(&instance), [7]);
        epoll::delete(&instance, &reader).unwrap();
    });
}

/// A runtime keeps two descriptors of one instance.
#[test]
fn two_descriptors_of_one_instance() {
    alone(|| {
        let instance = epoll::create(CreateFlags::CLOEXEC).unwrap();
        let other = epoll::create(CreateFlags::CLOEXEC).unwrap();
        let again = rustix::io::fcntl_dupfd_cloexec(&instance, 0).unwrap();
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        succeeds(&Fork::new(), || {
            add(&again, &reader, 1);
            rustix::io::write(&writer, b"x").unwrap();
            assert_eq!(ready(&instance), [1]);
            assert_eq!(ready(&other), []);
        });
        assert_eq!(ready(&again), []);
    });
}

/// What an earlier fork found out is not taken for what there is now, nor what a process
/// found out for what there is in its forks.
#[test]
fn what_has_changed_since_an_earlier_fork() {
    alone(|| {
        let instance = epoll::create(CreateFlags::CLOEXEC).unwrap();
        let (first, _first) = rustix::pipe::pipe().unwrap();
        add(&instance, &first, 1);
        succeeds(&Fork::new(), || assert_eq!(ready(&instance), []));
        // Another one, of the same number.
        let number = instance.as_raw_fd();
        drop(instance);
        let instance = epoll::create(CreateFlags::CLOEXEC).unwrap();
        assert_eq!(instance.as_raw_fd(), number);
        let (second, second_writer) = rustix::pipe::pipe().unwrap();
        add(&instance, &second, 2);
        succeeds(&Fork::new(), || {
            let (third, third_writer) = rustix::pipe::pipe().unwrap();
            add(&instance, &third, 3);
            let _many: Vec<_> = (0..100).map(|_| third.try_clone().unwrap()).collect();
            let far = rustix::io::fcntl_dupfd_cloexec(&instance, 300).unwrap();
            for _ in 0..2 {
                succeeds(&Fork::new(), || {
                    rustix::io::write(&second_writer, b"x").unwrap();
                    rustix::io::write(&third_writer, b"x").unwrap();
                    let mut told = ready(&far);
                    told.sort_unstable();
                    assert_eq!(told, [2, 3]);
                    // And so they are no instances of this one's parent.
                    epoll::delete(&far, &third).unwrap();
                    let mut byte = [0];
                    rustix::io::read(&second, &mut byte).unwrap();
                    rustix::io::read(&third, &mut byte).unwrap();
                });
            }
        });
    });
}

/// A wake-up of one process does not wake the other.
#[test]
fn eventfds_of_its_own() {
    alone(|| {
        let instance = epoll::create(CreateFlags::CLOEXEC).unwrap();
        let waker = eventfd(3, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).unwrap();
        let unregistered = eventfd(0, EventfdFlags::NONBLOCK).unwrap();
        add(&instance, &waker, 9);
        let read = |fd: &OwnedFd| {
            let mut count = [0; 8];
            rustix::io::read(fd, &mut count).map(|_| u64::from_le_bytes(count))
        };
        succeeds(&Fork::new(), || {
            assert_eq!(ready(&instance), [9]);
            assert_eq!(read(&waker), Ok(3));
            rustix::io::write(&waker, &5_u64.to_le_bytes()).unwrap();
            assert_eq!(ready(&instance), [9]);
            rustix::io::write(&unregistered, &1_u64.to_le_bytes()).unwrap();
        });
        assert_eq!(read(&waker), Ok(3));
        // What no runtime waits for is shared, as with fork.
        assert_eq!(read(&unregistered), Ok(1));
    });
}

/// A registration outlives the number of its descriptor, which another file has
/// by now.
#[test]
fn a_number_that_means_another_file() {
    alone(|| {
        let instance = epoll::create(CreateFlags::CLOEXEC).unwrap();
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let kept = rustix::io::fcntl_dupfd_cloexec(&reader, 0).unwrap();
        add(&instance, &reader, 4);
        let (other_reader, other_writer) = rustix::pipe::pipe().unwrap();
        let mut reader = reader;
        rustix::io::dup2(&other_reader, &mut reader).unwrap();
        succeeds(&Fork::new(), || {
            rustix::io::write(&other_writer, b"x").unwrap();
            assert_eq!(ready(&instance), []);
        });
        rustix::io::write(&writer, b"x").unwrap();
        assert_eq!(ready(&instance), [4]);
        drop(kept);
    });
}
