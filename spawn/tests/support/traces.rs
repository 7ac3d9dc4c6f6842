//! What a process has: to tell that a spawn left nothing behind.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use offspring_spawn::Errno;
use rustix::process::{Resource, Rlimit, WaitId, WaitIdOptions, getrlimit, setrlimit, waitid};

/// What this process has. Only for a process that runs one test.
#[derive(Debug, PartialEq, Eq)]
pub struct Traces {
    /// Open descriptors and what they are.
    pub descriptors: BTreeMap<i32, String>,
    threads: usize,
    children: String,
}

impl Traces {
    fn now() -> Traces {
        Traces { descriptors: descriptors("self"), threads: threads(), children: children() }
    }

    /// Runs something that must leave nothing behind.
    #[track_caller]
    pub fn unchanged<T>(body: impl FnOnce() -> T) -> T {
        assert_no_children();
        settle(|| threads() <= OWN_THREADS);
        let before = Traces::now();
        let result = body();
        settle(|| Traces::now() == before);
        assert_eq!(Traces::now(), before);
        assert_no_children();
        result
    }
}

/// The test harness has a thread, and the test another.
const OWN_THREADS: usize = 2;

/// How long what is on its way out may take, before it is called left behind.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until something is so. A thread that was joined is listed for a moment
/// more, and on a busy machine a killed process takes its time.
fn settle(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() && start.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Counts threads, but for those that spawn: they are made as they are needed,
/// which is a matter of time, and stay for the next spawn.
fn threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let name = |task: &fs::DirEntry| fs::read_to_string(task.path().join("comm"));
    let names = tasks.filter_map(|task| name(&task.unwrap()).ok());
    names.filter(|name| name.trim_end() != "offspring-lane").count()
}

/// The descriptors of a process and what they are.
pub fn descriptors(process: &str) -> BTreeMap<i32, String> {
    let directory = format!("/proc/{process}/fd");
    let names = fs::read_dir(&directory).unwrap();
    let numbers: Vec<i32> =
        names.map(|name| name.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
    // Only now: the descriptor of the listing itself is closed.
    let link = |number| fs::read_link(format!("{directory}/{number}"));
    let links = numbers.iter().filter_map(|number| {
        let link = link(number).ok()?;
        Some((*number, link.to_string_lossy().into_owned()))
    });
    links.collect()
}

/// The children of this process, zombies included, also those that an
/// ordinary wait does not see. Empty where the kernel has no such list.
pub fn children() -> String {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let lists = tasks.map(|task| task.unwrap().path().join("children"));
    lists.filter_map(|list| fs::read_to_string(list).ok()).collect()
}

/// Asserts that this process has no child and no zombie.
#[track_caller]
pub fn assert_no_children() {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let none = || matches!(waitid(WaitId::All, options), Err(Errno::CHILD));
    settle(|| none() && children().is_empty());
    assert!(none());
    assert_eq!(children(), "");
}

/// Runs something with another soft limit, and sets it back.
pub fn with_limit<T>(resource: Resource, limit: u64, body: impl FnOnce() -> T) -> T {
    let before = getrlimit(resource);
    let maximum = before.maximum;
    let now = Rlimit { current: Some(limit), maximum };
    setrlimit(resource, now).unwrap();
    let result = body();
    setrlimit(resource, before).unwrap();
    result
}
