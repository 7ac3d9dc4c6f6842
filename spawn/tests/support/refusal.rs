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
    filter(call, Vec::new(), errno);
}

/// The same only where an argument has this value.
pub fn refuse_if(call: i64, index: u8, value: u64, errno: Errno) {
    let is = SeccompCondition::new(index, Dword, SeccompCmpOp::Eq, value).unwrap();
    filter(call, vec![SeccompRule::new(vec![is]).unwrap()], errno);
}

/// Takes `/proc` out of this thread's sight, if that is allowed.
#[expect(unsafe_code, reason = "mount namespaces have no wrapper here")]
pub fn hide_proc() -> std::io::Result<()> {
    let checked = |answer| match answer {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    };
    // SAFETY: this thread gets a mount namespace of its own.
    checked(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    let private = libc::MS_REC | libc::MS_PRIVATE;
    let (root, none) = (c"/".as_ptr(), std::ptr::null());
    // SAFETY: the path is a C string, and what is null may be.
    checked(unsafe { libc::mount(none, root, none, private, none.cast()) })?;
    // There may be several, one above the other.
    for count in 0.. {
        // SAFETY: the path is a C string.
        match checked(unsafe { libc::umount2(c"/proc".as_ptr(), libc::MNT_DETACH) }) {
            Err(error) if count > 0 && error.raw_os_error() == Some(libc::EINVAL) => break,
            unmounted => unmounted?,
        }
    }
    Ok(())
}

fn filter(call: i64, rules: Vec<SeccompRule>, errno: Errno) {
    let errno = SeccompAction::Errno(errno.raw_os_error().unsigned_abs());
    let rules = BTreeMap::from([(call, rules)]);
    let architecture = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, errno, architecture).unwrap();
    apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
}
