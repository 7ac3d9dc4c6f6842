//! The system calls that a sandbox refuses, group by group: the doors behind
//! which its other parts would not hold.

use std::collections::{BTreeMap, BTreeSet};

use linux_raw_sys::general as nr;
use rustix::io::Errno;

use super::bpf::{self, Answer, Half, Instruction, Rule, Rules, Test};
use super::call_group::CallGroup;
use super::key::Key;
use super::network::Network;

/// The newest call that these rules know (Linux 6.17). A later kernel may have
/// more; programs take them for missing, as on this one.
pub(super) const LAST: u32 = nr::__NR_file_setattr;

const CLONE_NEWTIME: u32 = 0x80;
/// All that clone and unshare make anew but time, whose bit is part of the exit
/// signal to clone.
const CLONE_NEW: u32 = nr::CLONE_NEWNS
    | nr::CLONE_NEWCGROUP
    | nr::CLONE_NEWUTS
    | nr::CLONE_NEWIPC
    | nr::CLONE_NEWUSER
    | nr::CLONE_NEWPID
    | nr::CLONE_NEWNET;

const AF_UNIX: u32 = 1;
const SOCK_TYPE_MASK: u32 = 0xf;
const SOCK_STREAM: u32 = 1;
const SOCK_SEQPACKET: u32 = 5;

const TIOCSTI: u32 = 0x5412;
const TIOCLINUX: u32 = 0x541c;
const TIOCSETD: u32 = 0x5423;

// Both work on a file that was opened only for reading.
const FS_IOC_SETFLAGS: u32 = 0x4008_6602;
const FS_IOC_FSSETXATTR: u32 = 0x401c_5820;

const RLIMIT_CORE: u32 = 4;

/// What is answered to calls that are not simply made, in ascending order.
pub(super) type Calls = Vec<(u32, Rules)>;

/// Makes the filter, if there is anything to refuse.
pub(super) fn filter(calls: &Calls) -> Vec<Instruction> {
    match calls.is_empty() {
        true => Vec::new(),
        false => bpf::program(calls, LAST),
    }
}

/// What a [carrier](crate::carrier) and its children still do when the filter is in
/// force: make a child, and set its limit of core files.
const UNLOCKED: [u32; 2] = [nr::__NR_clone3, nr::__NR_prlimit64];

/// The same with a key to what carriers do.
pub(super) fn unlocked(calls: &Calls, key: Key) -> Calls {
    let mut calls = calls.clone();
    for (_, rules) in calls.iter_mut().filter(|(number, _)| UNLOCKED.contains(number)) {
        rules.insert(0, Rule::Unlocked(key));
    }
    calls
}

/// Every call that is not simply made, in ascending order.
pub(super) fn calls(network: Network, refused: &BTreeSet<CallGroup>, core_dumps: bool) -> Calls {
    let mut calls = BTreeMap::<u32, Rules>::new();
    let mut add = |numbers: &[u32], rules: &[Rule]| {
        for number in numbers {
            calls.entry(*number).or_default().extend(rules.iter().cloned());
        }
    };
    sockets(network, &mut add);
    let is_refused = |group| refused.contains(&group);
    for (group, numbers, errno) in PLAIN {
        if is_refused(*group) {
            add(numbers, &[always(*errno)]);
        }
    }
    if is_refused(CallGroup::Namespaces) {
        add(&[nr::__NR_unshare], &[any_of(0, CLONE_NEW | CLONE_NEWTIME)]);
        add(&[nr::__NR_clone], &[any_of(0, CLONE_NEW)]);
        // Its flags are in memory, where no filter can look. The C library
        // takes clone instead.
        add(&[nr::__NR_clone3], &[always(Errno::NOSYS)]);
    }
    let mut ioctls = Vec::new();
    if is_refused(CallGroup::Terminals) {
        ioctls.extend([TIOCSTI, TIOCLINUX, TIOCSETD]);
    }
    if is_refused(CallGroup::Metadata) {
        ioctls.extend([FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR]);
    }
    for request in ioctls {
        add(&[nr::__NR_ioctl], &[rule([low(1, request)], Answer::Refuse(Errno::PERM))]);
    }
    limits(is_refused(CallGroup::Limits), core_dumps, &mut add);
    calls.into_iter().collect()
}

