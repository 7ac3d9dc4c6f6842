//! What a program could do to whoever started it, and to others: each attack by a
//! name, with what a sandbox answers.
//!
//! All are harmless where they succeed, and clean up after themselves. Those that
//! would not be are made with an argument that the kernel looks at only after it has
//! decided that they may be made.

#![expect(unsafe_code, reason = "attacks are system calls")]

use std::fs::{File, OpenOptions};
use std::io;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::os::unix::process::parent_id;
use std::process::Command;

use offspring_spawn::Errno;

/// An attack, and the error with which a sandbox refuses it.
pub type Attack = (&'static str, fn() -> Result<(), Errno>, Errno);

/// What is attacked, for the attacker: variables that its host sets.
pub const SECRET: &str = "OFFSPRING_TEST_SECRET";
pub const SOCKET: &str = "OFFSPRING_TEST_SOCKET";
pub const ABSTRACT: &str = "OFFSPRING_TEST_ABSTRACT";
pub const PORT: &str = "OFFSPRING_TEST_PORT";
pub const STRANGER: &str = "OFFSPRING_TEST_STRANGER";

pub const ATTACKS: &[Attack] = &[
    ("read a file outside", || read(&variable(SECRET)), Errno::ACCESS),
    ("write to a file outside", || write(&variable(SECRET)), Errno::ACCESS),
    ("make a file outside", make, Errno::ACCESS),
    ("run a shell", || file(Command::new("/bin/sh").args(["-c", ":"]).status()), Errno::ACCESS),
    ("read the host's program", || read(&host("exe")), Errno::ACCESS),
    ("write to the host's program", write_to_host_program, Errno::ACCESS),
    ("open the host's memory", || write(&host("mem")), Errno::ACCESS),
    ("read the host's environment", || read(&host("environ")), Errno::ACCESS),
    ("open the host's descriptors", || read(&host("fd/0")), Errno::ACCESS),
    ("read the host's memory by a call", host_memory, Errno::PERM),
    ("take a descriptor of the host's", host_descriptor, Errno::PERM),
    ("trace the host", || sys(libc::SYS_ptrace, [SEIZE, ppid(), 0, 0]), Errno::PERM),
    ("signal the host", || sys(libc::SYS_kill, [ppid(), URG, 0, 0]), Errno::PERM),
    ("signal the host by its pidfd", signal_by_pidfd, Errno::PERM),
    ("signal a stranger", || sys(libc::SYS_kill, [stranger(), URG, 0, 0]), Errno::PERM),
    ("signal the group of the host", signal_group, Errno::PERM),
    ("set a limit of the host", limits_of_host, Errno::PERM),
    ("make an io_uring", io_uring, Errno::NOSYS),
    ("make a socket of IPv4", || socket(libc::AF_INET, libc::SOCK_STREAM), Errno::ACCESS),
    ("make a socket of IPv6", || socket(libc::AF_INET6, libc::SOCK_DGRAM), Errno::ACCESS),
    ("make a socket of the kernel", || socket(libc::AF_NETLINK, libc::SOCK_RAW), Errno::ACCESS),
    ("make a socket of packets", || socket(libc::AF_PACKET, libc::SOCK_RAW), Errno::ACCESS),
    ("connect to the host's loopback", loopback, Errno::ACCESS),
    ("connect to an abstract socket", abstract_socket, Errno::ACCESS),
    ("connect to a socket by its path", socket_by_path, Errno::ACCESS),
    ("ask for the session's keyring", || sys(libc::SYS_keyctl, [0, SESSION, 0, 0]), Errno::NOSYS),
    ("add a key", add_key, Errno::NOSYS),
    ("make a user namespace", || in_copy(|| unshare(libc::CLONE_NEWUSER)), Errno::PERM),
    ("make a mount namespace", || in_copy(|| unshare(libc::CLONE_NEWNS)), Errno::PERM),
    ("copy a mount", copy_mount, Errno::PERM),
    ("change its root", || in_copy(chroot), Errno::PERM),
    ("type into its terminal", type_into_terminal, Errno::PERM),
    ("set the pattern of cores", || write("/proc/sys/kernel/core_pattern"), Errno::ACCESS),
    ("look for cgroups", || file(std::fs::read_dir("/sys/fs/cgroup")), Errno::ACCESS),
    ("make shared memory", shared_memory, Errno::NOSYS),
    ("make a file in shared memory", shared_file, Errno::ACCESS),
    ("count what others do", count, Errno::PERM),
    ("load a program into the kernel", load_program, Errno::PERM),
    ("load a module", load_module, Errno::PERM),
    ("name the machine", name_machine, Errno::PERM),
    ("hold up the kernel", hold_up, Errno::NOSYS),
];

/// Makes the attack of this name, and says how it went: 0, or the error's number.
pub fn attack(name: &str) {
    if name == DESCRIPTORS {
        let open: Vec<i32> = (0..1 << 16).filter(|number| is_open(*number)).collect();
        return println!("\nATTACK {open:?}");
    }
    let (_, attack, _) = ATTACKS.iter().find(|(known, ..)| *known == name).expect("a known attack");
    println!("\nATTACK {}", attack().err().map_or(0, Errno::raw_os_error));
}

/// Another attack, which says what is open.
pub const DESCRIPTORS: &str = "list its descriptors";

const SEIZE: usize = 0x4206;
const URG: usize = libc::SIGURG.unsigned_abs() as usize;
const SESSION: usize = usize::MAX - 2;
const NOBODY: usize = usize::MAX;

fn variable(name: &str) -> String {
    std::env::var(name).expect("the host sets it")
}

fn file<T>(result: io::Result<T>) -> Result<(), Errno> {
    result.map(drop).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

fn read(path: &str) -> Result<(), Errno> {
    file(File::open(path))
}

/// Opens for writing, and writes nothing.
fn write(path: &str) -> Result<(), Errno> {
    file(OpenOptions::new().write(true).open(path))
}

fn make() -> Result<(), Errno> {
    let path = variable(SECRET) + ".made";
    file(File::create_new(&path))?;
    file(std::fs::remove_file(path))
}

fn ppid() -> usize {
    parent_id() as usize
}

fn host(name: &str) -> String {
    format!("/proc/{}/{name}", parent_id())
}

fn stranger() -> usize {
    variable(STRANGER).parse().expect("a number")
}

/// A system call, whose answer is dropped.
fn sys(number: libc::c_long, args: [usize; 4]) -> Result<(), Errno> {
    answer(number, args).map(drop)
}

fn answer(number: libc::c_long, [a, b, c, d]: [usize; 4]) -> Result<libc::c_long, Errno> {
    // SAFETY: the table's: what is pointed to lives in its caller, and what is
    // none of the kernel's business is not called.
    let answer = unsafe { libc::syscall(number, a, b, c, d, 0_usize, 0_usize) };
    match answer {
        -1 => Err(Errno::from_io_error(&io::Error::last_os_error()).expect("an errno")),
        answer => Ok(answer),
    }
}

/// Takes an error that comes after the decision for a success.
fn behind(result: Result<(), Errno>, errors: &[Errno]) -> Result<(), Errno> {
    match result {
        Err(errno) if errors.contains(&errno) => Ok(()),
        result => result,
    }
}

/// A new descriptor, which is closed again.
fn opens(number: libc::c_long, args: [usize; 4]) -> Result<(), Errno> {
    let fd = i32::try_from(answer(number, args)?).expect("a descriptor");
    // SAFETY: it was just made, and is nobody else's.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(())
}

fn pidfd_of_host() -> Result<OwnedFd, Errno> {
    let host = rustix::process::Pid::from_raw(ppid().try_into().expect("a number"));
    rustix::process::pidfd_open(host.expect("a parent"), rustix::process::PidfdFlags::empty())
}

/// It runs, so that nobody could write to it now; that comes after the decision.
fn write_to_host_program() -> Result<(), Errno> {
    behind(write(&host("exe")), &[Errno::TXTBSY])
}

/// Nothing is at this address, which is looked at when the right to was found.
fn host_memory() -> Result<(), Errno> {
    let mut byte = 0_u8;
    let local = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let remote = libc::iovec { iov_base: std::ptr::without_provenance_mut(8), iov_len: 1 };
    // SAFETY: what is pointed to lives here; the other process's memory is read.
    let read = unsafe {
        libc::process_vm_readv(
            i32::try_from(ppid()).unwrap(),
            &raw const local,
            1,
            &raw const remote,
            1,
            0,
        )
    };
    let result = if read < 0 { file(Err::<(), _>(io::Error::last_os_error())) } else { Ok(()) };
    behind(result, &[Errno::FAULT])
}

fn host_descriptor() -> Result<(), Errno> {
    let pidfd = pidfd_of_host()?;
    opens(libc::SYS_pidfd_getfd, [usize::try_from(pidfd.as_raw_fd()).unwrap(), 0, 0, 0])
}

fn signal_by_pidfd() -> Result<(), Errno> {
    rustix::process::pidfd_send_signal(pidfd_of_host()?, rustix::process::Signal::URG)
}

/// A signal that is none: whoever may be asked is not disturbed.
fn signal_group() -> Result<(), Errno> {
    let group = answer(libc::SYS_getpgid, [ppid(), 0, 0, 0])?;
    if group == 0 {
        // It is of another namespace, and 0 would be our own.
        return Err(Errno::PERM);
    }
    sys(libc::SYS_kill, [usize::try_from((-group).cast_unsigned()).unwrap(), 0, 0, 0])
}

/// Sets what is set already.
fn limits_of_host() -> Result<(), Errno> {
    let mut limit = [0_u64; 2];
    let limit = (&raw mut limit) as usize;
    sys(libc::SYS_prlimit64, [ppid(), 7, 0, limit])?;
    sys(libc::SYS_prlimit64, [ppid(), 7, limit, 0])
}

fn io_uring() -> Result<(), Errno> {
    // The structure is 120 bytes long.
    let mut params = [0_u64; 15];
    opens(libc::SYS_io_uring_setup, [1, (&raw mut params) as usize, 0, 0])
}

fn socket(family: i32, kind: i32) -> Result<(), Errno> {
    opens(libc::SYS_socket, [family.unsigned_abs() as usize, kind.unsigned_abs() as usize, 0, 0])
}

fn loopback() -> Result<(), Errno> {
    let port: u16 = variable(PORT).parse().expect("a number");
    file(TcpStream::connect(("127.0.0.1", port)))
}

fn abstract_socket() -> Result<(), Errno> {
    let address = SocketAddr::from_abstract_name(variable(ABSTRACT)).expect("a name");
    file(UnixStream::connect_addr(&address))
}

fn socket_by_path() -> Result<(), Errno> {
    file(UnixStream::connect(variable(SOCKET)))
}

/// In the process's own keyring, which ends with it.
fn add_key() -> Result<(), Errno> {
    let text = c"offspring-test";
    let (kind, name) = (c"user".as_ptr() as usize, text.as_ptr() as usize);
    // SAFETY: the strings live for ever, and one byte of a payload is read.
    let added =
        unsafe { libc::syscall(libc::SYS_add_key, kind, name, name, 1_usize, usize::MAX - 1) };
    if added < 0 { file(Err::<(), _>(io::Error::last_os_error())) } else { Ok(()) }
}

/// Does something in a process of its own, which has one thread.
fn in_copy(body: fn() -> Result<(), Errno>) -> Result<(), Errno> {
    // SAFETY: the copy makes one system call and ends.
    match unsafe { libc::fork() } {
        -1 => file(Err::<(), _>(io::Error::last_os_error())),
        0 => {
            let code = body().err().map_or(0, Errno::raw_os_error);
            // SAFETY: ends the copy without the destructors of the harness.
            unsafe { libc::_exit(code) }
        }
        pid => {
            let pid = rustix::process::Pid::from_raw(pid);
            let ended = rustix::process::waitpid(pid, rustix::process::WaitOptions::empty());
            let (_, status) = ended.expect("it is ours").expect("it has ended");
            match status.exit_status().expect("it exits") {
                0 => Ok(()),
                errno => Err(Errno::from_raw_os_error(errno)),
            }
        }
    }
}

fn unshare(flags: i32) -> Result<(), Errno> {
    sys(libc::SYS_unshare, [flags.unsigned_abs() as usize, 0, 0, 0])
}

fn chroot() -> Result<(), Errno> {
    sys(libc::SYS_chroot, [c"/".as_ptr() as usize, 0, 0, 0])
}

/// A copy that is nowhere, and goes with its descriptor.
fn copy_mount() -> Result<(), Errno> {
    const CLONE: usize = 1;
    const HERE: usize = (libc::AT_FDCWD as isize).cast_unsigned();
    opens(libc::SYS_open_tree, [HERE, c"/".as_ptr() as usize, CLONE, 0])
}

fn type_into_terminal() -> Result<(), Errno> {
    let result = sys(libc::SYS_ioctl, [0, 0x5412, c"x".as_ptr() as usize, 0]);
    behind(result, &[Errno::NOTTY])
}

fn shared_memory() -> Result<(), Errno> {
    let id = answer(libc::SYS_shmget, [0, 4096, 0o600, 0])?;
    sys(libc::SYS_shmctl, [usize::try_from(id.unsigned_abs()).unwrap(), 0, 0, 0])
}

fn shared_file() -> Result<(), Errno> {
    let path = format!("/dev/shm/offspring-test-{}", std::process::id());
    file(File::create_new(&path))?;
    file(std::fs::remove_file(path))
}

fn count() -> Result<(), Errno> {
    behind(sys(libc::SYS_perf_event_open, [0, 0, NOBODY, NOBODY]), &[Errno::FAULT])
}

/// There is no such command, which is seen when it was found that there may be one.
fn load_program() -> Result<(), Errno> {
    let attributes = [0_u64; 16];
    let result = sys(libc::SYS_bpf, [9999, (&raw const attributes) as usize, 128, 0]);
    behind(result, &[Errno::INVAL])
}

fn load_module() -> Result<(), Errno> {
    let result = sys(libc::SYS_finit_module, [NOBODY, c"".as_ptr() as usize, 0, 0]);
    behind(result, &[Errno::BADF])
}

fn name_machine() -> Result<(), Errno> {
    behind(sys(libc::SYS_sethostname, [c"x".as_ptr() as usize, NOBODY, 0, 0]), &[Errno::INVAL])
}

fn hold_up() -> Result<(), Errno> {
    const USER_MODE_ONLY: usize = 1;
    opens(libc::SYS_userfaultfd, [USER_MODE_ONLY, 0, 0, 0])
}

fn is_open(number: i32) -> bool {
    // SAFETY: asks whether there is such a descriptor, and borrows none.
    unsafe { libc::fcntl(number, libc::F_GETFD) >= 0 }
}
