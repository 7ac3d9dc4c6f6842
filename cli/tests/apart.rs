//! `offspring run` with a policy that takes from children what the host has.

mod support;

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, openat};
use rustix::process::{Pid, Signal, kill_process};
use support::{Folder, ci, offspring, run};

const POLICY: &str = "
[program.sh]
path = 'sh'
args = 'any'
env = { PATH = '/usr/bin:/bin' }
env-allow = ['*']
cwd = 'preopens'
stdio = ['piped']
namespaces = ['pid', 'net']
view = 'guest'
sandbox = { execute = ['/bin', '/usr'], best-effort = ['truncate', 'device-ioctl', 'signals'] }
";

#[test]
fn a_step_sees_the_guests_files_and_nothing_else() {
    let folder = Folder::new();
    let policy = folder.write("policy.toml", POLICY);
    folder.write("data", "of the host\n");
    let script = format!(
        "cat /repo/data; pwd; echo one $$; test -e {} || echo nothing; ls -d /proc/1; echo new > made",
        folder.path("data")
    );
    let workflow = format!("jobs: {{a: {{steps: [{{run: '{script}'}}]}}}}");
    folder.write("w.yml", workflow);
    let dir = format!("{}::/repo", folder.path(""));
    let ended = run(&["run", "--policy", &policy, "--dir", &dir, ci(), "--", "/repo/w.yml"]);
    if ended.stderr.contains("cannot have namespaces of its own") {
        let name = "a_step_sees_the_guests_files_and_nothing_else";
        let _ = writeln!(std::io::stderr(), "SKIPPED {name}: {}", ended.stderr);
        return;
    }
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for line in ["of the host", "/repo", "one 1", "nothing", "/proc/1"] {
        assert!(ended.stdout.contains(line), "{line}\n{ended:?}");
    }
    assert_eq!(std::fs::read_to_string(folder.path("made")).unwrap(), "new\n");
}

/// What no child can have anyway is taken from the tool instead of from each.
#[test]
fn a_tool_keeps_what_a_child_may_have() {
    let name = "a_tool_keeps_what_a_child_may_have";
    let bounding_set = |pid: &str| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
        line.unwrap().trim().to_owned()
    };
    let ours = bounding_set("self");
    let none = "0000000000000000";
    if !rustix::process::geteuid().is_root() || ours == none {
        support::skip(name, "there is no capability to lose");
        return;
    }
    let sandbox = "sandbox = { read = ['/proc'], execute = ['/bin', '/usr']";
    let policy = POLICY.replace("namespaces = ['pid', 'net']\nview = 'guest'\n", "");
    let others = [("", none), (", without = ['capabilities']", &*ours)];
    for (without, expected) in others {
        let folder = Folder::new();
        let policy = policy.replace("sandbox = { execute = ['/bin', '/usr']", sandbox);
        let policy = policy.replace("'/usr'],", &format!("'/usr']{without},"));
        let policy = folder.write("policy.toml", policy);
        let script = "cat /proc/$PPID/status";
        folder.write("w.yml", format!("jobs: {{a: {{steps: [{{run: '{script}'}}]}}}}"));
        let dir = format!("{}::/repo", folder.path(""));
        let ended = run(&["run", "--policy", &policy, "--dir", &dir, ci(), "--", "/repo/w.yml"]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stdout.contains(&format!("CapBnd:\t{expected}")), "{ended:?}");
    }
}

/// Without cgroups, and without a group or a session that could be found again.
#[test]
fn a_killed_tool_leaves_nothing_of_a_process_id_namespace() {
    let folder = Folder::new();
    let policy = folder.write("policy.toml", POLICY.replace("view = 'guest'\n", ""));
    let fifo = |name: &str| {
        let path = folder.path(name);
        mknodat(CWD, &path, FileType::Fifo, Mode::from(0o666), 0).unwrap();
        path
    };
    let [lifeline, block] = ["lifeline", "block"].map(fifo);
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let held: File = openat(CWD, &lifeline, flags, Mode::empty()).unwrap().into();
    // An orphan, and its parent, with nothing but the shell itself.
    let wait = format!("while :; do read -r _ < {block}; done");
    let script = format!("exec 9>{lifeline}; (({wait}) &); echo open; {wait}");
    let workflow = format!("jobs: {{a: {{steps: [{{run: '{script}'}}]}}}}");
    folder.write("w.yml", workflow);
    let dir = format!("{}::/repo", folder.path(""));
    for victim in ["guardian", "keeper", "program"] {
        let mut tool = offspring()
            .args(["run", "--policy", &policy, "--dir", &dir, ci(), "--", "/repo/w.yml"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(tool.stdout.as_mut().unwrap());
        if !out.lines().map_while(Result::ok).any(|line| line.contains("| open")) {
            let ended = support::Ended::of(&tool.wait_with_output().unwrap());
            assert!(ended.stderr.contains("cannot have namespaces of its own"), "{ended:?}");
            let name = "a_killed_tool_leaves_nothing_of_a_process_id_namespace";
            let _ = writeln!(std::io::stderr(), "SKIPPED {name}: {}", ended.stderr);
            return;
        }
        let child_of = |number: u32| -> u32 {
            let list = format!("/proc/{number}/task/{number}/children");
            let list = std::fs::read_to_string(list).unwrap();
            list.split_whitespace().next().unwrap().parse().unwrap()
        };
        let number = match victim {
            "guardian" => tool.id(),
            "keeper" => child_of(tool.id()),
            _ => child_of(child_of(tool.id())),
        };
        kill_process(Pid::from_raw(number.cast_signed()).unwrap(), Signal::KILL).unwrap();
        tool.wait().unwrap();
        let mut ended = [PollFd::new(&held, PollFlags::empty())];
        let minute = Timespec { tv_sec: 60, tv_nsec: 0 };
        assert_eq!(poll(&mut ended, Some(&minute)), Ok(1), "killed was the {victim}");
    }
}

#[test]
fn what_is_not_there_is_told_with_its_place() {
    let folder = Folder::new();
    let policy = folder.write("p.toml", "[program.a]\npath = 'true'\nuser = 'no such user'\n");
    let mut tool = offspring();
    let output = tool.args(["run", "--policy", &policy, ci()]).output().unwrap();
    let expected = "\"inherit\", or the name or the number of a user";
    support::Ended::of(&output)
        .fails_with(&format!("{policy}:3:8: `user` must be {expected}, not \"no such user\""));
    let policy = folder.write("p.toml", "[program.a]\npath = 'true'\nuser = 'nobody-at-all'\n");
    let output = offspring().args(["run", "--policy", &policy, ci()]).output().unwrap();
    let why = "there is no user `nobody-at-all` in /etc/passwd";
    support::Ended::of(&output)
        .fails_with(&format!("{policy}:3:8: `a` cannot run as another user: {why}"));
}
