//! As many live children at once as its argument says, ended in any order, each of
//! them by its handle and no other.

use offspring_guest::{Child, Command, Stdio, wait_any};

/// A prime number, so that its multiples come by every place.
const STEP: usize = 7919;

fn main() {
    let count: usize = std::env::args().nth(1).and_then(|count| count.parse().ok()).expect("n");
    let mut sleep = Command::new("sleep");
    sleep.arg("100000").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut children: Vec<Child> = (0..count).map(|_| sleep.spawn().expect("it starts")).collect();
    let order: Vec<usize> = (1..=count).map(|turn| turn * STEP % count).collect();
    for (turn, &place) in order.iter().enumerate() {
        if let Some(&later) = order.get(turn + 1) {
            assert_eq!(children[later].try_wait().expect("it can be asked"), None);
        }
        children[place].kill().expect("it may");
        if turn == 0 {
            // Among all of them.
            let pidfds: Vec<_> = children.iter().map(Child::pidfd).collect();
            assert_eq!(wait_any(&pidfds).expect("there are some").0, place);
        }
        let status = children[place].wait().expect("it ends");
        assert_eq!(status.signal(), Some(9));
    }
}
