//! Which of this process's descriptors a fork has to know.

use std::mem::MaybeUninit;
use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::OnceLock;

use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags, RawDir, Stat, fstat, major, readlinkat_raw};
use rustix::io::Errno;
use smallvec::SmallVec;

use super::epoll::{borrowed, is_epoll};
use super::error::{ForkError, Unforkable};
use super::proc::{self, DIRECTORY, proc_error};
use crate::info::is_pidfd;
use crate::window;

/// The numbers of the descriptors that belong to one process only.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) epolls: SmallVec<[RawFd; 4]>,
    /// Eventfds, and what may be some: other objects without a name in a file system.
    pub(super) nameless: SmallVec<[RawFd; 4]>,
}

/// How many numbers are asked for at once.
const AT_ONCE: RawFd = 32;

/// Looking for them.
#[derive(Debug)]
struct Search {
    /// How many there are, if that is known, and how many of them were not found yet.
    known: RawFd,
    left: RawFd,
    /// Of which is known what they are.
    reserved: SmallVec<[RawFd; 32]>,
    found: SmallVec<[RawFd; 64]>,
    open: Open,
}

impl Search {
    fn new() -> Result<Search, ForkError> {
        let known = proc::count()?;
        let reserved = window::numbers().into_iter().chain(proc::numbers()).collect();
        let (found, open) = (SmallVec::new(), Open::default());
        Ok(Search { known, left: known, reserved, found, open })
    }

    /// Looks at these numbers, as long as there is something to be found.
    fn all(&mut self, numbers: impl IntoIterator<Item = RawFd>) -> Result<(), ForkError> {
        for number in numbers {
            if self.left == 0 {
                break;
            }
            if self.reserved.contains(&number) || self.open.add(number)? {
                self.left -= 1;
                self.found.push(number);
            }
        }
        Ok(())
    }
}

impl Open {
    /// Looks at all that this process has. How many these are the kernel says, since
    /// Linux 6.2, so that trying those that there were before, and else the first numbers,
    /// finds them all: to list them takes several times as long.
    pub(super) fn list() -> Result<Open, ForkError> {
        let mut search = Search::new()?;
        search.all(proc::known_before())?;
        if search.left > 0 {
            search = Search::new()?;
            for first in (0..search.known * 2 + 256).step_by(AT_ONCE as usize) {
                let numbers = first..first + AT_ONCE;
                if search.left > 0 && (first == 0 || is_any_open(numbers.clone())) {
                    search.all(numbers)?;
                }
            }
            proc::know(&search.found);
        }
        match (search.known, search.left) {
            (1.., 0) => Ok(search.open),
            // Numbers far apart, or a kernel that does not say.
            _ => Open::list_all(),
        }
    }

    /// Apart from the other, because it takes much of the stack.
    #[inline(never)]
    fn list_all() -> Result<Open, ForkError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(DIRECTORY, flags, Mode::empty()).map_err(proc_error)?;
        let mut open = Open::default();
        let mut found: SmallVec<[RawFd; 64]> = SmallVec::new();
        let mut space = [MaybeUninit::uninit(); 4096];
        let mut entries = RawDir::new(&directory, &mut space);
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(proc_error)?;
            // Where it is, and where that is, are no numbers.
            if let Some(number) = entry.file_name().to_str().ok().and_then(|name| name.parse().ok())
            {
                open.add(number)?;
                if number != directory.as_raw_fd() {
                    found.push(number);
                }
            }
        }
        proc::know(&found);
        Ok(open)
    }

    /// Looks at one, and says whether there is one. Most are told by their status, which
    /// takes a tenth of what asking for their names takes.
    fn add(&mut self, number: RawFd) -> Result<bool, ForkError> {
        let kind = match fstat(borrowed(number)) {
            Err(Errno::BADF) => return Ok(false),
            Ok(status) if !may_be_of_one_process(&status) => return Ok(true),
            Ok(status) => Some(FileType::from_raw_mode(status.st_mode)),
            Err(_) => None,
        };
        if is_epoll(number) {
            self.epolls.push(number);
            return Ok(true);
        }
        if kind == Some(FileType::Unknown) && are_epolls_told() {
            // Of which hosts have most.
            if !is_pidfd(borrowed(number)) {
                self.nameless.push(number);
            }
            return Ok(true);
        }
        let mut space = [MaybeUninit::uninit(); 64];
        let path = format!("/proc/self/fd/{number}");
        match &*readlinkat_raw(CWD, path, &mut space).map_err(proc_error)?.0 {
            b"anon_inode:[eventpoll]" => self.epolls.push(number),
            b"anon_inode:[eventfd]" => self.nameless.push(number),
            path if path.starts_with(b"/proc/") && path.ends_with(b"/pagemap") => {
                return Err(Unforkable::Pagemap.into());
            }
            _ => {}
        }
        Ok(true)
    }
}

