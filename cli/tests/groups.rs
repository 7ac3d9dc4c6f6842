//! Runs of the tool in cgroups: the host's own move, limits that bite, and what a
//! killed host leaves.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use support::group::Group;
use support::{Ended, Folder, ci};

const POLICY: &str = "
[program.sh]
path = 'sh'
args = 'any'
env = { PATH = '/bin:/usr/bin' }
env-allow = ['*']
cwd = 'preopens'
stdio = ['null', 'piped']
sandbox = 'none'
group = 'steps'

[group.steps]
memory-max = '1G'
pids-max = 256
";

/// The CI runner in a cgroup, with a workflow of its own.
fn runner(group: &Group, folder: &Folder, policy: &str, workflow: &str) -> Command {
    let policy = folder.write("policy.toml", policy);
    folder.write("w.yml", workflow);
    let mut command =
        group.sh("exec \"$1\" run --policy \"$3\" --dir \"$4::/repo\" \"$5\" /repo/w.yml");
    command.args([&policy, &folder.path(""), ci()]);
    command
}

/// The kernel lets no cgroup with controllers have processes, so the host leaves
/// the one that it is in, and says so. At its end everything is as it was.
#[test]
fn the_host_moves_into_a_leaf_and_says_so() {
    let test = "the_host_moves_into_a_leaf_and_says_so";
    let Some(group) = Group::with(test, &["memory", "pids"]) else { return };
    let folder = Folder::new();
    let file = |name: &str| fs::read_to_string(group.path().join(name)).unwrap();
    let workflow = "jobs: {a: {steps: [{run: 'cat /proc/$PPID/cgroup /proc/self/cgroup; \
        cat ${PARENT}/cgroup.subtree_control', env: {PARENT: GROUP}}]}}";
    let workflow = workflow.replace("GROUP", &group.path().display().to_string());
    for _ in 0..2 {
        let ended = Ended::of(&runner(&group, &folder, POLICY, &workflow).output().unwrap());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let said = ended.stderr.strip_prefix("offspring: moved into ").unwrap_or_default();
        let (leaf, why) = said.split_once(", ").unwrap_or_default();
        let expected =
            "because a cgroup with processes of its own can give no controllers to others\n";
        assert_eq!(why, expected, "{ended:?}");
        let place = leaf.strip_suffix("/host").and_then(|place| place.rsplit('/').next());
        let place = place.unwrap_or_else(|| panic!("{ended:?}"));
        assert!(place.starts_with("offspring."), "{ended:?}");
        for inside in ["host\n", "guest.0/group.steps/group.step-0/child."] {
            assert!(ended.stdout.contains(&format!("/{place}/{inside}")), "{inside}: {ended:?}");
        }
        assert!(ended.stdout.contains("memory pids"), "{ended:?}");
        assert!(group.places().is_empty());
        assert_eq!(file("cgroup.subtree_control").trim(), "");
    }
}

/// One row of the runner's table, as words.
fn row<'t>(table: &'t str, step: &str) -> Vec<&'t str> {
    let mut rows = table.lines().filter(|line| line.starts_with(step));
    rows.next_back().unwrap_or_else(|| panic!("{step}: {table}")).split_whitespace().collect()
}

