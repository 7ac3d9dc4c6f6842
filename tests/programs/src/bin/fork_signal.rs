//! Forks once with the exit signal that the first argument names.

use offspring_guest::Signal;
use offspring_guest::fork::Options;

fn main() {
    let signal = match std::env::args().nth(1).as_deref() {
        Some("chld") => Some(Signal::CHLD),
        Some("winch") => Some(Signal::WINCH),
        Some("none") => None,
        other => panic!("no such signal: {other:?}"),
    };
    let child = Options::new().exit_signal(signal).spawn(|| 9).expect("it forks");
    assert_eq!(child.wait().expect("it ends").code(), Some(9));
}
