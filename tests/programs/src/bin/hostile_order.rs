//! Drops things in the order that its first argument names.

use offspring_guest::__internal::pipe::{PipeReader, create};
use offspring_guest::__internal::spawn::{Command, Input, Output};
use offspring_guest::__internal::types::Outcome;

fn main() {
    let command = Command::new("cat");
    let spawned = command.spawn().expect("it starts");
    let (reader, writer) = create().expect("a pipe");
    match std::env::args().nth(1).as_deref() {
        Some("pollable-first") => {
            let pollable = spawned.pidfd.subscribe();
            drop(pollable);
            drop(spawned.pidfd);
        }
        Some("command-first") => {
            drop(command);
            spawned.pidfd.subscribe().block();
        }
        Some("pipes-first") => {
            command.stdin(&Input::Pipe(&reader)).expect("it is a pipe");
            command.stdout(&Output::Pipe(&writer)).expect("it is a pipe");
            drop((reader, writer));
            // The copies of the command are one pipe, from the child to itself,
            // until there is no command.
            let spawned = command.spawn().expect("it starts");
            assert!(spawned.pidfd.try_wait().expect("it can be asked").is_none());
            command.stdout(&Output::Null).expect("setters only record");
            spawned.pidfd.kill().expect("it is alive");
            spawned.pidfd.subscribe().block();
            let status = spawned.pidfd.try_wait().expect("it can be asked").expect("it has ended");
            assert!(matches!(status.outcome, Outcome::Signaled(_)), "{status:?}");
        }
        // From here on it traps.
        Some("pidfd-before-pollable") => {
            let pollable = spawned.pidfd.subscribe();
            drop(spawned);
            pollable.block();
        }
        Some("stream-before-pollable") => {
            let stream = PipeReader::into_stream(reader);
            let pollable = stream.subscribe();
            drop(stream);
            pollable.block();
        }
        way => panic!("no such way: {way:?}"),
    }
    println!("done");
}
