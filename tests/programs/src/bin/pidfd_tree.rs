//! Whatever a child has started goes with it, in each of the ways that this guest's
//! first argument names: all of it holds the pipe open, and the file whose path is
//! the last one.

use std::io::Read;
use std::time::Duration;

use offspring_guest::Child;
use test_programs::{line, sh, started};

/// Leaves its session, forks twice, ignores what can be ignored, or has stopped.
const TREE: &str = r#"
exec 9>"$1"
setsid sleep 100000 &
(setsid sh -c 'sleep 100000 & exec sleep 100000' &)
setsid sh -c 'trap "" HUP INT TERM; echo one; while :; do sleep 1; done' &
setsid sh -c 'echo two; kill -STOP $$; sleep 100000' &
wait
"#;

fn tree(deadline: Option<Duration>) -> Child {
    let path = std::env::args().next_back().expect("the path of a file");
    let mut script = sh(TREE);
    script.arg(path);
    if let Some(after) = deadline {
        script.deadline(after);
    }
    let (mut child, first) = started(&mut script);
    let second = line(child.stdout.as_mut().expect("it is piped"));
    assert_eq!(first.len() + second.len(), 6, "{first} {second}");
    child
}

fn main() {
    for way in ["drop", "kill", "deadline", "terminate"] {
        let mut child = tree((way == "deadline").then_some(Duration::from_secs(3)));
        let mut stdout = child.stdout.take().expect("it is piped");
        let kept = match way {
            "drop" => {
                drop(child);
                None
            }
            "deadline" => Some(child),
            "terminate" => {
                child.terminate(Duration::from_millis(10)).expect("it is allowed");
                Some(child)
            }
            _ => {
                child.kill().expect("it is alive");
                Some(child)
            }
        };
        // Ends when the last of them is gone.
        stdout.read_to_end(&mut Vec::new()).expect("the end");
        drop(kept);
    }
    // The last is for the host to end.
    std::mem::forget(tree(None));
}
