//! Waiting until a descriptor is ready.

use std::os::fd::{AsFd, AsRawFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::{self, Handle};
use wasmtime_wasi::runtime::with_ambient_tokio_runtime;

/// A descriptor's registration with the runtime that waits for it, made when
/// it is first waited for: most streams and processes are read and ended
/// without.
#[derive(Debug)]
pub(crate) struct Readiness<F: AsRawFd> {
    registered: Option<(runtime::Id, AsyncFd<F>)>,
}

impl<F: AsRawFd> Default for Readiness<F> {
    fn default() -> Readiness<F> {
        Readiness { registered: None }
    }
}

impl<F: AsRawFd + AsFd + Clone> Readiness<F> {
    /// Resolves when the descriptor is ready, in error, or hung up.
    ///
    /// The kernel is asked each time, so that what the runtime remembers from
    /// before a read or a write cannot mislead.
    pub(crate) async fn ready(&mut self, fd: &F, interest: Interest) {
        if is_ready(fd, interest) {
            return;
        }
        loop {
            let waited = match self.register(fd, interest) {
                Some(registered) => registered.ready(interest).await,
                None => Err(std::io::ErrorKind::OutOfMemory.into()),
            };
            match waited {
                Ok(_) if is_ready(fd, interest) => return,
                Ok(mut guard) => guard.clear_ready(),
                Err(_) => {
                    // The runtime of the registration has ended, or has no
                    // room: try again, and let others go on meanwhile.
                    self.registered = None;
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// The registration with the runtime that this is called in: another one
    /// may have stopped running, and would never wake us.
    fn register(&mut self, fd: &F, interest: Interest) -> Option<&AsyncFd<F>> {
        with_ambient_tokio_runtime(|| {
            let here = Handle::current().id();
            if self.registered.as_ref().is_none_or(|(runtime, _)| *runtime != here) {
                #[expect(
                    deprecated,
                    reason = "its successor is unsafe for the sake of descriptors that are \
                              closed while registered; ours are owned by what is registered"
                )]
                let registered = AsyncFd::with_interest(fd.clone(), interest);
                self.registered = registered.ok().map(|fd| (here, fd));
            }
        });
        self.registered.as_ref().map(|(_, registered)| registered)
    }
}

/// Asks the kernel, without blocking.
pub(crate) fn is_ready(fd: impl AsFd, interest: Interest) -> bool {
    let flags = match (interest.is_readable(), interest.is_priority()) {
        (true, _) => PollFlags::IN,
        (false, true) => PollFlags::PRI,
        (false, false) => PollFlags::OUT,
    };
    let mut fds = [PollFd::new(&fd, flags)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    // An error or a hang-up is readiness too: the next operation reports it.
    poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0)
}
