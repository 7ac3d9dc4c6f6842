//! A group that has as many processes as it may takes no fork: EAGAIN from
//! pids.max.

use offspring_guest::cgroup::{Cgroup, Limit};
use offspring_guest::fork::{ForkError, Options};
use test_programs::not_forked;

fn main() {
    let step = Cgroup::open("build").and_then(|build| build.create_child("step"));
    let step = step.expect("it is made");
    step.set_pids_max(Limit::At(2)).expect("there is the controller");
    let options = Options::new().group(&step);
    let sleeper = || loop {
        std::thread::sleep(std::time::Duration::from_secs(1000));
    };
    let first = options.spawn(sleeper).expect("it forks");
    let second = options.spawn(sleeper).expect("it forks");
    assert_eq!(not_forked(options.fork()), ForkError::LimitReached);
    drop(first);
    let third = options.spawn(|| 3).expect("there is room again");
    assert_eq!(third.wait().expect("it ends").code(), Some(3));
    drop(second);
}
