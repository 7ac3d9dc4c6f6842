//! What a child used, once it has ended.

use std::time::Duration;

use offspring_guest::{PeakMemory, Stdio};
use test_programs::{cat, sh};

fn main() {
    let mut child = cat();
    assert_eq!(child.usage(), None, "it runs");
    child.wait().expect("it ends");
    let idle = child.usage().expect("it has ended");
    let (PeakMemory::Exact(bytes) | PeakMemory::AtMost(bytes)) = idle.peak_memory;
    assert!(bytes > 0);
    assert!(idle.minor_faults > 0, "a program is mapped, not read");

    // The child's own child counts, because it is waited for.
    let mut busy = sh("sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done'; exit 0");
    let mut busy = busy.stdin(Stdio::null()).spawn().expect("it starts");
    busy.wait().expect("it ends");
    let busy = busy.usage().expect("it has ended");
    let time = busy.user_time + busy.system_time;
    assert!(time > Duration::from_millis(1), "{time:?}");
    assert!(time > idle.user_time + idle.system_time, "{busy:?} {idle:?}");
}
