//! Where cgroups can be made, on every kind of machine: what `offspring doctor`
//! says of it, that its command mends what is missing, and that runs go on where
//! they may.
//!
//! Machines are played by mount and cgroup namespaces, so most of it needs root.
//! `cargo vm` runs all of it, on real machines of each kind: see `tests/vm`.

mod support;

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, openat};
use support::group::{Group, USER, is_root, skip};
use support::{Ended, Folder, ci};

const CONTROLLERS: [&str; 5] = ["cpu", "cpuset", "io", "memory", "pids"];

/// What the doctor says of cgroups.
#[derive(Debug)]
struct Said(Vec<String>);

impl Said {
    /// Everything that it says when a command runs it, once or more often.
    fn all(command: &mut Command) -> Vec<Said> {
        let ended = Ended::of(&command.output().unwrap());
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{ended:?}");
        let mut said: Vec<Said> = Vec::new();
        let mut is_of_cgroups = false;
        for line in ended.stdout.lines() {
            match (line.starts_with("cgroups: "), line.starts_with("  "), said.last_mut()) {
                (true, _, _) => said.push(Said(vec![line.to_owned()])),
                (false, true, Some(last)) if is_of_cgroups => last.0.push(line.to_owned()),
                (false, _, _) => {}
            }
            is_of_cgroups =
                line.starts_with("cgroups: ") || is_of_cgroups && line.starts_with("  ");
        }
        said
    }

