//! The standard input before a fork and after it, in both processes: what one
//! reads the other does not. This guest's output is its input.

use offspring_guest::fork::{self, Forked};
use offspring_guest::poll;
use wasip2::cli::{stdin, stdout};
use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::io::streams::InputStream;

const LONG: u64 = 100_000_000_000_000;

fn say(text: &str) {
    stdout::get_stdout().blocking_write_and_flush(text.as_bytes()).expect("it is written");
}

fn hear(stdin: &InputStream, text: &str) {
    let heard = stdin.blocking_read(text.len() as u64).expect("there is more");
    assert_eq!(String::from_utf8_lossy(&heard), text);
}

fn is_silent(stdin: &InputStream) -> bool {
    let (input, timer) = (stdin.subscribe(), subscribe_duration(5_000_000));
    poll(&[&input, &timer]) == [1]
}

fn main() {
    let stdin = stdin::get_stdin();
    assert!(is_silent(&stdin));
    say("one");
    hear(&stdin, "one");
    match fork::fork().expect("it forks") {
        Forked::Child => {
            // Comes only now.
            let (input, timer) = (stdin.subscribe(), subscribe_duration(LONG));
            assert_eq!(poll(&[&timer, &input]), [1]);
            hear(&stdin, "two");
            assert!(is_silent(&stdin));
        }
        Forked::Parent(child) => {
            say("two");
            assert_eq!(child.wait().expect("it ends").code(), Some(0));
            assert!(is_silent(&stdin));
            say("three");
            hear(&stdin, "three");
        }
    }
}
