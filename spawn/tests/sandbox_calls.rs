//! Which system calls a sandbox refuses: every row of `docs/sandbox.md`, as
//! root and as an ordinary user.

mod support;

use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::thread;

use offspring_spawn::{CallGroup, Errno, Network, Part, Program};
use rustix::process::{Resource, getpid, getppid, getrlimit};
use support::isolation::{is_helper, isolated, own_program};
use support::sandbox::{
    become_ordinary, call, checked, errno, inside, inside_with, is_in_force, too_new,
};

const BAD: usize = usize::MAX;

const PERM: Result<i64, Errno> = Err(Errno::PERM);
const NOSYS: Result<i64, Errno> = Err(Errno::NOSYS);
const ACCESS: Result<i64, Errno> = Err(Errno::ACCESS);

/// A name, a call, and its answer.
type Row = (&'static str, i64, [usize; 6], Result<i64, Errno>);

/// Of arguments that do no harm, should the call be made: it would fail with
/// another error, or change nothing.
const REFUSED: &[Row] = &[
    ("U1 io_uring", libc::SYS_io_uring_setup, [0; 6], NOSYS),
    ("U2 io_uring", libc::SYS_io_uring_enter, [BAD, 0, 0, 0, 0, 0], NOSYS),
    ("U3 io_uring", libc::SYS_io_uring_register, [BAD, BAD, 0, 0, 0, 0], NOSYS),
    ("K1 add a key", libc::SYS_add_key, [0; 6], NOSYS),
    ("K2 ask for a key", libc::SYS_request_key, [0; 6], NOSYS),
    ("K3 the session's keyring", libc::SYS_keyctl, [0, usize::MAX - 2, 0, 0, 0, 0], NOSYS),
    ("T1 trace", libc::SYS_ptrace, [BAD, 0, 0, 0, 0, 0], PERM),
    ("T2 read memory", libc::SYS_process_vm_readv, [0; 6], PERM),
    ("T3 write memory", libc::SYS_process_vm_writev, [0; 6], PERM),
    ("T4 take a descriptor", libc::SYS_pidfd_getfd, [BAD, BAD, 0, 0, 0, 0], PERM),
    ("T5 advise", libc::SYS_process_madvise, [BAD, 0, 0, 0, 0, 0], PERM),
    ("N1 user namespace", libc::SYS_unshare, [libc::CLONE_NEWUSER as usize, 0, 0, 0, 0, 0], PERM),
    ("N2 time namespace", libc::SYS_unshare, [0x80, 0, 0, 0, 0, 0], PERM),
    ("N3 and with others", libc::SYS_unshare, [0x1002_0400, 0, 0, 0, 0, 0], PERM),
    // With CLONE_SIGHAND and without CLONE_VM, which is EINVAL.
    ("N4 clone", libc::SYS_clone, [0x1000_0811, 0, 0, 0, 0, 0], PERM),
    ("N5 clone3", libc::SYS_clone3, [0; 6], NOSYS),
    ("N6 setns", libc::SYS_setns, [BAD, 0, 0, 0, 0, 0], PERM),
    ("M1 mount", libc::SYS_mount, [0; 6], PERM),
    ("M2 umount", libc::SYS_umount2, [0; 6], PERM),
    ("M3 pivot_root", libc::SYS_pivot_root, [0; 6], PERM),
    ("M4 chroot", libc::SYS_chroot, [0; 6], PERM),
    ("M5 open_tree", libc::SYS_open_tree, [BAD, 0, 0, 0, 0, 0], PERM),
    ("M6 move_mount", libc::SYS_move_mount, [BAD, 0, BAD, 0, 0, 0], PERM),
    ("M7 fsopen", libc::SYS_fsopen, [0; 6], PERM),
    ("M8 fsconfig", libc::SYS_fsconfig, [BAD, BAD, 0, 0, 0, 0], PERM),
    ("M9 fsmount", libc::SYS_fsmount, [BAD, 0, 0, 0, 0, 0], PERM),
    ("M10 fspick", libc::SYS_fspick, [BAD, 0, 0, 0, 0, 0], PERM),
    ("M11 mount_setattr", libc::SYS_mount_setattr, [BAD, 0, BAD, 0, 0, 0], PERM),
    ("M12 by handle", libc::SYS_open_by_handle_at, [BAD, 0, 0, 0, 0, 0], PERM),
    ("M13 open_tree_attr", 467, [BAD, 0, 0, 0, 0, 0], PERM),
    ("B1 bpf", libc::SYS_bpf, [BAD, 0, 0, 0, 0, 0], PERM),
    ("B2 perf", libc::SYS_perf_event_open, [0; 6], PERM),
    ("F1 userfaultfd", libc::SYS_userfaultfd, [BAD, 0, 0, 0, 0, 0], NOSYS),
    ("I1 shared memory", libc::SYS_shmget, [0, 0, 0, 0, 0, 0], NOSYS),
    ("I2 by its number", libc::SYS_shmat, [BAD, 0, 0, 0, 0, 0], NOSYS),
    ("I3 semaphores", libc::SYS_semget, [0, BAD, 0, 0, 0, 0], NOSYS),
    ("I4 by their number", libc::SYS_semop, [BAD, 0, 0, 0, 0, 0], NOSYS),
    ("I5 and with a time", libc::SYS_semtimedop, [BAD, 0, 0, 0, 0, 0], NOSYS),
    ("I6 messages", libc::SYS_msgget, [1, 0, 0, 0, 0, 0], NOSYS),
    ("I7 by their number", libc::SYS_msgrcv, [BAD, 0, 0, 0, 0, 0], NOSYS),
    ("I8 and to send", libc::SYS_msgsnd, [BAD, 0, 0, 0, 0, 0], NOSYS),
    ("I9 message queues", libc::SYS_mq_open, [0; 6], NOSYS),
    ("I10 and to remove", libc::SYS_mq_unlink, [0; 6], NOSYS),
    ("S1 a socket", libc::SYS_socket, [2, 1, 0, 0, 0, 0], ACCESS),
    ("S2 of version 6", libc::SYS_socket, [10, 2, 0, 0, 0, 0], ACCESS),
    ("S3 of UNIX", libc::SYS_socket, [1, 1, 0, 0, 0, 0], ACCESS),
    ("S4 of the kernel", libc::SYS_socket, [16, 3, 0, 0, 0, 0], ACCESS),
    ("S5 of the hypervisor", libc::SYS_socket, [40, 1, 0, 0, 0, 0], ACCESS),
    ("S6 of packets", libc::SYS_socket, [17, 3, 0, 0, 0, 0], ACCESS),
    ("S7 of its ciphers", libc::SYS_socket, [38, 5, 0, 0, 0, 0], ACCESS),
    ("S8 with junk above", libc::SYS_socket, [2 | 1 << 32, 1, 0, 0, 0, 0], ACCESS),
    ("S9 a pair of datagrams", libc::SYS_socketpair, [1, 2, 0, 0, 0, 0], ACCESS),
    ("S10 a raw pair", libc::SYS_socketpair, [1, 3, 0, 0, 0, 0], ACCESS),
    ("S11 connect", libc::SYS_connect, [BAD, 0, 0, 0, 0, 0], ACCESS),
    ("S12 bind", libc::SYS_bind, [BAD, 0, 0, 0, 0, 0], ACCESS),
    ("S13 listen", libc::SYS_listen, [BAD, 0, 0, 0, 0, 0], ACCESS),
    ("S14 send to", libc::SYS_sendto, [BAD, 0, 0, 0, 1, 0], ACCESS),
    ("Y1 TIOCSTI", libc::SYS_ioctl, [BAD, 0x5412, 0, 0, 0, 0], PERM),
    ("Y2 with junk above", libc::SYS_ioctl, [BAD, 0x5412 | 1 << 32, 0, 0, 0, 0], PERM),
    ("Y3 TIOCLINUX", libc::SYS_ioctl, [BAD, 0x541c, 0, 0, 0, 0], PERM),
    ("Y4 TIOCSETD", libc::SYS_ioctl, [BAD, 0x5423, 0, 0, 0, 0], PERM),
    ("A1 modules", libc::SYS_init_module, [0; 6], PERM),
    ("A2 by file", libc::SYS_finit_module, [BAD, 0, 0, 0, 0, 0], PERM),
    ("A3 and back", libc::SYS_delete_module, [0; 6], PERM),
    ("A4 kexec", libc::SYS_kexec_load, [0, BAD, 0, BAD, 0, 0], PERM),
    ("A5 reboot", libc::SYS_reboot, [0; 6], PERM),
    ("A6 swap", libc::SYS_swapon, [0; 6], PERM),
    ("A7 and off", libc::SYS_swapoff, [0; 6], PERM),
    ("A8 accounting", libc::SYS_acct, [1, 0, 0, 0, 0, 0], PERM),
    ("A9 the log", libc::SYS_syslog, [BAD, 0, 0, 0, 0, 0], PERM),
    ("A10 clocks", libc::SYS_clock_settime, [BAD, 0, 0, 0, 0, 0], PERM),
    ("A11 the clock", libc::SYS_settimeofday, [0; 6], PERM),
    ("A12 the host's name", libc::SYS_sethostname, [0, BAD, 0, 0, 0, 0], PERM),
    ("A13 its domain", libc::SYS_setdomainname, [0, BAD, 0, 0, 0, 0], PERM),
    ("A14 quota", libc::SYS_quotactl, [BAD, 0, 0, 0, 0, 0], PERM),
    ("A15 watch everything", libc::SYS_fanotify_init, [BAD, 0, 0, 0, 0, 0], PERM),
    ("Z1 what is newer", 470, [0; 6], NOSYS),
    ("Z2 the same, much", 4000, [0; 6], NOSYS),
];

/// What a program does every day is still let through.
fn check_allowed() {
    assert_eq!(thread::spawn(|| 7).join().unwrap(), 7);
    let (one, mut other) = UnixStream::pair().unwrap();
    std::io::Write::write_all(&mut &one, b"x").unwrap();
    let mut byte = [0];
    std::io::Read::read_exact(&mut other, &mut byte).unwrap();
    assert_eq!(errno(UnixDatagram::pair()), Some(Errno::ACCESS));
    let own = getrlimit(Resource::Nofile);
    rustix::process::setrlimit(Resource::Nofile, own).unwrap();
    #[expect(unsafe_code, reason = "std has no fork")]
    // SAFETY: the child ends at once.
    let child = checked(unsafe { libc::fork() }).unwrap();
    if child == 0 {
        std::process::abort();
    }
    let ended = rustix::process::wait(rustix::process::WaitOptions::empty());
    let (_, status) = ended.unwrap().unwrap();
    assert_eq!(status.terminating_signal(), Some(libc::SIGABRT));
}

fn check_refused() {
    for (row, number, args, expected) in REFUSED {
        #[expect(unsafe_code, reason = "the point of the test")]
        // SAFETY: as the table says.
        let answer = unsafe { call(*number, *args) };
        assert_eq!(answer, *expected, "{row}");
    }
    check_limits();
    check_signals();
    check_foreign();
}

/// The limits of others, and of one's own core.
fn check_limits() {
    let parent = getppid();
    let core = getrlimit(Resource::Core);
    assert_eq!((core.current, core.maximum), (Some(1), Some(1)), "L1 the limit is one");
    let limit = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    let set = |pid, resource| rustix::process::prlimit(pid, resource, limit).err();
    assert_eq!(set(parent, Resource::Cpu), Some(Errno::PERM), "L2 another's");
    assert_eq!(set(None, Resource::Core), Some(Errno::PERM), "L3 with an answer");
    let zero = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    #[expect(unsafe_code, reason = "rustix asks for an answer")]
    // SAFETY: the structure lives here.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const zero) };
    assert_eq!(checked(set), Ok(0), "L4 without");
    let core = getrlimit(Resource::Core);
    assert_eq!((core.current, core.maximum), (Some(1), Some(1)), "L5 it is one still");
}

/// The parent, and strangers.
fn check_signals() {
    use rustix::process::{Signal, kill_process, test_kill_process};
    let parent = getppid().unwrap();
    assert_eq!(test_kill_process(getpid()), Ok(()), "G0 oneself");
    if !is_in_force(Part::Signals) {
        return assert_eq!(test_kill_process(parent), Ok(()), "G1 one of the same user's");
    }
    assert_eq!(test_kill_process(parent), Err(Errno::PERM), "G1 whether it is there");
    assert_eq!(kill_process(parent, Signal::TERM), Err(Errno::PERM), "G2 to end");
    let flags = rustix::process::PidfdFlags::empty();
    let pidfd = rustix::process::pidfd_open(parent, flags).unwrap();
    let sent = rustix::process::pidfd_send_signal(pidfd, Signal::TERM);
    assert_eq!(sent, Err(Errno::PERM), "G3 by descriptor");
    let all = rustix::process::Pid::from_raw(1).unwrap();
    assert_eq!(test_kill_process(all), Err(Errno::PERM), "G4 the first process");
}

/// Calls by the numbers of other architectures.
#[cfg(target_arch = "x86_64")]
fn check_foreign() {
    const GETPID_OF_I386: i64 = 20;
    let answer: i64;
    #[expect(unsafe_code, reason = "no library makes such calls")]
    // SAFETY: getpid takes nothing and touches nothing but its answer; the
    // kernel clears some registers on this way in, which are named.
    unsafe {
        core::arch::asm!(
            "int 0x80",
            inlateout("rax") GETPID_OF_I386 => answer,
            lateout("r8") _, lateout("r9") _, lateout("r10") _, lateout("r11") _,
        );
    }
    assert_eq!(answer, -i64::from(libc::ENOSYS), "X1 as on i386");
    #[expect(unsafe_code, reason = "the point of the test")]
    // SAFETY: getpid takes nothing.
    let answer = unsafe { call(0x4000_0000 | libc::SYS_getpid, [0; 6]) };
    assert_eq!(answer, NOSYS, "X2 as on x32");
}

#[cfg(not(target_arch = "x86_64"))]
fn check_foreign() {
    support::isolation::skip(
        "check_foreign",
        "this architecture has no other one's calls that a test could make",
    );
}

fn check() {
    check_refused();
    check_allowed();
}

#[test]
fn the_rows() {
    let body = || {};
    match is_helper(&body) {
        true => check(),
        false => inside(&body, |sandbox| sandbox, |command| command),
    }
}

#[test]
fn the_rows_for_an_ordinary_user() {
    let body = || {};
    if is_helper(&body) {
        return check();
    }
    isolated(|| {
        let program = own_program();
        become_ordinary();
        inside_with(&body, &program, |sandbox| sandbox, |command| command);
    });
}

/// Without the filter, none of the rows would hold: the kernel has other
/// answers to them, or others for root.
#[test]
fn the_rows_are_the_filters() {
    let body = || {};
    if is_helper(&body) {
        let by_filter = REFUSED.iter().filter(|(_, number, args, expected)| {
            #[expect(unsafe_code, reason = "the point of the test")]
            // SAFETY: as the table says.
            let answer = unsafe { call(*number, *args) };
            answer != *expected
        });
        // Some are refused by every kernel, to those without capabilities.
        let count = by_filter.count();
        return assert!(count > REFUSED.len() / 2, "{count} of {}", REFUSED.len());
    }
    inside(
        &body,
        |sandbox| sandbox.without(Part::SystemCalls).network(Network::Allow),
        |command| command,
    );
}

#[test]
fn groups_are_let_through() {
    let body = || {};
    if is_helper(&body) {
        for (row, number, args, expected) in REFUSED.iter().filter(|row| row.0.starts_with('I')) {
            #[expect(unsafe_code, reason = "the point of the test")]
            // SAFETY: as the table says.
            let answer = unsafe { call(*number, *args) };
            assert_ne!(answer, *expected, "{row}");
        }
        #[expect(unsafe_code, reason = "the point of the test")]
        // SAFETY: a namespace of this process's own.
        let answer = unsafe { call(libc::SYS_unshare, [0x0800_0000, 0, 0, 0, 0, 0]) };
        return assert_eq!(answer, PERM);
    }
    inside(&body, |sandbox| sandbox.let_through(CallGroup::Ipc), |command| command);
}

#[test]
fn unix_sockets_reach_no_abstract_one_outside() {
    use std::os::linux::net::SocketAddrExt;
    let name = |id| SocketAddr::from_abstract_name(format!("offspring-spawn-{id}")).unwrap();
    let body = || {};
    if is_helper(&body) {
        let host = name(std::os::unix::process::parent_id());
        let refused = is_in_force(Part::AbstractSockets).then_some(Errno::PERM);
        assert_eq!(errno(UnixStream::connect_addr(&host)), refused);
        let own = name(std::process::id());
        let _own = UnixListener::bind_addr(&own).unwrap();
        assert_eq!(errno(UnixStream::connect_addr(&own)), None);
        let inet = std::net::TcpStream::connect(("127.0.0.1", 1));
        return assert_eq!(errno(inet), Some(Errno::ACCESS));
    }
    let _listener = UnixListener::bind_addr(&name(std::process::id())).unwrap();
    inside(&body, |sandbox| sandbox.network(Network::Unix), |command| command);
}

#[test]
fn the_network_is_open_where_it_is_allowed() {
    let body = || {};
    let connect = |port: u16| errno(std::net::TcpStream::connect(("127.0.0.1", port)));
    if is_helper(&body) {
        let port = std::env::var("PORT").unwrap().parse().unwrap();
        let answer = format!("{:?}", connect(port));
        return assert_eq!(answer, std::env::var("ANSWER").unwrap());
    }
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    // As it is for us, who may have no network that is up.
    let answer = format!("{:?}", connect(port));
    assert_ne!(answer, format!("{:?}", Some(Errno::ACCESS)));
    inside(
        &body,
        |sandbox| sandbox.network(Network::Allow),
        |command| command.env("PORT", port.to_string()).env("ANSWER", &answer),
    );
}

#[test]
fn io_uring_needs_a_network() {
    let program: Program = own_program();
    let sandbox = support::sandbox::sandbox(&program).let_through(CallGroup::IoUring);
    let error = sandbox.clone().build().unwrap_err();
    assert_eq!(error.errno(), Errno::INVAL);
    let made = sandbox.network(Network::Allow).build().unwrap();
    assert!(made.missing().iter().map(|missing| missing.part).eq(too_new()));
}
