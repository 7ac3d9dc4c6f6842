//! However forks end, what their host holds ends once: its own children live on.

use std::io::{Read, Write};

use offspring_guest::fork::{self, Forked};
use test_programs::cat;

fn main() {
    let mut kept = cat();
    for way in ["return", "exit", "at once", "panic", "drop"] {
        match fork::fork().expect("it forks") {
            Forked::Child => match way {
                "return" => return,
                "exit" => offspring_guest::exit(0),
                "at once" => fork::exit(0),
                "panic" => panic!("on purpose"),
                _ => return drop(kept),
            },
            Forked::Parent(child) => {
                let code = child.wait().expect("it ends").code();
                assert_eq!(code, Some(if way == "panic" { 134 } else { 0 }));
            }
        }
    }
    assert_eq!(kept.try_wait().expect("it is ours"), None);
    let (mut stdin, mut stdout) = (kept.stdin.take(), kept.stdout.take());
    stdin.as_mut().expect("it is piped").write_all(b"here").expect("it is read");
    drop(stdin);
    let mut text = String::new();
    stdout.as_mut().expect("it is piped").read_to_string(&mut text).expect("all of it");
    assert_eq!(text, "here");
    assert!(kept.wait().expect("it ends").success());
}
