//! The effective ids of a child of a host whose real ids are others: both are
//! this guest's arguments.

use test_programs::{read, status};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [real, effective] = &args[..] else { panic!("two ids") };
    let ids = |text: String| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let kept = ids(status(&mut read("/proc/self/status"), "Uid"));
    assert_eq!(&kept[..2], &[real.clone(), effective.clone()]);
    let reset = ids(status(read("/proc/self/status").reset_ids(true), "Uid"));
    assert_eq!(&reset[..2], &[real.clone(), real.clone()]);
}
