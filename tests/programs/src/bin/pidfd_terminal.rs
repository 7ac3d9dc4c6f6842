//! A child has a group of its own, but not at the host's terminal: whether the
//! host's input is one is this guest's argument.

use offspring_guest::{Cause, Command, ErrorCode, Signal, Stdio};
use test_programs::failed;

fn main() {
    let at_terminal = std::env::args().nth(1).as_deref() == Some("terminal");
    let mut command = Command::new("sleep");
    command.arg("100000").stdin(Stdio::inherit()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    let answer = child.pidfd().send_group_signal(Signal::TERM);
    if !at_terminal {
        answer.expect("the group is its own");
        assert_eq!(child.wait().expect("it ends").signal(), Some(15));
        return;
    }
    // That group is the host's, and not the guest's to signal or to kill.
    assert_eq!(failed(answer), ErrorCode::Unsupported);
    child.kill().expect("it is alive");
    assert_eq!(child.wait().expect("it ends").cause(), Some(Cause::Killed));
}