    fn one(command: &mut Command) -> Said {
        let mut all = Said::all(command);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    #[track_caller]
    fn has(&self, line: &str) {
        assert!(self.0.iter().any(|said| said.contains(line)), "{line}: {self:#?}");
    }

    #[track_caller]
    fn has_not(&self, line: &str) {
        assert!(!self.0.iter().any(|said| said.contains(line)), "{line}: {self:#?}");
    }

    /// That a place was found, with these controllers and no others.
    #[track_caller]
    fn found(&self, place: &str, controllers: &[&str]) {
        assert!(self.0[0].starts_with("cgroups: children are put beneath "), "{self:#?}");
        assert!(self.0[0].contains(place), "{place}: {self:#?}");
        self.has("  yes a child is killed with everything that it started");
        for name in CONTROLLERS {
            let word = if controllers.contains(&name) { "yes" } else { "no " };
            self.has(&format!("  {word} {name}: "));
        }
    }

    /// That there is none, and why.
    #[track_caller]
    fn none(&self, why: &str) {
        assert_eq!(self.0[0], format!("cgroups: none can be made, because {why}"), "{self:#?}");
        self.has("  no  what left a child's process group is killed at the same moment");
        self.has("  no  groups of a policy that are required are an error");
    }

    /// The first command that would mend it.
    #[track_caller]
    fn remedy(&self) -> String {
        let line = self.0.iter().find(|line| line.starts_with("  to mend it, "));
        let line = line.unwrap_or_else(|| panic!("no remedy: {self:#?}"));
        line.split('`').nth(1).expect("a command").to_owned()
    }
}

/// A shell with a mount namespace of its own, and `$1` for the tool.
fn namespace(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-ec", script, "sh"]);
    command.arg(env!("CARGO_BIN_EXE_offspring")).stdin(std::process::Stdio::null());
    command
}

/// Whether systemd has started this machine.
fn has_systemd() -> bool {
    fs::exists("/run/systemd/system").unwrap()
}

/// Takes all cgroups of version 2 away.
const WITHOUT_VERSION_2: &str = "awk '$3 == \"cgroup2\" {print $2}' /proc/self/mounts |
    sort -r | while read -r at; do umount -l \"$at\"; done\n";

/// Runs the command that the doctor says, and asks again.
const MEND: &str = "\"$1\" doctor
    eval \"$(\"$1\" doctor | sed -n 's/^  to mend it, [^`]*`\\([^`]*\\)`.*/\\1/p')\"
    \"$1\" doctor\n";

#[test]
fn version_1_alone() {
    let test = "version_1_alone";
    if !is_root(test) || has_systemd() {
        return skip(test, "systemd would decide what is mounted, or this is not root");
    }
    // As such machines have it; on one, it is there.
    let script = "
        if ! awk '$3 == \"cgroup\" {exit found = 1} END {exit !found}' /proc/self/mounts; then
          mount -t tmpfs none /sys/fs/cgroup
          mkdir /sys/fs/cgroup/one
          mount -t cgroup -o none,name=offspring none /sys/fs/cgroup/one
        fi\n";
    let said = Said::all(&mut namespace(&format!("{WITHOUT_VERSION_2}{script}{MEND}")));
    let [before, after] = &said[..] else { panic!("{said:#?}") };
    before.none("only cgroups of version 1 are mounted");
    let mount = "mount -t cgroup2 none /sys/fs/cgroup/unified";
    assert_eq!(before.remedy(), format!("mkdir -p /sys/fs/cgroup/unified && {mount}"));
    assert!(after.0[0].contains(" /sys/fs/cgroup/unified/"), "{after:#?}");
}

#[test]
fn no_cgroups_at_all() {
    let test = "no_cgroups_at_all";
    if !is_root(test) || has_systemd() {
        return skip(test, "systemd would decide what is mounted, or this is not root");
    }
    let script = "awk '$3 == \"cgroup\" {print $2}' /proc/self/mounts |
        sort -r | while read -r at; do umount -l \"$at\"; done\n";
    let said = Said::all(&mut namespace(&format!("{WITHOUT_VERSION_2}{script}{MEND}")));
    let [before, after] = &said[..] else { panic!("{said:#?}") };
    before.none("no cgroups of version 2 are mounted");
    assert_eq!(before.remedy(), "mount -t cgroup2 none /sys/fs/cgroup");
    assert!(after.0[0].contains(" /sys/fs/cgroup/"), "{after:#?}");
}

/// Version 2 beside version 1, which has the controllers.
#[test]
fn hybrid() {
    let Some(group) = Group::new("hybrid") else { return };
    if CONTROLLERS.iter().any(|name| group.has(name)) {
        return skip("hybrid", "the controllers are those of version 2");
    }
    // Its own, so that no other test sweeps there.
    let said = Said::one(&mut group.sh("exec \"$1\" doctor"));
    said.found(&format!("{}/offspring.", group.path().display()), &[]);
    said.has_not("moved");
    if said.0.iter().any(|line| line.contains("does not have them")) {
        return skip("hybrid", "this is a container, which cannot tell");
    }
    said.has("because they are not offered to cgroups of version 2");
    assert_eq!(said.remedy(), "cgroup_no_v1=all");
}

/// Whether the tool can be executed by a user who has nothing.
fn may_execute(test: &str) -> bool {
    let mut check = Command::new("setpriv");
    check.args(["--reuid", &USER.to_string(), "--regid", &USER.to_string(), "--clear-groups"]);
    let yes = check.args([env!("CARGO_BIN_EXE_offspring"), "--version"]).output();
    let yes = yes.is_ok_and(|output| output.status.success());
    if !yes {
        skip(test, "another user may not execute the tool where it is");
    }
    yes
}

/// To be put before the tool.
const AS_USER: &str = "setpriv --reuid 54321 --regid 54321 --clear-groups";

#[test]
fn no_permission() {
    let test = "no_permission";
    if !is_root(test) || !may_execute(test) || has_systemd() {
        return skip(test, "root plays a user here, on a machine without systemd");
    }
    let Some(group) = Group::new(test) else { return };
    let path = group.path().display();
    let said = Said::one(&mut group.sh(&format!("exec {AS_USER} \"$1\" doctor")));
    said.none(&format!("the cgroup {path} is not delegated to this user"));
    // Root does what it says to the user's shell.
    let remedy = said.remedy();
    assert!(remedy.starts_with(&format!("mkdir {path}/offspring && chown {USER} ")), "{remedy}");
    let remedy = remedy.replace("SHELL", "$$");
    let said = Said::one(&mut group.sh(&format!("{remedy}\nexec {AS_USER} \"$1\" doctor")));
    // The controllers would have to be given to it, too.
    let place = format!("{path}/offspring/offspring.");
    said.found(&place, &[]);
    said.has("  what is missing cannot be limited, because ");
    if !CONTROLLERS.iter().all(|name| group.has(name)) {
        return;
    }
    // Root does that as well.
    fs::remove_dir(group.path().join("offspring")).unwrap();
    let script = format!("{remedy}\n{}\nexec {AS_USER} \"$1\" doctor", said.remedy());
    let said = Said::one(&mut group.sh(&script));
    said.found(&place, &CONTROLLERS);
    said.has("  moved into a leaf of it, so that controllers can be enabled");
    said.has_not("to mend it");
}

/// A user may make cgroups where it is, and nothing else.
#[test]
fn controllers_that_may_not_be_enabled() {
    let test = "controllers_that_may_not_be_enabled";
    if !is_root(test) || !may_execute(test) || has_systemd() {
        return skip(test, "root plays a user here, on a machine without systemd");
    }
    let Some(group) = Group::with(test, &CONTROLLERS) else { return };
    for file in ["", "cgroup.procs"] {
        chown(group.path().join(file), Some(USER), Some(USER)).unwrap();
    }
    let path = group.path().display();
    let said = Said::one(&mut group.sh(&format!("exec {AS_USER} \"$1\" doctor")));
    said.found(&format!("{path}/offspring."), &[]);
    said.has(&format!("because the cgroup {path} is not delegated to this user"));
    said.has_not("moved");
    // Then the user is alone, in a cgroup that nothing was given to.
    let remedy = said.remedy().replace("offspring ...", "\"$0\" doctor");
    let remedy = remedy.replace("doctor'", "doctor' \"$0\"");
    let script = format!("exec {AS_USER} sh -ec \"$3\" \"$1\"");
    let said = Said::one(group.sh(&script).arg(remedy));
    said.found(&format!("{path}/offspring/offspring."), &[]);
    said.has(&format!("because the cgroup {path}/offspring does not have them"));
}

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
mode = 'MODE'
";

/// Where no cgroup can be made, what needs one is an error, and what only prefers
/// one runs. Then those that left everything else are killed when the run ends.
#[test]
fn required_and_preferred_where_there_are_none() {
    let test = "required_and_preferred_where_there_are_none";
    if !is_root(test) || !may_execute(test) {
        return;
    }
    let Some(group) = Group::new(test) else { return };
    let folder = Folder::new();
    // Two sessions, one of which has lost its parent, and one hung on a fifo.
    folder.write(
        "w.yml",
        "jobs: {a: {steps: [{run: 'exec 9>lifeline; (setsid sleep 1000 &) ; \
         setsid sh -c \"trap \\\"\\\" TERM HUP; sleep 1000\" & echo ran'}]}}",
    );
    let lifeline = folder.path("lifeline");
    mknodat(CWD, &lifeline, FileType::Fifo, Mode::from(0o666), 0).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    fs::set_permissions(&lifeline, mode).unwrap();
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut reader: File = openat(CWD, &lifeline, flags, Mode::empty()).unwrap().into();

    let run = |mode: &str| {
        let policy = folder.write("policy.toml", POLICY.replace("MODE", mode));
        let script = format!(
            "exec {AS_USER} \"$1\" run --policy \"$3\" --dir \"$4::/repo\" \
             \"$5\" /repo/w.yml"
        );
        let mut command = group.sh(&script);
        command.args([&policy, &folder.path(""), ci()]);
        (policy, Ended::of(&command.output().unwrap()))
    };
    let (policy, ended) = run("required");
    assert_eq!((ended.code, &*ended.stdout), (Some(125), ""), "{ended:?}");
    let path = group.path().display();
    let start = format!(
        "offspring: {policy}:12:8: cannot make the group `steps`: the cgroup {path} is not \
         delegated to this user; to mend it, "
    );
    assert!(ended.stderr.starts_with(&start) && ended.stderr.contains('`'), "{ended:?}");

    let (_, ended) = run("preferred");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("| ran\n"), "{ended:?}");
    // A pipe that has had a writer and has none any more is at its end.
    let mut fds = [PollFd::new(&reader, PollFlags::empty())];
    let patience = Timespec { tv_sec: 60, tv_nsec: 0 };
    assert_eq!(poll(&mut fds, Some(&patience)).unwrap(), 1, "a process lives on");
    assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    assert!(group.places().is_empty());
}

