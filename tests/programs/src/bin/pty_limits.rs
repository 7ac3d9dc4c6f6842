//! Terminals are bounded, and must be granted to a child.

use offspring_guest::{Command, ErrorCode, Pty, Stage, Stdio, pipe};
use test_programs::{failed, refused};

fn main() {
    // Ten ends: four terminals, and one of them with its two streams.
    let mut held: Vec<Pty> = Vec::new();
    while let Ok(pty) = Pty::open() {
        held.push(pty);
    }
    assert_eq!(held.len(), 5);
    assert_eq!(failed(Pty::open()), ErrorCode::LimitReached);
    assert_eq!(failed(held[0].reader()), ErrorCode::LimitReached);
    assert_eq!(failed(pipe()), ErrorCode::LimitReached);
    held.pop();
    let streams = (held[0].reader().expect("there is room"), held[0].writer().expect("and again"));
    assert_eq!(failed(held[0].reader()), ErrorCode::LimitReached);
    drop(streams);
    drop(held);

    let pty = Pty::open().expect("they were given back");
    let (_, error) = refused(Command::new("plain").terminal(&pty).spawn());
    assert_eq!((error.stage, error.code), (Stage::Policy("stdio".into()), ErrorCode::AccessDenied));
    assert!(error.message.contains("terminal"), "{}", error.message);
    // Also where none of the streams is it.
    let mut command = Command::new("plain");
    command.terminal(&pty).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let (_, error) = refused(command.spawn());
    assert!(error.message.contains("`plain` may not run in a terminal"), "{}", error.message);

    // It needs no other word.
    let mut child = Command::new("granted").terminal(&pty).spawn().expect("it is granted");
    assert!(child.wait().expect("it ends").success());
    let (_, error) = refused(Command::new("granted").new_session(true).output());
    assert_eq!(error.stage, Stage::Policy("stdio".into()));
}
