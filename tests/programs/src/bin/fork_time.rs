//! Clocks, timers and waiting with a time-out, in both processes.

use std::time::{Duration, Instant, SystemTime};

use offspring_guest::fork::{self, Forked};
use offspring_guest::poll;
use test_programs::forked;
use wasip2::clocks::monotonic_clock::subscribe_duration;

const SHORT: Duration = Duration::from_millis(5);

fn timer(time: Duration) -> wasip2::io::poll::Pollable {
    subscribe_duration(u64::try_from(time.as_nanos()).expect("it is short"))
}

fn look() {
    let (start, wall) = (Instant::now(), SystemTime::now());
    std::thread::sleep(SHORT);
    assert!(start.elapsed() >= SHORT);
    assert!(SystemTime::now() >= wall);
    let (soon, late) = (timer(SHORT), timer(Duration::from_secs(100_000)));
    assert_eq!(poll(&[&late, &soon]), [1]);
    assert!(soon.ready() && !late.ready());
}

fn main() {
    look();
    let start = Instant::now();
    let (soon, late) = (timer(4 * SHORT), timer(Duration::from_secs(100_000)));
    match fork::fork().expect("it forks") {
        Forked::Child => {
            // From before the fork, and from after it.
            assert_eq!(poll(&[&late, &soon]), [1]);
            look();
            forked(look);
        }
        Forked::Parent(child) => {
            assert_eq!(poll(&[&late, &soon]), [1]);
            look();
            assert!(start.elapsed() >= 4 * SHORT);
            let mut ended = child.wait_timeout(SHORT).expect("it can be asked");
            while ended.is_none() {
                ended = child.wait_timeout(SHORT).expect("it can be asked");
            }
            assert_eq!(ended.expect("it has ended").code(), Some(0));
        }
    }
}