/// Whether this kernel says of epoll instances that they are some.
fn are_epolls_told() -> bool {
    static TOLD: OnceLock<bool> = OnceLock::new();
    *TOLD.get_or_init(|| {
        let instance = epoll::create(epoll::CreateFlags::CLOEXEC);
        instance.is_ok_and(|instance| is_epoll(instance.as_raw_fd()))
    })
}

/// Whether any of these numbers is that of a descriptor, in one call instead of one for
/// each; yes where the kernel does not tell, as for numbers behind `RLIMIT_NOFILE`. One
/// that was opened as a path only is none.
fn is_any_open(numbers: Range<RawFd>) -> bool {
    let mut asked: SmallVec<[PollFd<'_>; AT_ONCE as usize]> = numbers
        .map(|number| PollFd::from_borrowed_fd(borrowed(number), PollFlags::empty()))
        .collect();
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let answered = poll(&mut asked, Some(&at_once));
    answered.is_err() || asked.iter().any(|one| !one.revents().contains(PollFlags::NVAL))
}

/// Whether it may be one of the kernel's own objects, which have no type or are files
/// without blocks and on no device, as those of `/proc` are.
fn may_be_of_one_process(status: &Stat) -> bool {
    use FileType::{BlockDevice, CharacterDevice, Directory, Fifo, Socket, Symlink};
    match FileType::from_raw_mode(status.st_mode) {
        BlockDevice | CharacterDevice | Directory | Fifo | Socket | Symlink => false,
        FileType::RegularFile => {
            status.st_size == 0 && status.st_blocks == 0 && major(status.st_dev) == 0
        }
        FileType::Unknown => true,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use std::os::fd::AsFd;

    use rustix::event::{EventfdFlags, eventfd};
    use rustix::fs::memfd_create;
    use smallvec::smallvec;

    use super::*;

    fn kind(descriptor: impl AsFd) -> Open {
        let number = descriptor.as_fd().as_raw_fd();
        let [known, all] = [Open::list(), Open::list_all()].map(|open| {
            let open = open.unwrap();
            let ours = |all: &[RawFd]| all.iter().copied().filter(|n| *n == number).collect();
            Open { epolls: ours(&open.epolls), nameless: ours(&open.nameless) }
        });
        assert_eq!(known, all);
        all
    }

    #[test]
    fn kinds() {
        let instance = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        let number = instance.as_raw_fd();
        assert_eq!(kind(&instance), Open { epolls: smallvec![number], nameless: smallvec![] });
        let eventfd = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
        let number = eventfd.as_raw_fd();
        assert_eq!(kind(&eventfd), Open { epolls: smallvec![], nameless: smallvec![number] });
        let empty = memfd_create(c"empty", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let (reader, _writer) = rustix::pipe::pipe().unwrap();
        assert_eq!(kind(empty), Open::default());
        assert_eq!(kind(reader), Open::default());
        assert_eq!(kind(File::open("/proc/self/status").unwrap()), Open::default());
        assert_eq!(kind(File::open("/").unwrap()), Open::default());
        // Opened as a path only, which is none to poll.
        let path = rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let path = rustix::io::fcntl_dupfd_cloexec(&path, 300).unwrap();
        assert_eq!(kind(&path), Open::default());
        // What is now something else under a number that is known.
        let mut number = rustix::io::fcntl_dupfd_cloexec(&eventfd, 400).unwrap();
        for _ in 0..3 {
            assert_eq!(kind(&number).nameless[..], [number.as_raw_fd()]);
            let other = File::open("/").unwrap();
            rustix::io::dup3(&other, &mut number, rustix::io::DupFlags::CLOEXEC).unwrap();
            assert_eq!(kind(&number), Open::default());
            rustix::io::dup3(&eventfd, &mut number, rustix::io::DupFlags::CLOEXEC).unwrap();
        }
        // Far from the others.
        let far = rustix::io::fcntl_dupfd_cloexec(&instance, 900).unwrap();
        assert_eq!(kind(&far).epolls[..], [far.as_raw_fd()]);
    }
}
