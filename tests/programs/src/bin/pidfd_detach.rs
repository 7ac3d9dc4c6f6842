//! Leaves children behind: the grant `sh` may live on, `other` may not. The first
//! tells its number, and all of them hold the file open whose path is the last
//! argument.

use offspring_guest::{Command, Stage};
use test_programs::{refused, started};

const SCRIPT: &str = "exec 9>\"$1\"; echo $$ >&9; echo ready; exec sleep 100000";

fn command(program: &str) -> Command {
    let path = std::env::args().next_back().expect("the path of a file");
    let mut command = Command::new(program);
    command.args(["-c", SCRIPT, "sh", &path]);
    command
}

fn main() {
    let (_, reason) = refused(command("other").detach(true).spawn());
    assert_eq!(reason.stage, Stage::Policy("detach".to_owned()));

    // As long as its handle is there, it is a child as any other.
    let (mut child, _) = started(command("sh").detach(true));
    assert_eq!(child.try_wait().expect("it can be asked"), None);
    child.kill().expect("it is allowed");
    assert_eq!(child.wait().expect("it ends").signal(), Some(9));

    let (child, _) = started(command("sh").detach(true));
    println!("{}", child.id());
    drop(child);
    // One that is not detached goes with its handle.
    started(&mut command("sh"));
}
