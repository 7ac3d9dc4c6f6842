//! What a process is, as far as a child that shares its memory could change it.

use std::fs;

use rustix::process::{DumpableBehavior, dumpable_behavior};

/// What a process is.
#[derive(Debug, PartialEq, Eq)]
pub struct State {
    dumpable: DumpableBehavior,
    status: Vec<String>,
    root: std::path::PathBuf,
    cwd: std::path::PathBuf,
    mounts: String,
    limits: String,
    oom_score_adj: String,
    name: String,
}

impl State {
    /// What this one is now.
    pub fn now() -> State {
        let read = |file| fs::read_to_string(format!("/proc/thread-self/{file}")).unwrap();
        let keys = [
            "Umask",
            "Uid",
            "Gid",
            "Groups",
            "NStgid",
            "NSpid",
            "NSpgid",
            "NSsid",
            "CapInh",
            "CapPrm",
            "CapEff",
            "CapBnd",
            "CapAmb",
            "NoNewPrivs",
            "Seccomp",
            "SigBlk",
            "SigIgn",
            "SigCgt",
        ];
        let status = read("status");
        let is_kept = |line: &&str| keys.contains(&line.split(':').next().unwrap_or_default());
        State {
            dumpable: dumpable_behavior().unwrap(),
            status: status.lines().filter(is_kept).map(str::to_owned).collect(),
            root: fs::read_link("/proc/thread-self/root").unwrap(),
            cwd: fs::read_link("/proc/thread-self/cwd").unwrap(),
            mounts: read("mountinfo"),
            limits: read("limits"),
            oom_score_adj: read("oom_score_adj"),
            name: read("comm"),
        }
    }
}
