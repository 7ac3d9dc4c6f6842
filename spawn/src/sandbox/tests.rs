//! The filter against what its rules mean, call by call.

use std::collections::BTreeSet;

use linux_raw_sys::general as nr;
use rustix::io::Errno;

use super::bpf::tests::{OUR_ARCHITECTURE, mean, run};
use super::bpf::{Answer, Instruction};
use super::call_group::CallGroup;
use super::calls::{self, LAST, calls};
use super::network::Network;

fn all() -> BTreeSet<CallGroup> {
    CallGroup::ALL.iter().copied().collect()
}

fn filter(network: Network, refused: &BTreeSet<CallGroup>, core_dumps: bool) -> Vec<Instruction> {
    calls::filter(&calls(network, refused, core_dumps))
}

fn ask(filter: &[Instruction], number: u32, arguments: [u64; 6]) -> Answer {
    run(filter, OUR_ARCHITECTURE, number, arguments).0
}

/// Values that an argument may have: each that a rule looks for, and others
/// near it, in either half.
const VALUES: &[u64] = &[
    0,
    1,
    2,
    4,
    5,
    7,
    0x80,
    0x80005,
    0x5412,
    0x1000_0000,
    0x1_0000_0000,
    0x1_0000_0001,
    0x1_0000_5412,
    0xffff_ffff_0000_0000,
    u64::MAX,
];

#[test]
fn every_call_is_answered_as_the_rules_mean() {
    let one_by_one = CallGroup::ALL.iter().map(|group| BTreeSet::from([*group]));
    for refused in one_by_one.chain([all(), BTreeSet::new()]) {
        for (network, cores) in Network::ALL.iter().flat_map(|n| [(*n, true), (*n, false)]) {
            let rules = calls(network, &refused, cores);
            let filter = calls::filter(&rules);
            if filter.is_empty() {
                assert_eq!((network, refused.len(), cores), (Network::Allow, 0, true));
                continue;
            }
            for number in (0..LAST + 40).chain([0x4000_0000, 0x4000_003b, u32::MAX]) {
                for place in 0..6 {
                    for value in VALUES {
                        let mut arguments = [0; 6];
                        arguments[place] = *value;
                        let meant = mean(&rules, LAST, number, arguments);
                        assert_eq!(ask(&filter, number, arguments), meant, "{number}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_a_full_filter_answers() {
    use Answer::{Allow, Pretend, Refuse};
    let filter = filter(Network::Deny, &all(), false);
    let high = 7 << 32;
    for (number, arguments, answer) in [
        (nr::__NR_read, [0; 6], Allow),
        (nr::__NR_socket, [1, 1, 0, 0, 0, 0], Refuse(Errno::ACCESS)),
        (nr::__NR_socketpair, [1, 0x80001, 0, 0, 0, 0], Allow),
        (nr::__NR_socketpair, [1, 5, 0, 0, 0, 0], Allow),
        (nr::__NR_socketpair, [1, 2, 0, 0, 0, 0], Refuse(Errno::ACCESS)),
        // The kernel makes one of datagrams of it.
        (nr::__NR_socketpair, [1, 3, 0, 0, 0, 0], Refuse(Errno::ACCESS)),
        (nr::__NR_socketpair, [2, 1, 0, 0, 0, 0], Refuse(Errno::ACCESS)),
        (nr::__NR_sendto, [3, 4, 5, 0, 0, 0], Allow),
        (nr::__NR_sendto, [3, 4, 5, 0, high, 16], Refuse(Errno::ACCESS)),
        // The kernel looks at the low half alone.
        (nr::__NR_ioctl, [0, high | 0x5412, 0, 0, 0, 0], Refuse(Errno::PERM)),
        (nr::__NR_ioctl, [0, 0x5401, 0, 0, 0, 0], Allow),
        (nr::__NR_clone, [0x3d_0f00, 0, 0, 0, 0, 0], Allow),
        (nr::__NR_clone, [0x1000_0011, 0, 0, 0, 0, 0], Refuse(Errno::PERM)),
        (nr::__NR_unshare, [0x400, 0, 0, 0, 0, 0], Allow),
        (nr::__NR_unshare, [0x80, 0, 0, 0, 0, 0], Refuse(Errno::PERM)),
        (nr::__NR_clone3, [0; 6], Refuse(Errno::NOSYS)),
        (nr::__NR_prlimit64, [0, 7, high, 0, 0, 0], Allow),
        (nr::__NR_prlimit64, [9, 7, high, 0, 0, 0], Refuse(Errno::PERM)),
        (nr::__NR_prlimit64, [9, 4, 0, high, 0, 0], Allow),
        (nr::__NR_prlimit64, [0, 4, high, 0, 0, 0], Pretend),
        (nr::__NR_prlimit64, [0, 4, high, high, 0, 0], Refuse(Errno::PERM)),
        (nr::__NR_setrlimit, [4, high, 0, 0, 0, 0], Pretend),
        (nr::__NR_setrlimit, [7, high, 0, 0, 0, 0], Allow),
        (nr::__NR_io_uring_setup, [0; 6], Refuse(Errno::NOSYS)),
        (LAST, [0; 6], Refuse(Errno::PERM)),
        (LAST + 1, [0; 6], Refuse(Errno::NOSYS)),
    ] {
        assert_eq!(ask(&filter, number, arguments), answer, "{number} {arguments:x?}");
    }
    // i386's, and those of x32.
    let (answer, _) = run(&filter, 0x4000_0003, nr::__NR_read, [0; 6]);
    assert_eq!(answer, Refuse(Errno::NOSYS));
    assert_eq!(ask(&filter, 0x4000_0000, [0; 6]), Refuse(Errno::NOSYS));
}

#[test]
fn no_call_takes_many_steps() {
    let filter = filter(Network::Deny, &all(), false);
    let steps = (0..LAST).map(|number| run(&filter, OUR_ARCHITECTURE, number, [0; 6]).1);
    let most = steps.max().unwrap();
    assert!(most <= 22, "{most} steps");
    // Each is compiled again for every child.
    assert!(filter.len() <= 160, "{} instructions", filter.len());
}

#[test]
fn io_uring_is_shut_wherever_sockets_are() {
    for network in [Network::Deny, Network::Unix] {
        let filter = filter(network, &BTreeSet::new(), true);
        let answer = ask(&filter, nr::__NR_io_uring_setup, [0; 6]);
        assert_eq!(answer, Answer::Refuse(Errno::NOSYS));
    }
}
