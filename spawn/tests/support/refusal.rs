//! Kernels that refuse what is newer than they are, or what a sandbox does not
//! want: seccomp filters play them. Only for a process that runs one test.

use std::collections::BTreeMap;

use offspring_spawn::Errno;
use seccompiler::SeccompCmpArgLen::Dword;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};

/// Makes the kernel answer a call with an error from now on.
pub fn refuse(call: i64, errno: Errno) {
    filter(call, Vec::new(), answer(errno));
}

/// The same for all calls that make a process.
pub fn refuse_processes(errno: Errno) {
    for call in [libc::SYS_clone3, libc::SYS_clone] {
        refuse(call, errno);
    }
}

/// The same only where an argument has this value.
pub fn refuse_if(call: i64, index: u8, value: u64, errno: Errno) {
    filter(call, where_argument(index, value), answer(errno));
}

/// Ends with `SIGSYS` whoever makes a call where an argument has this value: this thread,
/// and what it starts.
pub fn end_if(call: i64, index: u8, value: u64) {
    filter(call, where_argument(index, value), SeccompAction::KillThread);
}

fn where_argument(index: u8, value: u64) -> Vec<SeccompRule> {
    let is = SeccompCondition::new(index, Dword, SeccompCmpOp::Eq, value).unwrap();
    vec![SeccompRule::new(vec![is]).unwrap()]
}

fn answer(errno: Errno) -> SeccompAction {
    SeccompAction::Errno(errno.raw_os_error().unsigned_abs())
}

fn filter(call: i64, rules: Vec<SeccompRule>, action: SeccompAction) {
    let rules = BTreeMap::from([(call, rules)]);
    let architecture = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, architecture).unwrap();
    apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
}