/// No socket can be made, nor given an address, that is not of an allowed kind.
fn sockets(network: Network, add: &mut impl FnMut(&[u32], &[Rule])) {
    let refuse = Answer::Refuse(Errno::ACCESS);
    let not_unix = rule([Test { so: false, ..low(0, AF_UNIX) }], refuse);
    match network {
        Network::Allow => {}
        Network::Unix => {
            add(&[nr::__NR_socket, nr::__NR_socketpair], &[not_unix]);
        }
        Network::Deny => {
            add(&[nr::__NR_socket], &[always(Errno::ACCESS)]);
            // One of datagrams could send to any other address.
            let kind = |kind| Test { mask: SOCK_TYPE_MASK, so: false, ..low(1, kind) };
            let unconnected = rule([kind(SOCK_STREAM), kind(SOCK_SEQPACKET)], refuse);
            add(&[nr::__NR_socketpair], &[not_unix, unconnected]);
            // Nor can one that the process started with.
            let numbers = [nr::__NR_connect, nr::__NR_bind, nr::__NR_listen];
            add(&numbers, &[always(Errno::ACCESS)]);
            let without_address = rule(zero(4), Answer::Allow);
            add(&[nr::__NR_sendto], &[without_address, always(Errno::ACCESS)]);
        }
    }
    if network != Network::Allow {
        add(IO_URING, &[always(Errno::NOSYS)]);
    }
}

/// Another process's limits can kill it. One's own core limit is 1, which is no
/// core, even where cores are piped to a program; lowering it to 0 would bring
/// that back, and is taken for done.
fn limits(others: bool, core_dumps: bool, add: &mut impl FnMut(&[u32], &[Rule])) {
    let core = |argument| low(argument, RLIMIT_CORE);
    if others || !core_dumps {
        // To read is harmless.
        add(&[nr::__NR_prlimit64], &[rule(zero(2), Answer::Allow)]);
    }
    if others {
        let other = rule([Test { so: false, ..low(0, 0) }], Answer::Refuse(Errno::PERM));
        add(&[nr::__NR_prlimit64], &[other]);
    }
    if !core_dumps {
        let [new, high] = zero(3);
        let unread = rule([core(1), new, high], Answer::Pretend);
        let read = rule([core(1)], Answer::Refuse(Errno::PERM));
        add(&[nr::__NR_prlimit64], &[unread, read]);
        add(&[nr::__NR_setrlimit], &[rule([core(0)], Answer::Pretend)]);
    }
}

const IO_URING: &[u32] =
    &[nr::__NR_io_uring_setup, nr::__NR_io_uring_enter, nr::__NR_io_uring_register];

