//! The child's sandbox.

pub(super) mod carried;

use std::ffi::c_void;
use std::ptr;

use rustix::io::Errno;

use super::{NO_FD, Orders, call, call6, word};
use crate::error::{SpawnError, Stage};
use crate::sandbox::{Instruction, Key, Measures, NewKeyring};
use crate::sys::nr;

const PR_CAPBSET_READ: usize = 23;
const PR_CAPBSET_DROP: usize = 24;
const PR_SET_SECUREBITS: usize = 28;
const PR_SET_NO_NEW_PRIVS: usize = 38;
const PR_CAP_AMBIENT: usize = 47;
const PR_CAP_AMBIENT_CLEAR_ALL: usize = 4;
const LINUX_CAPABILITY_VERSION_3: u32 = 0x2008_0522;
const RLIMIT_CORE: usize = 4;
const KEYCTL_JOIN_SESSION_KEYRING: usize = 1;
const SECCOMP_SET_MODE_FILTER: usize = 1;

/// `struct __user_cap_header_struct`
#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// `struct sock_fprog`
#[repr(C)]
struct Filter {
    length: u16,
    instructions: *const c_void,
}

/// Takes away what comes back at exec, while there is the right to: it is lost
/// with root's ids. Nothing here keeps this process from what is still to be
/// done.
pub(super) fn bound(measures: &Measures) -> Result<(), SpawnError> {
    let args = [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0];
    call(Stage::NoNewPrivileges, nr::PRCTL, args)?;
    let Some(bounds) = &measures.capabilities else { return Ok(()) };
    for capability in &bounds.bounding {
        let args = [PR_CAPBSET_READ, *capability as usize, 0, 0, 0];
        // Much faster than taking away what is not there.
        if call(Stage::Capabilities, nr::PRCTL, args)? == 0 {
            continue;
        }
        let args = [PR_CAPBSET_DROP, *capability as usize, 0, 0, 0];
        unless_forbidden(call(Stage::Capabilities, nr::PRCTL, args))?;
    }
    if let Some(bits) = bounds.secure_bits {
        let args = [PR_SET_SECUREBITS, bits, 0, 0, 0];
        unless_forbidden(call(Stage::SecureBits, nr::PRCTL, args))?;
    }
    Ok(())
}

/// Without `CAP_SETPCAP` these sets cannot be made smaller, and need not be: no
/// capability outlives this process's exec, because `no_new_privs` keeps it
/// from getting one that it has given up.
fn unless_forbidden(answer: Result<usize, SpawnError>) -> Result<(), SpawnError> {
    match answer {
        Err(error) if error.errno != Errno::PERM => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Enters the sandbox. The filter comes last, because it refuses what comes
/// before it.
pub(super) fn enter(orders: &Orders<'_>, measures: &Measures) -> Result<(), SpawnError> {
    if let Some(key) = orders.key {
        return carried::complete(orders, measures, key);
    }
    limit_core(measures, None)?;
    if let Some(keyring) = measures.keyring {
        join_keyring(keyring)?;
    }
    drop_privileges(measures)?;
    restrict(orders.ruleset)?;
    set_filter(&measures.filter)
}

/// Sets the limit of core files, with a key where a filter is in force.
fn limit_core(measures: &Measures, key: Option<Key>) -> Result<(), SpawnError> {
    let Some(most) = measures.core_limit else { return Ok(()) };
    let limit = [most; 2];
    let [fifth, sixth] = key.map_or([0; 2], Key::arguments);
    let args = [0, RLIMIT_CORE, &raw const limit as usize, 0, fifth, sixth];
    call6(Stage::CoreDumps, nr::PRLIMIT64, args).map(drop)
}

fn join_keyring(keyring: NewKeyring) -> Result<(), SpawnError> {
    match call(Stage::Keyring, nr::KEYCTL, [KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0]) {
        // No keys in this kernel, or none for us and so none for the child.
        Err(error) if matches!(error.errno, Errno::NOSYS | Errno::PERM | Errno::ACCESS) => Ok(()),
        // The user has as many keys as may be.
        Err(error) if error.errno == Errno::DQUOT && keyring == NewKeyring::Spare => Ok(()),
        joined => joined.map(drop),
    }
}

/// Gives up all capabilities.
fn drop_privileges(measures: &Measures) -> Result<(), SpawnError> {
    if measures.capabilities.is_none() {
        return Ok(());
    }
    let args = [PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0];
    call(Stage::Capabilities, nr::PRCTL, args)?;
    let header = Header { version: LINUX_CAPABILITY_VERSION_3, pid: 0 };
    // Effective, permitted and inheritable, of two words each.
    let none = [0_u32; 6];
    let args = [&raw const header as usize, &raw const none as usize, 0, 0, 0];
    call(Stage::Capabilities, nr::CAPSET, args).map(drop)
}

/// Enters a domain of Landlock with these rules, if there are any.
fn restrict(ruleset: i32) -> Result<(), SpawnError> {
    if ruleset == NO_FD {
        return Ok(());
    }
    let args = [word(ruleset), 0, 0, 0, 0];
    call(Stage::Landlock, nr::LANDLOCK_RESTRICT_SELF, args).map(drop)
}

fn set_filter(instructions: &[Instruction]) -> Result<(), SpawnError> {
    if instructions.is_empty() {
        return Ok(());
    }
    let filter = Filter {
        // The kernel takes 4096 at most, and says so.
        length: u16::try_from(instructions.len()).unwrap_or(u16::MAX),
        instructions: instructions.as_ptr().cast(),
    };
    let args = [SECCOMP_SET_MODE_FILTER, 0, ptr::from_ref(&filter) as usize, 0, 0];
    call(Stage::Seccomp, nr::SECCOMP, args).map(drop)
}
