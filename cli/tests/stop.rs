//! Ending the tool ends what its guest started.

mod support;

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use support::{Folder, ci, offspring};

/// A run whose step tells its number, and that of a process in the background,
/// and then waits for ever.
fn start(folder: &Folder) -> (Child, [u32; 2]) {
    folder.write(
        "w.yml",
        "jobs: {a: {steps: [{run: 'sleep 1000 & echo pids $$ $!; exec sleep 1000'}]}}",
    );
    let mut tool = offspring()
        .args(["run", "--allow", "sh=/bin/sh", "--child-env", "PATH=/bin:/usr/bin"])
        .args(["--sandbox", "execute=/bin", "--sandbox", "execute=/usr"])
        .args(["--dir", &format!("{}::/repo", folder.path("")), ci(), "--", "/repo/w.yml"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(tool.stdout.as_mut().unwrap());
    let line = stdout.lines().map_while(Result::ok).find(|line| line.contains("| pids "));
    let line = line.expect("the step tells its numbers");
    let numbers = line.split_whitespace().rev().take(2).map(|word| word.parse().unwrap());
    let numbers: Vec<u32> = numbers.collect();
    (tool, [numbers[1], numbers[0]])
}

fn signal(tool: &Child, signal: Signal) {
    let pid = Pid::from_raw(tool.id().try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// Waits until there is no such process. A test that fails here hangs, and
/// says so.
fn wait_for_end(pid: u32) {
    while Path::new(&format!("/proc/{pid}")).exists() && !is_zombie(pid) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Ended, but nobody has waited for it: orphans of a machine whose first
/// process does not.
fn is_zombie(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
}

#[test]
fn asked_to_end() {
    for (number, name) in [(15, Signal::TERM), (2, Signal::INT), (1, Signal::HUP)] {
        let folder = Folder::new();
        let (mut tool, pids) = start(&folder);
        signal(&tool, name);
        assert_eq!(tool.wait().unwrap().code(), Some(128 + number));
        pids.into_iter().for_each(wait_for_end);
    }
}

#[test]
fn killed() {
    let folder = Folder::new();
    let (mut tool, [child, in_background]) = start(&folder);
    signal(&tool, Signal::KILL);
    assert_eq!(tool.wait().unwrap().signal(), Some(9));
    wait_for_end(child);
    wait_for_end(in_background);
}
