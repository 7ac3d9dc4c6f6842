//! What the kernel knows of a process by its pidfd.
//!
//! # Safety
//!
//! An `ioctl` fills a structure of ours, whose layout is the kernel's.

#![expect(unsafe_code, reason = "PIDFD_GET_INFO has no wrapper")]

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

use crate::status::ExitStatus;
use crate::sys::{self, nr};

/// `_IOWR(0xFF, 11, struct pidfd_info)` with the first version of the
/// structure, 64 bytes.
const PIDFD_GET_INFO: usize = 0xC040_FF0B;
const PID: u64 = 1 << 0;
const CREDENTIALS: u64 = 1 << 1;
const CGROUP_ID: u64 = 1 << 2;
const EXIT: u64 = 1 << 3;

/// `struct pidfd_info`, first version.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup_id: u64,
    pid: u32,
    tgid: u32,
    parent: u32,
    ids: [u32; 8],
    exit_code: i32,
}

const _: () = assert!(size_of::<PidfdInfo>() == 64);

/// A process's numbers and ids, as we see them from our namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProcessInfo {
    /// The process's number.
    pub pid: u32,
    /// Its parent's number; 0 when that is outside our process-id namespace.
    pub parent: u32,
    /// Real, effective and saved user id.
    pub users: [u32; 3],
    /// Real, effective and saved group id.
    pub groups: [u32; 3],
    /// The id of its cgroup (version 2), if the kernel tells.
    pub cgroup: Option<u64>,
}

/// Asks for everything that this structure has.
pub(crate) fn process_info(pidfd: BorrowedFd<'_>) -> Result<ProcessInfo, Errno> {
    let info = get_info(pidfd, PID | CREDENTIALS | CGROUP_ID)?;
    let [user, group, euid, egid, suid, sgid, ..] = info.ids;
    Ok(ProcessInfo {
        pid: info.tgid,
        parent: info.parent,
        users: [user, euid, suid],
        groups: [group, egid, sgid],
        cgroup: (info.mask & CGROUP_ID != 0).then_some(info.cgroup_id),
    })
}

/// The status that the kernel kept, if it keeps any. It is there from the
/// moment that the pidfd hangs up, a moment after the other wait has begun.
pub(crate) fn exit_info(pidfd: BorrowedFd<'_>) -> Option<ExitStatus> {
    let info = get_info(pidfd, EXIT).ok()?;
    let kept = info.mask & EXIT != 0;
    kept.then(|| ExitStatus::from_wait_word(info.exit_code))
}

/// The process's number, from the kernel if it tells (Linux 6.13), else from
/// `/proc`.
pub(crate) fn pid(pidfd: BorrowedFd<'_>) -> Result<u32, Errno> {
    match get_info(pidfd, PID) {
        Ok(info) => Ok(info.tgid),
        Err(Errno::NOTTY | Errno::INVAL) => pid_from_proc(pidfd),
        // Before 7.0 also of a process outside our namespace.
        Err(Errno::SRCH) if pid_from_proc(pidfd) == Err(Errno::REMOTE) => Err(Errno::REMOTE),
        Err(errno) => Err(errno),
    }
}

/// Reads the line `Pid:` of the descriptor's entry in `/proc`.
fn pid_from_proc(pidfd: BorrowedFd<'_>) -> Result<u32, Errno> {
    let path = format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd());
    let text = std::fs::read_to_string(path).map_err(|_| Errno::BADF)?;
    parse_fdinfo(&text)
}

/// Finds the number: −1 stands for a process that was waited for, 0 for one
/// outside the namespace that `/proc` shows. What has no number is no pidfd.
fn parse_fdinfo(text: &str) -> Result<u32, Errno> {
    let value = text.lines().find_map(|line| line.strip_prefix("Pid:"));
    match value.ok_or(Errno::BADF)?.trim_ascii_start() {
        "-1" => Err(Errno::SRCH),
        "0" => Err(Errno::REMOTE),
        // A sign is nothing that the kernel writes.
        number if number.starts_with(|first: char| first.is_ascii_digit()) => {
            let number = number.parse::<i32>().ok();
            number.map(i32::unsigned_abs).ok_or(Errno::BADF)
        }
        _ => Err(Errno::BADF),
    }
}

/// Whether this is one, as the kernel says since Linux 6.13: an older one denies it of all.
pub(crate) fn is_pidfd(descriptor: BorrowedFd<'_>) -> bool {
    matches!(get_info(descriptor, 0), Ok(_) | Err(Errno::SRCH))
}

fn get_info(pidfd: BorrowedFd<'_>, mask: u64) -> Result<PidfdInfo, Errno> {
    let mut info = PidfdInfo { mask, ..PidfdInfo::default() };
    let fd = pidfd.as_raw_fd().unsigned_abs() as usize;
    let args = [fd, PIDFD_GET_INFO, &raw mut info as usize, 0, 0];
    // SAFETY: the structure is live and of the size that the request names.
    let answer = unsafe { sys::call(nr::IOCTL, args) };
    sys::result(answer)?;
    Ok(info)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_proc() {
        for (line, expected) in [
            ("Pid:\t7", Ok(7)),
            ("Pid: 2147483647", Ok(2_147_483_647)),
            ("Pid:\t-1", Err(Errno::SRCH)),
            ("Pid:\t0", Err(Errno::REMOTE)),
            ("Pid:\t2147483648", Err(Errno::BADF)),
            ("Pid:\t-2", Err(Errno::BADF)),
            ("Pid:\t+7", Err(Errno::BADF)),
            ("Pid:\t7x", Err(Errno::BADF)),
            ("Pid:", Err(Errno::BADF)),
            ("NSpid:\t7", Err(Errno::BADF)),
            ("", Err(Errno::BADF)),
        ] {
            let text = format!("pos:\t0\nflags:\t02\n{line}\nmnt_id:\t9\n");
            assert_eq!(parse_fdinfo(&text), expected, "{line}");
        }
    }
}
