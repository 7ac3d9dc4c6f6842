//! A file system that answers when a test lets it.
//!
//! It speaks to the kernel directly; the numbers and layouts are those of
//! `linux/fuse.h`.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};

/// Requests that are answered; all others are told that there is no such thing.
const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;
const RELEASE: u32 = 18;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const INTERRUPT: u32 = 36;
const BATCH_FORGET: u32 = 42;

/// A process that waits for a page can be killed if the page is asked for in
/// this way.
const ASYNC_READ: u32 = 1;

/// The root of every file system of this kind, and the file.
const ROOT: u64 = 1;
const PROGRAM: u64 = 2;

const NAME: &str = "program";

/// What is not answered for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withheld {
    /// Opening the program. Who waits for that cannot be killed.
    Open,
    /// Reading it. Who waits for that can be.
    Read,
}

/// A mounted file system with one program in it. Dropping it fails whatever waits
/// for an answer.
#[derive(Debug)]
pub struct Fuse {
    path: PathBuf,
    shared: Arc<Shared>,
    server: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Wakes the server.
    woken: File,
}

#[derive(Debug, Default)]
struct State {
    withheld: Option<Withheld>,
    /// Whether somebody waits for that.
    is_asked: bool,
    is_over: bool,
}

struct Server {
    device: File,
    program: Vec<u8>,
    waiting: Vec<Request>,
    shared: Arc<Shared>,
}

struct Request {
    opcode: u32,
    unique: u64,
    node: u64,
    body: Vec<u8>,
}

impl Fuse {
    /// Mounts it over a directory, with this program. Only for a process that has
    /// a mount namespace of its own.
    ///
    /// # Errors
    /// When there is no `/dev/fuse`, or it may not be used.
    pub fn mount(at: &Path, program: Vec<u8>) -> io::Result<Fuse> {
        let device = File::options().read(true).write(true).open("/dev/fuse")?;
        // By its standard input, so that nobody else here inherits it.
        let mounted = Command::new("mount")
            .args([
                "-i",
                "-t",
                "fuse",
                "-o",
                "fd=0,rootmode=40000,user_id=0,group_id=0",
                "offspring",
            ])
            .arg(at)
            .stdin(Stdio::from(device.try_clone()?))
            .output()?;
        if !mounted.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&mounted.stderr).into_owned()));
        }
        let woken = File::from(eventfd(0, EventfdFlags::CLOEXEC)?);
        let shared = Arc::new(Shared { state: Mutex::default(), woken });
        let of_server = Arc::clone(&shared);
        let waiting = Vec::new();
        let mut server = Server { device, program, waiting, shared: of_server };
        let server = Some(thread::spawn(move || server.serve().unwrap()));
        Ok(Fuse { path: at.join(NAME), shared, server })
    }

    /// The program.
    pub fn program(&self) -> &Path {
        &self.path
    }

    /// Stops answering this.
    pub fn withhold(&self, what: Withheld) {
        self.shared.change(|state| state.withheld = Some(what));
    }

    /// Whether somebody waits for what is withheld.
    pub fn is_asked(&self) -> bool {
        self.shared.state().is_asked
    }

    /// Answers everything, also what was withheld.
    pub fn answer(&self) {
        self.shared.change(|state| state.withheld = None);
    }
}

impl Drop for Fuse {
    fn drop(&mut self) {
        self.shared.change(|state| state.is_over = true);
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        (&self.woken).write_all(&1_u64.to_ne_bytes()).unwrap();
    }
}

impl Server {
    fn serve(&mut self) -> io::Result<()> {
        // The kernel wants room for the longest request that there can be.
        let mut buffer = vec![0; 1 << 17];
        loop {
            let mut fds = [
                PollFd::new(&self.device, PollFlags::IN),
                PollFd::new(&self.shared.woken, PollFlags::IN),
            ];
            poll(&mut fds, None)?;
            let [has_request, is_woken] = fds.map(|fd| !fd.revents().is_empty());
            if is_woken {
                (&self.shared.woken).read_exact(&mut [0; 8])?;
                let State { withheld, is_over, .. } = *self.shared.state();
                if withheld.is_none() || is_over {
                    for request in std::mem::take(&mut self.waiting) {
                        self.answer(&request)?;
                    }
                }
                if is_over {
                    return Ok(());
                }
            }
            if has_request {
                let Ok(length) = self.device.read(&mut buffer) else {
                    // Unmounted.
                    return Ok(());
                };
                self.take(Request::parse(&buffer[..length]))?;
            }
        }
    }