/// What is refused whatever the arguments. Where a program is known to take
/// another way when the kernel lacks a call, it is told so.
const PLAIN: &[(CallGroup, &[u32], Errno)] = &[
    (CallGroup::IoUring, IO_URING, Errno::NOSYS),
    (CallGroup::Keys, &[nr::__NR_add_key, nr::__NR_request_key, nr::__NR_keyctl], Errno::NOSYS),
    (
        CallGroup::Ptrace,
        &[
            nr::__NR_ptrace,
            nr::__NR_process_vm_readv,
            nr::__NR_process_vm_writev,
            nr::__NR_pidfd_getfd,
            nr::__NR_process_madvise,
        ],
        Errno::PERM,
    ),
    (CallGroup::Namespaces, &[nr::__NR_setns], Errno::PERM),
    (
        CallGroup::Mounts,
        &[
            nr::__NR_mount,
            nr::__NR_umount2,
            nr::__NR_pivot_root,
            nr::__NR_chroot,
            nr::__NR_open_tree,
            nr::__NR_open_tree_attr,
            nr::__NR_move_mount,
            nr::__NR_fsopen,
            nr::__NR_fsconfig,
            nr::__NR_fsmount,
            nr::__NR_fspick,
            nr::__NR_mount_setattr,
            nr::__NR_open_by_handle_at,
        ],
        Errno::PERM,
    ),
    (CallGroup::Bpf, &[nr::__NR_bpf, nr::__NR_perf_event_open], Errno::PERM),
    (CallGroup::Userfaultfd, &[nr::__NR_userfaultfd], Errno::NOSYS),
    (
        CallGroup::Ipc,
        &[
            nr::__NR_shmget,
            nr::__NR_shmat,
            nr::__NR_shmctl,
            nr::__NR_semget,
            nr::__NR_semop,
            nr::__NR_semtimedop,
            nr::__NR_semctl,
            nr::__NR_msgget,
            nr::__NR_msgsnd,
            nr::__NR_msgrcv,
            nr::__NR_msgctl,
            nr::__NR_mq_open,
            nr::__NR_mq_unlink,
        ],
        Errno::NOSYS,
    ),
    (
        CallGroup::Metadata,
        &[
            nr::__NR_fchmod,
            nr::__NR_fchmodat,
            nr::__NR_fchmodat2,
            nr::__NR_fchown,
            nr::__NR_fchownat,
            nr::__NR_utimensat,
            nr::__NR_setxattr,
            nr::__NR_lsetxattr,
            nr::__NR_fsetxattr,
            nr::__NR_setxattrat,
            nr::__NR_removexattr,
            nr::__NR_lremovexattr,
            nr::__NR_fremovexattr,
            nr::__NR_removexattrat,
            nr::__NR_file_setattr,
        ],
        Errno::PERM,
    ),
    #[cfg(target_arch = "x86_64")]
    (
        CallGroup::Metadata,
        &[
            nr::__NR_chmod,
            nr::__NR_chown,
            nr::__NR_lchown,
            nr::__NR_utime,
            nr::__NR_utimes,
            nr::__NR_futimesat,
        ],
        Errno::PERM,
    ),
    (
        CallGroup::Administration,
        &[
            nr::__NR_acct,
            nr::__NR_clock_settime,
            nr::__NR_delete_module,
            nr::__NR_fanotify_init,
            nr::__NR_finit_module,
            nr::__NR_init_module,
            nr::__NR_kexec_file_load,
            nr::__NR_kexec_load,
            nr::__NR_quotactl,
            nr::__NR_quotactl_fd,
            nr::__NR_reboot,
            nr::__NR_setdomainname,
            nr::__NR_sethostname,
            nr::__NR_settimeofday,
            nr::__NR_swapoff,
            nr::__NR_swapon,
            nr::__NR_syslog,
            nr::__NR_vhangup,
        ],
        Errno::PERM,
    ),
    #[cfg(target_arch = "x86_64")]
    (
        CallGroup::Administration,
        &[nr::__NR_ioperm, nr::__NR_iopl, nr::__NR_modify_ldt],
        Errno::PERM,
    ),
];

fn rule(tests: impl Into<Vec<Test>>, answer: Answer) -> Rule {
    Rule::Where { tests: tests.into(), answer }
}

fn always(errno: Errno) -> Rule {
    rule([], Answer::Refuse(errno))
}

/// Where the low half of an argument has any of these bits.
fn any_of(argument: u8, bits: u32) -> Rule {
    let test = Test { argument, half: Half::Low, mask: bits, is: 0, so: false };
    rule([test], Answer::Refuse(Errno::PERM))
}

/// The low half of an argument is this.
fn low(argument: u8, is: u32) -> Test {
    Test { argument, half: Half::Low, mask: u32::MAX, is, so: true }
}

/// An argument is a null pointer.
fn zero(argument: u8) -> [Test; 2] {
    [low(argument, 0), Test { half: Half::High, ..low(argument, 0) }]
}
