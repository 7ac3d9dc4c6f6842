//! Starts children without end, at most ten at once, which hold the file open
//! whose path is this guest's last argument. Each leaves one behind in its group;
//! with `tree` as first argument, some also outside of it. With `run`, one after the
//! other, each waited for at once.

use offspring_guest::{Child, Stdio};
use test_programs::sh;

const GROUP: &str = r#"exec 9>"$1"; trap '' TERM; sleep 100000 & sleep 100000"#;

const SHORT: &str = r#"exec 9>"$1"; sleep 100000 & sleep 0.003"#;

/// Leaves its session, forks twice, or has stopped.
const TREE: &str = r#"
exec 9>"$1"; trap '' TERM
setsid sleep 100000 &
(setsid sh -c 'sleep 100000 & exec sleep 100000' &)
setsid sh -c 'kill -STOP $$; sleep 100000' &
sleep 100000
"#;

fn main() {
    let mut args = std::env::args().skip(1);
    let kind = args.next();
    let path = args.next_back().expect("the path of a file");
    let script = match kind.as_deref() {
        Some("tree") => TREE,
        Some("run") => loop {
            let mut script = sh(SHORT);
            let script = script.arg(&path).stdin(Stdio::null()).stdout(Stdio::null());
            script.stderr(Stdio::null()).status().expect("it starts");
        },
        _ => GROUP,
    };
    let mut children = std::collections::VecDeque::<Child>::new();
    loop {
        let mut script = sh(script);
        let script = script.arg(&path).stdin(Stdio::null()).stdout(Stdio::null());
        children.push_back(script.stderr(Stdio::null()).spawn().expect("it starts"));
        if children.len() > 10 {
            children.pop_front();
        }
    }
}