#[test]
fn limits_of_steps_bite_and_show() {
    let test = "limits_of_steps_bite_and_show";
    let Some(group) = Group::with(test, &["cpu", "memory", "pids"]) else { return };
    let workflow = "
jobs:
  a:
    steps:
      - name: hungry
        run: exec dd if=/dev/zero of=/dev/null bs=128M count=1
        limits: {memory: 32M}
        continue-on-error: true
      - name: bomb
        run: i=0; while [ $i -lt 100 ]; do sleep 1000 & i=$((i + 1)); done
        limits: {pids: 16}
        continue-on-error: true
      - name: busy
        run: i=0; while [ $i -lt 10000 ]; do i=$((i + 1)); done
        limits: {cpu: 20%}
      - name: after
        run: echo all others live
";
    let ended = Ended::of(&runner(&group, &Folder::new(), POLICY, workflow).output().unwrap());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("| all others live\n"), "{ended:?}");
    let table = ended.stdout.split_once("\nstep ").unwrap().1;
    // For those who look.
    let _ = write!(std::io::stderr(), "step {table}");

    let hungry = row(table, "a/hungry");
    assert_eq!(hungry[1..5], ["out", "of", "memory", "(allowed)"], "{table}");
    let [.., memory, unit, kills] = hungry[..] else { panic!("{table}") };
    assert_eq!((unit, kills), ("MiB", "1"), "{table}");
    assert!((1.0..=32.0).contains(&memory.parse::<f64>().unwrap()), "{table}");

    assert_eq!(row(table, "a/bomb")[1..4], ["exit", "2", "(allowed)"], "{table}");
    assert!(ended.stdout.contains("ork"), "{ended:?}");

    let [.., throttled, _, _, _, kills] = row(table, "a/busy")[..] else { panic!("{table}") };
    assert!(throttled.parse::<f64>().unwrap() > 0.0 && kills == "0", "{table}");
    let [.., throttled, _, _, _, kills] = row(table, "a/after")[..] else { panic!("{table}") };
    assert_eq!((throttled, kills), ("0", "0"), "{table}");
}

/// The first child of a process.
fn first_child(number: u32) -> u32 {
    let path = format!("/proc/{number}/task/{number}/children");
    let list = fs::read_to_string(path).unwrap();
    list.split_whitespace().next().unwrap().parse().unwrap()
}

fn signal(number: u32, signal: Signal) {
    kill_process(Pid::from_raw(number.cast_signed()).unwrap(), signal).unwrap();
}

/// Every process in a cgroup and beneath it.
fn processes(group: &Path) -> Vec<String> {
    let own = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let mut all: Vec<String> = own.lines().map(str::to_owned).collect();
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            all.extend(processes(&entry.path()));
        }
    }
    all
}

/// Starts the runner and waits for what its step has left in the background.
fn with_a_daemon(group: &Group, folder: &Folder) -> Child {
    let workflow = "jobs: {a: {steps: [{run: '(setsid sh -c \"echo up; exec sleep 1000\" &); \
        exec sleep 1000'}]}}";
    let policy = POLICY.split_once("[group.steps]").unwrap().0.replace("'steps'", "'required'");
    let mut command = runner(group, folder, &policy, workflow);
    let mut tool = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(tool.stdout.as_mut().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.ends_with("| up")), "the tool ended");
    tool
}

#[test]
fn what_a_killed_host_left_is_swept_at_the_next_start() {
    let Some(group) = Group::new("what_a_killed_host_left_is_swept_at_the_next_start") else {
        return;
    };
    let folder = Folder::new();
    let mut tool = with_a_daemon(&group, &folder);
    // All that would clean up if it had a moment.
    let keeper = first_child(tool.id());
    let all = [keeper, tool.id(), first_child(keeper)];
    for number in all {
        signal(number, Signal::STOP);
        let stat = format!("/proc/{number}/stat");
        while !fs::read_to_string(&stat).unwrap().contains(") T ") {
            std::thread::yield_now();
        }
    }
    for number in all {
        // One may end with another.
        let _ = kill_process(Pid::from_raw(number.cast_signed()).unwrap(), Signal::KILL);
    }
    tool.wait().unwrap();
    let places = group.places();
    let [left] = &places[..] else { panic!("{places:?}") };
    assert!(!processes(left).is_empty(), "the daemon lives");

    let ended = Ended::of(&group.sh("exec \"$1\" doctor").output().unwrap());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!left.exists() && processes(group.path()).is_empty());
}

/// A live host's is not.
#[test]
fn what_a_live_host_has_is_left_alone() {
    let Some(group) = Group::new("what_a_live_host_has_is_left_alone") else { return };
    let folder = Folder::new();
    let mut tool = with_a_daemon(&group, &folder);
    let places = group.places();
    let before = processes(&places[0]);
    let ended = Ended::of(&group.sh("exec \"$1\" doctor").output().unwrap());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(group.places(), places);
    assert_eq!(processes(&places[0]), before);
    signal(tool.id(), Signal::TERM);
    tool.wait().unwrap();
    // It has cleaned up after itself.
    assert!(processes(group.path()).is_empty());
}
