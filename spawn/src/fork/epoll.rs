//! Epoll instances of the child's own.
//!
//! An epoll instance is one object of the kernel, and a fork leaves both
//! processes with it: either would take events that the other one waits for, and
//! change what it waits for. So the child gets a new instance in the place of each,
//! with the same registrations, and new eventfds, by which runtimes wake
//! themselves.
//!
//! # Safety
//!
//! System calls are made with plain numbers, and with the address of one that is written to.

#![expect(unsafe_code, reason = "kcmp, and dup3 over a descriptor that is not owned here")]

use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::fstat;
use rustix::io::Errno;
use rustix::process::getpid;
use smallvec::{SmallVec, smallvec};

use super::error::{ForkError, Unforkable};
use super::open::Open;
use super::proc::fdinfo;
use crate::sys::{self, nr};

const KCMP_FILE: usize = 0;

/// The instances of this process, and those of the child, ready to take their
/// places. Nothing of what most processes have of them is on the heap, of which the
/// child would copy a page for each piece that it frees.
#[derive(Debug)]
pub(super) struct Epolls {
    instances: SmallVec<[Instance; 2]>,
    eventfds: SmallVec<[(RawFd, OwnedFd); 4]>,
}

#[derive(Debug)]
struct Instance {
    /// Every descriptor that it has.
    numbers: SmallVec<[RawFd; 4]>,
    new: OwnedFd,
    /// Registrations of eventfds, which can only be made when the new ones are
    /// in place.
    left: SmallVec<[Registration; 4]>,
}

/// A line of an epoll instance's fdinfo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Registration {
    fd: RawFd,
    events: u32,
    data: u64,
    inode: u64,
}

impl Epolls {
    /// Makes everything that the child needs. Done before there is a child,
    /// because the parent changes its registrations while it goes on.
    pub(super) fn prepare() -> Result<Epolls, ForkError> {
        let open = Open::list()?;
        let mut epolls = Epolls { instances: SmallVec::new(), eventfds: SmallVec::new() };
        for number in &open.epolls {
            epolls.add(*number, &open.nameless)?;
        }
        Ok(epolls)
    }

    fn add(&mut self, number: RawFd, nameless: &[RawFd]) -> Result<(), ForkError> {
        for instance in &mut self.instances {
            let known = instance.numbers.first().copied().unwrap_or(number);
            if is_same_file(known, number)? {
                instance.numbers.push(number);
                return Ok(());
            }
        }
        let new = epoll::create(CreateFlags::CLOEXEC).map_err(ForkError::Descriptors)?;
        let mut left = SmallVec::new();
        for registration in parse_epoll(&fdinfo(number)?) {
            if !registration.is_current() {
                continue;
            }
            let fd = registration.fd;
            if nameless.contains(&fd) && self.renew_if_eventfd(fd)? {
                left.push(registration);
            } else {
                registration.add_to(&new).map_err(ForkError::Descriptors)?;
            }
        }
        self.instances.push(Instance { numbers: smallvec![number], new, left });
        Ok(())
    }

    /// Makes an eventfd with the same count and flags, if this is one.
    fn renew_if_eventfd(&mut self, number: RawFd) -> Result<bool, ForkError> {
        if self.eventfds.iter().any(|(known, _)| *known == number) {
            return Ok(true);
        }
        let Some((count, flags)) = parse_eventfd(&fdinfo(number)?) else {
            return Ok(false);
        };
        let new = eventfd(count, flags).map_err(ForkError::Descriptors)?;
        self.eventfds.push((number, new));
        Ok(true)
    }

    /// In the child: puts the new ones in the places of the old ones.
    pub(super) fn replace(self) -> Result<(), Errno> {
        for (number, new) in &self.eventfds {
            replace(*number, new)?;
        }
        for instance in &self.instances {
            for registration in &instance.left {
                registration.add_to(&instance.new)?;
            }
            for number in &instance.numbers {
                replace(*number, &instance.new)?;
            }
        }
        let instances = self.instances.into_iter().map(|instance| instance.new);
        self.eventfds.into_iter().map(|(_, new)| new).chain(instances).for_each(close);
        Ok(())
    }
}

impl Registration {
    /// Whether the number still is that of the file which was registered: a
    /// registration lives as long as its file, under whatever number.
    fn is_current(&self) -> bool {
        fstat(borrowed(self.fd)).is_ok_and(|stat| stat.st_ino == self.inode)
    }