    fn take(&mut self, request: Request) -> io::Result<()> {
        let mut state = self.shared.state();
        let is_withheld = match state.withheld {
            Some(Withheld::Open) => request.opcode == OPEN,
            Some(Withheld::Read) => request.opcode == READ,
            None => false,
        };
        if is_withheld {
            state.is_asked = true;
            self.waiting.push(request);
            return Ok(());
        }
        drop(state);
        self.answer(&request)
    }

    fn answer(&mut self, request: &Request) -> io::Result<()> {
        let answer = match request.opcode {
            // Nobody waits for an answer.
            FORGET | BATCH_FORGET | INTERRUPT => return Ok(()),
            INIT => Ok(self.init(request)),
            LOOKUP if request.body == format!("{NAME}\0").as_bytes() => Ok(self.entry()),
            LOOKUP => Err(libc::ENOENT),
            GETATTR => Ok(self.attributes(request.node)),
            // Not by closing the device: who waits may have a copy of it.
            OPEN | READ if self.shared.state().is_over => Err(libc::EIO),
            OPEN => Ok(vec![0; 16]),
            READ => Ok(self.read(request)),
            FLUSH | RELEASE => Ok(Vec::new()),
            _ => Err(libc::ENOSYS),
        };
        let (error, body) = match answer {
            Ok(body) => (0, body),
            Err(errno) => (-errno, Vec::new()),
        };
        let mut message = Bytes::default();
        message.u32(u32::try_from(16 + body.len()).unwrap()).u32(error.cast_unsigned());
        message.u64(request.unique).0.extend(body);
        match self.device.write_all(&message.0) {
            // Who asked is no more.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            written => written,
        }
    }

    fn init(&self, request: &Request) -> Vec<u8> {
        let mut out = Bytes::default();
        out.u32(7).u32(31).u32(request.u32(8)).u32(request.u32(12) & ASYNC_READ);
        // Many in the background, and writes of a page.
        out.u32(64 | 64 << 16).u32(4096).u32(1);
        out.0.resize(64, 0);
        out.0
    }

    /// What a name is, for as long as there is the file system.
    fn entry(&self) -> Vec<u8> {
        let mut out = Bytes::default();
        out.u64(PROGRAM).u64(0).u64(1000).u64(1000).u32(0).u32(0);
        self.attribute(PROGRAM, &mut out);
        out.0
    }

    fn attributes(&self, node: u64) -> Vec<u8> {
        let mut out = Bytes::default();
        out.u64(1000).u32(0).u32(0);
        self.attribute(node, &mut out);
        out.0
    }

    fn attribute(&self, node: u64, out: &mut Bytes) {
        let (mode, size) = match node {
            ROOT => (0o40_755, 0),
            _ => (0o100_755, self.program.len() as u64),
        };
        out.u64(node).u64(size).u64(size.div_ceil(512));
        // Times.
        out.u64(0).u64(0).u64(0).u32(0).u32(0).u32(0);
        // Mode, links, owner and group, device, block size, flags.
        out.u32(mode).u32(1).u32(0).u32(0).u32(0).u32(4096).u32(0);
    }

    fn read(&self, request: &Request) -> Vec<u8> {
        let size = self.program.len();
        let begin = usize::try_from(request.u64(8)).unwrap().min(size);
        let end = size.min(begin + usize::try_from(request.u32(16)).unwrap());
        self.program[begin..end].to_vec()
    }
}

impl Request {
    fn parse(bytes: &[u8]) -> Request {
        let mut request = Request { opcode: 0, unique: 0, node: 0, body: bytes.to_vec() };
        (request.opcode, request.unique, request.node) =
            (request.u32(4), request.u64(8), request.u64(16));
        request.body.drain(..40);
        request
    }

    /// A number in the body.
    fn u32(&self, at: usize) -> u32 {
        u32::from_ne_bytes(self.body[at..at + 4].try_into().unwrap())
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from_ne_bytes(self.body[at..at + 8].try_into().unwrap())
    }
}

/// What is put together for the kernel.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn u32(&mut self, number: u32) -> &mut Bytes {
        self.0.extend(number.to_ne_bytes());
        self
    }

    fn u64(&mut self, number: u64) -> &mut Bytes {
        self.0.extend(number.to_ne_bytes());
        self
    }
}
