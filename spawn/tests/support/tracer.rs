//! Watching a process by ptrace: every system call of it and of what it starts,
//! or every instruction.

use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

/// What happened between the two signals that the watched process sent itself.
#[derive(Debug, Default)]
pub struct Watched {
    /// The thread that sent them.
    pub caller: i32,
    /// The system calls by number, of every thread and process.
    pub calls: BTreeMap<i32, Vec<i64>>,
    /// The instructions of the caller outside the kernel, if they were counted.
    pub instructions: u64,
}

/// What is watched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    Calls,
    Instructions,
}

/// The signals that begin and end what is watched. They are not delivered.
const BEGIN: i32 = libc::SIGUSR1;
const END: i32 = libc::SIGUSR2;

/// Marks what is watched, on the thread that does it.
#[derive(Debug)]
pub struct Marks {
    process: i64,
    thread: i64,
}

impl Marks {
    pub fn new() -> Marks {
        let process = rustix::process::getpid().as_raw_nonzero().get().into();
        let thread = rustix::thread::gettid().as_raw_nonzero().get().into();
        Marks { process, thread }
    }

    pub fn begin(&self) {
        self.send(BEGIN);
    }

    pub fn end(&self) {
        self.send(END);
    }

    /// Sends a signal to this thread, by one system call.
    fn send(&self, signal: i32) {
        // SAFETY: it takes numbers. What handles the signal is the tracer.
        unsafe { libc::syscall(libc::SYS_tgkill, self.process, self.thread, i64::from(signal)) };
    }
}

/// Runs a command to its end, and watches it. Only for a process that has no
/// other children.
pub fn watch(mut command: Command, watch: Watch) -> io::Result<Watched> {
    let ask = || match request(libc::PTRACE_TRACEME, 0, 0) {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    };
    // SAFETY: one system call, which allocates nothing.
    unsafe { command.pre_exec(ask) };
    let child = command.spawn()?;
    let root = child.id().cast_signed();
    let mut watched = Watched::default();
    let mut calls: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    let (mut begun, mut counting) = (false, false);
    loop {
        let mut status = 0;
        // SAFETY: the status is a live variable.
        let stopped = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL) };
        if stopped < 0 {
            return Ok(watched);
        }
        if !libc::WIFSTOPPED(status) {
            if stopped == root && status != 0 {
                return Err(io::Error::other(format!("it ended with {status:#x}")));
            }
            continue;
        }
        let (mut signal, event) = (libc::WSTOPSIG(status), status >> 16);
        match signal {
            // Executed for the first time.
            libc::SIGTRAP if event == 0 && !begun && watched.caller == 0 && calls.is_empty() => {
                let options = libc::PTRACE_O_TRACESYSGOOD
                    | libc::PTRACE_O_TRACECLONE
                    | libc::PTRACE_O_TRACEVFORK
                    | libc::PTRACE_O_TRACEFORK
                    | libc::PTRACE_O_TRACEEXEC;
                request(libc::PTRACE_SETOPTIONS, stopped, options.unsigned_abs() as usize);
                calls.insert(root, Vec::new());
                signal = 0;
            }
            BEGIN => {
                calls.clear();
                watched.caller = stopped;
                (begun, counting) = (true, watch == Watch::Instructions);
                signal = 0;
            }
            END => {
                watched.calls = mem::take(&mut calls);
                // The call that sends the signal.
                watched.calls.entry(stopped).or_default().pop();
                (begun, counting) = (false, false);
                signal = 0;
            }
            libc::SIGTRAP => {
                if counting && stopped == watched.caller && event == 0 {
                    watched.instructions += 1;
                }
                signal = 0;
            }
            stop if stop == libc::SIGTRAP | 0x80 => {
                if let Some(number) = entered(stopped)
                    && begun
                {
                    calls.entry(stopped).or_default().push(number);
                }
                signal = 0;
            }
            // What is new starts with this.
            libc::SIGSTOP => signal = 0,
            _ => {}
        }
        let go_on = match counting && stopped == watched.caller {
            true => libc::PTRACE_SINGLESTEP,
            false => libc::PTRACE_SYSCALL,
        };
        // Fails for what was killed meanwhile, whose end comes next.
        request(go_on, stopped, signal.unsigned_abs() as usize);
    }
}

/// The number of the system call that a process is about to make; `None` when
/// it has made one.
fn entered(process: i32) -> Option<i64> {
    // SAFETY: zeroes are a valid structure of numbers.
    let mut info: libc::ptrace_syscall_info = unsafe { mem::zeroed() };
    let size = size_of::<libc::ptrace_syscall_info>();
    // SAFETY: the structure is live and as large as is said.
    let filled = unsafe {
        libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, process, size, ptr::from_mut(&mut info))
    };
    if filled <= 0 || info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
        return None;
    }
    // SAFETY: this is what the kernel filled in for an entry.
    let entry = unsafe { info.u.entry };
    Some(entry.nr.cast_signed())
}

/// A request that takes a number.
fn request(request: libc::c_uint, process: i32, data: usize) -> libc::c_long {
    // SAFETY: these requests take no address, and a number as data.
    unsafe { libc::ptrace(request, process, ptr::null_mut::<u8>(), data) }
}
