//! A fork that looks at the clock without end, and a parent that waits for it.

use offspring_guest::fork;

fn main() {
    let child = fork::spawn(|| {
        loop {
            std::hint::black_box(std::time::Instant::now());
        }
    });
    let status = child.expect("it forks").wait().expect("it ends");
    assert_eq!(status.code(), Some(134), "{status}");
}
