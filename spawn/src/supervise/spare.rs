//! What is to outlive the program: sessions that the processes above it spare.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use crate::child::Child;

/// Ends of pipes, one for each process above. A pipe keeps what was written when
/// the writer is killed, and is read only in the end.
static ABOVE: Mutex<Vec<OwnedFd>> = Mutex::new(Vec::new());

/// Lets a child that leads a session of its own outlive a program that is
/// [supervised](super::supervise), with all that stays in the session. What starts
/// a session of its own from there, and loses its parent before the program ends,
/// is killed with the program.
///
/// Does nothing for a program that is not supervised: there a child lives on
/// anyway, if it is [detached](Child::detach).
///
/// # Errors
/// - `ESRCH` when the child has ended and was waited for.
/// - `EINVAL` when it leads no session.
/// - `EAGAIN` when 16 000 were spared already.
pub fn spare(child: &Child) -> Result<(), Errno> {
    let number = child.pidfd().getpid()?;
    if session_of(number.cast_signed()) != Some(number.cast_signed()) {
        return Err(Errno::INVAL);
    }
    for above in &*ABOVE.lock().unwrap_or_else(PoisonError::into_inner) {
        // So short a text is written as a whole.
        rustix::io::write(above, &number.to_ne_bytes())?;
    }
    Ok(())
}

/// Makes a pipe: the end of a process above, and, kept here, that of the program.
pub(super) fn listen() -> Result<OwnedFd, Errno> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    ABOVE.lock().unwrap_or_else(PoisonError::into_inner).push(writer);
    Ok(reader)
}

/// All sessions that are to be spared.
pub(super) fn spared(from: &OwnedFd) -> BTreeSet<i32> {
    let mut spared = BTreeSet::new();
    let mut number = [0; 4];
    while rustix::io::read(from, &mut number) == Ok(number.len()) {
        spared.insert(i32::from_ne_bytes(number));
    }
    spared
}

/// The session of a process, by the number of its leader. Not by getsid(2), whose
/// wrapper takes it for never zero: that is a session outside our namespace.
pub(super) fn session_of(process: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Behind the name, which may contain anything: state, parent, group, session.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(3)?.parse().ok()
}