/// A container as its runtime makes it: a cgroup namespace whose root is its own
/// cgroup, a mount of it, and a process-id namespace.
fn container(group: &Path, options: &str, then: &str) -> Command {
    let inside =
        format!("{WITHOUT_VERSION_2}mount -t cgroup2 {options} none /sys/fs/cgroup\n{then}");
    let mut command = Command::new("unshare");
    // The first process of the container is alone in its cgroup, because the one
    // that waits for it is outside.
    let enter = "echo 0 > \"$2/cgroup.procs\"
        exec unshare --cgroup --mount --propagation private sh -ec \"$3\" sh \"$1\"";
    command.args(["--pid", "--fork", "--mount-proc", "sh", "-ec", enter, "sh"]);
    command.arg(env!("CARGO_BIN_EXE_offspring")).arg(group).arg(inside);
    command.stdin(std::process::Stdio::null());
    command
}

#[test]
fn container_with_its_own_namespace() {
    let test = "container_with_its_own_namespace";
    if !is_root(test) {
        return;
    }
    let Some(group) = Group::new(test) else { return };
    let controllers: Vec<&str> = CONTROLLERS.into_iter().filter(|name| group.has(name)).collect();
    let said = Said::one(&mut container(group.path(), "-o rw", "exec \"$1\" doctor"));
    said.found("/sys/fs/cgroup/offspring.1.0", &controllers);
    match controllers.is_empty() {
        true => {
            said.has("because the cgroup /sys/fs/cgroup does not have them");
            assert_eq!(said.remedy(), "offspring doctor");
        }
        // It is the root of its namespace, so it was given to it.
        false => said.has("  moved into a leaf of it, so that controllers can be enabled"),
    }
}

