//! The first process of a process-id namespace, to which the kernel gives no signal
//! that it has no handler for.

use std::fs;

use crate::signal::Signal;

/// Whether SIGTERM would have ended this process if it were no such one, and it has no
/// children: they may have handlers, and would die with it. What cannot be found out
/// is taken for no.
pub(crate) fn would_have_ended(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    by_default(&status) && !has_children(pid).unwrap_or(true)
}

/// Whether SIGTERM is neither handled, nor ignored, nor blocked.
fn by_default(status: &str) -> bool {
    let bit = 1 << (Signal::TERM.as_raw() - 1);
    let in_set = |name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(u64::from_str_radix(line.trim(), 16).ok()? & bit != 0)
    };
    ["SigCgt:", "SigIgn:", "SigBlk:"].into_iter().all(|name| in_set(name) == Some(false))
}

fn has_children(pid: u32) -> std::io::Result<bool> {
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        if !fs::read_to_string(task?.path().join("children"))?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_in_none_of_the_sets() {
        let status = |caught, ignored, blocked| {
            format!("Name:\tx\nSigBlk:\t{blocked}\nSigIgn:\t{ignored}\nSigCgt:\t{caught}\n")
        };
        let (none, term) = ("0000000000000000", "0000000000004000");
        assert!(by_default(&status(none, none, none)));
        assert!(by_default(&status("fffffffffffbbfff", none, none)));
        for (caught, ignored, blocked) in
            [(term, none, none), (none, term, none), (none, none, term)]
        {
            assert!(!by_default(&status(caught, ignored, blocked)));
        }
        assert!(!by_default(""));
        assert!(!by_default("SigCgt:\t0\nSigIgn:\tx\nSigBlk:\t0\n"));
    }

    #[test]
    fn what_is_not_there_is_left_alone() {
        assert!(!would_have_ended(u32::MAX));
    }
}
