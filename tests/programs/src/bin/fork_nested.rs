//! Forks within forks, as deep as the first argument says.

use offspring_guest::fork;

fn nest(depth: u8) -> u8 {
    if depth == 0 {
        return 0;
    }
    let child = fork::spawn(|| nest(depth - 1)).expect("it forks");
    let below = child.wait().expect("it ends").code().expect("by itself");
    u8::try_from(below).expect("a code") + 1
}

fn main() {
    let depth = std::env::args().nth(1).and_then(|depth| depth.parse().ok());
    let depth = depth.expect("a number");
    assert_eq!(nest(depth), depth);
}