/// What it lacks is told outside, and given to it there.
#[test]
fn container_that_was_given_no_controllers() {
    let test = "container_that_was_given_no_controllers";
    if !is_root(test) || has_systemd() {
        return skip(test, "systemd decides who has controllers, or this is not root");
    }
    let Some(group) = Group::with(test, &CONTROLLERS) else { return };
    let its_own = group.path().join("container");
    fs::create_dir(&its_own).unwrap();
    let ask = || Said::one(&mut container(&its_own, "-o rw", "exec \"$1\" doctor"));
    let said = ask();
    said.found("/sys/fs/cgroup/offspring.1.0", &[]);
    said.has("because the cgroup /sys/fs/cgroup does not have them");
    assert_eq!(said.remedy(), "offspring doctor");
    let outside = "echo 0 > \"$2/container/cgroup.procs\"; exec \"$1\" doctor";
    let remedy = Said::one(&mut group.sh(outside)).remedy();
    let done = Command::new("sh").args(["-ec", &remedy]).status().unwrap();
    assert!(done.success(), "{remedy}");
    let said = ask();
    said.found("/sys/fs/cgroup/offspring.1.0", &CONTROLLERS);
    said.has_not("to mend it");
}

#[test]
fn container_that_may_only_read() {
    let test = "container_that_may_only_read";
    if !is_root(test) {
        return;
    }
    let Some(group) = Group::new(test) else { return };
    // What the options of its runtime that the doctor names do.
    let then = "\"$1\" doctor\nmount -o remount,rw /sys/fs/cgroup\nexec \"$1\" doctor";
    let said = Said::all(&mut container(group.path(), "-o ro", then));
    let [before, after] = &said[..] else { panic!("{said:#?}") };
    before.none("the cgroup /sys/fs/cgroup is mounted read-only");
    let podman = "podman run --cgroupns=private --security-opt unmask=/sys/fs/cgroup";
    assert_eq!(before.remedy(), podman);
    before.has("`docker run --cgroupns=private --privileged`");
    assert!(after.0[0].contains(" /sys/fs/cgroup/offspring."), "{after:#?}");
}

