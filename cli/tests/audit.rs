//! What the tool keeps of a run.

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use offspring_tests::EMBED_AUDIT;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use support::{Ended, Folder, offspring};

/// The guest, compiled ahead of time so that each run starts at once.
fn compiled(folder: &Folder) -> String {
    let path = folder.path("guest.cwasm");
    let output = offspring().args(["compile", EMBED_AUDIT, "-o", &path]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    path
}

/// The finished lines of a log, each of which must be an object.
fn finished(log: &str) -> Vec<Value> {
    let text = fs::read_to_string(log).unwrap();
    let end = text.rfind('\n').map_or(0, |end| end + 1);
    let lines: Vec<Value> =
        text[..end].lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(Value::is_object), "{lines:?}");
    lines
}

fn pids(lines: &[Value], event: &str) -> Vec<u64> {
    let lines = lines.iter().filter(|line| line["event"] == event);
    lines.map(|line| line["pid"].as_u64().unwrap()).collect()
}

#[test]
fn every_line_is_kept() {
    let folder = Folder::new();
    let (guest, log) = (compiled(&folder), folder.path("audit.jsonl"));
    for runs in 1..=2 {
        let run = ["run", "--allow", "true", "--audit", &log, &guest, "50"];
        let ended = Ended::of(&offspring().args(run).output().unwrap());
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{ended:?}");
        let lines = finished(&log);
        let (spawned, exited) = (pids(&lines, "spawn"), pids(&lines, "exit"));
        assert_eq!((spawned.len(), exited.len(), lines.len()), (50 * runs, 50 * runs, 100 * runs));
        let said: Vec<u64> = ended.stdout.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(spawned[50 * (runs - 1)..], said);
        assert!(lines.iter().all(|line| line["guest"] == "guest.cwasm"));
    }
}

/// What the component has gone on from is in the log, at whatever moment the tool
/// is killed.
#[test]
fn a_killed_tool_loses_no_line() {
    let folder = Folder::new();
    let guest = compiled(&folder);
    for trial in 0..20 {
        let log = folder.path(&format!("{trial}.jsonl"));
        let mut tool = offspring()
            .args(["run", "--allow", "true", "--audit", &log, &guest, "1000000"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(tool.stdout.take().unwrap()).lines();
        let mut said: Vec<u64> = Vec::new();
        for line in lines.by_ref().take(1 + trial * 3) {
            said.push(line.unwrap().parse().unwrap());
        }
        let pid = Pid::from_raw(tool.id().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
        assert_eq!(tool.wait().unwrap().signal(), Some(9));
        // What it wrote before it was killed, but for half a line.
        said.extend(lines.map_while(Result::ok).filter_map(|line| line.parse::<u64>().ok()));
        let spawned = pids(&finished(&log), "spawn");
        let known = said.len().min(spawned.len());
        assert_eq!(spawned[..known], said[..known], "in trial {trial}");
        assert!(spawned.len() >= said.len(), "{} of {}", spawned.len(), said.len());
    }
}

/// A disk that is full is told once, and stops nobody.
#[test]
fn a_log_that_cannot_be_written() {
    let folder = Folder::new();
    let guest = compiled(&folder);
    let run = ["run", "--allow", "true", "--audit", "/dev/full", &guest, "5"];
    let ended = Ended::of(&offspring().args(run).output().unwrap());
    assert_eq!((ended.code, ended.stdout.lines().count()), (Some(0), 5), "{ended:?}");
    let expected = "offspring: cannot write /dev/full, the component goes on: No space left on \
                    device (os error 28)\noffspring: the audit log has lost lines: 10\n";
    assert_eq!(ended.stderr, expected);
}

#[test]
fn a_log_that_cannot_be_opened() {
    let folder = Folder::new();
    let log = folder.path("missing/audit.jsonl");
    let guest = compiled(&folder);
    let ended = support::run(&["run", "--allow", "true", "--audit", &log, &guest, "5"]);
    ended.fails_with(&format!("cannot open {log}: No such file or directory (os error 2)"));
}