    fn add_to(&self, instance: &OwnedFd) -> Result<(), Errno> {
        let events = EventFlags::from_bits_retain(self.events);
        epoll::add(instance, borrowed(self.fd), EventData::new_u64(self.data), events)
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = &str> {
    text.split(|byte| *byte == b'\n').filter_map(|line| str::from_utf8(line).ok())
}

fn parse_epoll(text: &[u8]) -> impl Iterator<Item = Registration> {
    lines(text).filter_map(parse_registration)
}

/// `tfd:        4 events:       19 data:  7f0000000010  pos:0 ino:5ce sdev:a`
fn parse_registration(line: &str) -> Option<Registration> {
    let mut words = line.split([' ', ':']).filter(|word| !word.is_empty());
    let mut behind = |key| (words.next()? == key).then(|| words.next())?;
    let (fd, events, data) = (behind("tfd")?, behind("events")?, behind("data")?);
    let (_, inode) = (behind("pos")?, behind("ino")?);
    Some(Registration {
        fd: fd.parse().ok()?,
        events: u32::from_str_radix(events, 16).ok()?,
        data: u64::from_str_radix(data, 16).ok()?,
        inode: u64::from_str_radix(inode, 16).ok()?,
    })
}

/// The count, as far as a new one can begin with it, and whether reads block; none of what
/// is no eventfd.
fn parse_eventfd(text: &[u8]) -> Option<(u32, EventfdFlags)> {
    const NONBLOCK: u32 = 0o4000;
    let value = |key: &str, radix| {
        let value = lines(text).find_map(|line| line.strip_prefix(key));
        value.and_then(|value| u64::from_str_radix(value.trim(), radix).ok())
    };
    let count = u32::try_from(value("eventfd-count:", 16)?).unwrap_or(u32::MAX);
    let open = value("flags:", 8).and_then(|open| u32::try_from(open).ok()).unwrap_or(0);
    let mut flags = EventfdFlags::CLOEXEC;
    flags.set(EventfdFlags::NONBLOCK, open & NONBLOCK != 0);
    flags.set(EventfdFlags::SEMAPHORE, value("eventfd-semaphore:", 10) == Some(1));
    Some((count, flags))
}

/// Whether it is an epoll instance, as the kernel says since Linux 6.9: an older one
/// denies it of all.
pub(super) fn is_epoll(number: RawFd) -> bool {
    /// `EPIOCGPARAMS`, which only epoll instances have. Its answer is of no use here.
    const GET_PARAMETERS: usize = 0x8008_8a02;
    let mut parameters = 0_u64;
    let args = [word(number), GET_PARAMETERS, &raw mut parameters as usize, 0, 0];
    // SAFETY: the kernel writes eight bytes to ours.
    sys::result(unsafe { sys::call(nr::IOCTL, args) }).is_ok()
}

fn is_same_file(one: RawFd, other: RawFd) -> Result<bool, Unforkable> {
    let pid = getpid().as_raw_pid().unsigned_abs() as usize;
    let args = [pid, pid, KCMP_FILE, word(one), word(other)];
    // SAFETY: all arguments are numbers.
    let answer = unsafe { sys::call(nr::KCMP, args) };
    sys::result(answer).map(|order| order == 0).map_err(Unforkable::Compare)
}

/// Gives the number to another file.
fn replace(number: RawFd, new: &OwnedFd) -> Result<(), Errno> {
    const CLOEXEC: usize = 0o2_000_000;
    let args = [word(new.as_raw_fd()), word(number), CLOEXEC, 0, 0];
    // SAFETY: all arguments are numbers. Whoever owns the descriptor of this
    // number owns it afterwards too, and finds a file of the same kind.
    let answer = unsafe { sys::call(nr::DUP3, args) };
    sys::result(answer).map(drop)
}

/// Closes it without the C library, whose code the child would have to find first.
fn close(fd: OwnedFd) {
    // SAFETY: the argument is a number, of a descriptor that is nobody's any more.
    unsafe { sys::call(nr::CLOSE, [word(fd.into_raw_fd()), 0, 0, 0, 0]) };
}

fn word(fd: RawFd) -> usize {
    fd.unsigned_abs() as usize
}

/// A descriptor of this process, by its number.
pub(super) fn borrowed<'a>(number: RawFd) -> BorrowedFd<'a> {
    // SAFETY: it is used for questions only, and nothing else runs that could close it
    // before the fork is done. Where nothing is open, the kernel says so.
    unsafe { BorrowedFd::borrow_raw(number) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registrations() {
        let text = b"pos:\t0\nflags:\t02\nmnt_id:\t15\nino:\t1057\n\
                    tfd:        5 events: 8000201d data: ffffffffffffffff  pos:0 ino:421 sdev:f\n\
                    tfd:       12 events:       19 data:     55d0e8c0aa00  pos:9 ino:421 sdev:f\n";
        let first = Registration { fd: 5, events: 0x8000_201d, data: u64::MAX, inode: 0x421 };
        let second = Registration { fd: 12, events: 0x19, data: 0x55d0_e8c0_aa00, inode: 0x421 };
        assert!(parse_epoll(text).eq([first, second]));
    }

    #[test]
    fn eventfds() {
        let text = b"pos:\t0\nflags:\t02004002\neventfd-count:               1f\neventfd-id: 3\n";
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        assert_eq!(parse_eventfd(text), Some((31, flags)));
        let text = b"flags:\t02\neventfd-count: ffffffffffff\neventfd-semaphore: 1\n";
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::SEMAPHORE;
        assert_eq!(parse_eventfd(text), Some((u32::MAX, flags)));
        assert_eq!(parse_eventfd(b"flags:\t02\nclockid: 1\n"), None);
    }
}