/// Those above have not enabled them.
#[test]
fn controllers_that_are_not_given() {
    let test = "controllers_that_are_not_given";
    let Some(group) = Group::with(test, &CONTROLLERS) else { return };
    if has_systemd() {
        return skip(test, "systemd decides who has controllers");
    }
    // So that the one above has no processes.
    let script = "mkdir \"$2/mine\"; echo 0 > \"$2/mine/cgroup.procs\"
        set -- \"$1\" \"$2/mine\"\n";
    let said = Said::one(&mut group.sh(&format!("{script} exec \"$1\" doctor")));
    let mine = group.path().join("mine").display().to_string();
    said.found(&format!("{mine}/offspring."), &[]);
    said.has(&format!("because the cgroup {mine} does not have them"));
    fs::remove_dir(&mine).unwrap();
    let said = Said::one(&mut group.sh(&format!("{script} {}\nexec \"$1\" doctor", said.remedy())));
    said.found(&format!("{mine}/offspring."), &CONTROLLERS);
    said.has("  moved into a leaf of it, so that controllers can be enabled");
    said.has_not("to mend it");
}

/// A cgroup with others in it stays as it is, and so do we.
#[test]
fn not_alone() {
    let test = "not_alone";
    let Some(group) = Group::with(test, &CONTROLLERS) else { return };
    if has_systemd() {
        return skip(test, "systemd owns the cgroup");
    }
    let script = "sleep 1000 & \"$1\" doctor; code=$?; kill $!; exit $code";
    let said = Said::one(&mut group.sh(script));
    said.found(&format!("{}/offspring.", group.path().display()), &[]);
    said.has(&format!(
        "because the cgroup {} has other processes in it too",
        group.path().display()
    ));
    said.has_not("moved");
    let enabled = fs::read_to_string(group.path().join("cgroup.subtree_control")).unwrap();
    assert_eq!(enabled.trim(), "");
    // In one of its own beneath this one it is alone, once the controllers are
    // given to that.
    let remedy = said.remedy().replace("offspring ...", "\"$1\" doctor");
    let remedy = remedy.replace("exec \"$1\"", "exec \"$0\"").replace("doctor'", "doctor' \"$1\"");
    let said = Said::one(&mut group.sh(&remedy));
    said.found(&format!("{}/offspring/offspring.", group.path().display()), &[]);
    said.has(&format!("{}/cgroup.subtree_control", group.path().display()));
}

/// One that has processes and has enabled `cpu` for those beneath it.
#[test]
fn threaded() {
    let test = "threaded";
    let Some(group) = Group::with(test, &["cpu"]) else { return };
    let script = "echo +cpu > \"$2/cgroup.subtree_control\"\n";
    let said = Said::all(&mut group.sh(&format!("{script}{MEND}")));
    let [before, after] = &said[..] else { panic!("{said:#?}") };
    let path = group.path().display();
    before.none(&format!("the cgroup {path} is, or lies beneath, a threaded one"));
    after.found(&format!("{path}/offspring."), &[]);
}
