//! Starts children without end, at most ten at once, which hold the file open
//! whose path is this guest's last argument. Each leaves one behind in its group.

use offspring_guest::{Child, Stdio};
use test_programs::sh;

fn main() {
    let path = std::env::args().next_back().expect("the path of a file");
    let mut children = std::collections::VecDeque::<Child>::new();
    loop {
        let mut script = sh("exec 9>\"$1\"; trap '' TERM; sleep 100000 & sleep 100000");
        let script = script.arg(&path).stdin(Stdio::null()).stdout(Stdio::null());
        children.push_back(script.stderr(Stdio::null()).spawn().expect("it starts"));
        if children.len() > 10 {
            children.pop_front();
        }
    }
}
