//! Where cgroups can be made on a machine that systemd has started: `cargo vm`
//! boots one. What runs here is a service or a scope of systemd's.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use support::group::skip;
use support::{Ended, Folder, ci};

/// A user with a systemd of its own.
const USER: &str = "1000";

/// Whose systemd runs a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manager {
    System,
    User,
}

/// How long a service may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// Whether systemd has started this machine, as root and the user can use it; if
/// not, the test is skipped.
fn has_systemd(test: &str) -> bool {
    let bus = Path::new("/run/user").join(USER).join("systemd/private");
    let yes = Path::new("/run/systemd/system").exists()
        && rustix::process::geteuid().is_root()
        && bus.exists();
    if !yes {
        skip(test, "systemd has not started this machine, or there is no user 1000 with one");
    }
    yes
}

/// Runs a script in a service: `$1` is the tool.
fn service(manager: Manager, properties: &[&str], script: &str) -> Ended {
    let folder = Folder::new();
    fs::set_permissions(folder.as_path(), fs::Permissions::from_mode(0o777)).unwrap();
    let script = folder.write("script", script);
    let mut command = match manager {
        Manager::System => Command::new("systemd-run"),
        Manager::User => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", USER, "--regid", USER, "--clear-groups", "env"]);
            command.arg(format!("XDG_RUNTIME_DIR=/run/user/{USER}"));
            command.args(["systemd-run", "--user"]);
            command
        }
    };
    // Its streams would need a bus, which is not here. Nothing else is in its
    // cgroup as long as it runs.
    let ended = folder.path("ended");
    let code = format!("echo $EXIT_STATUS >{ended}; mv {ended} {}\n", folder.path("code"));
    let code = folder.write("end", code);
    command.args(["--quiet", "--collect"]);
    command.args(properties.iter().flat_map(|property| ["--property", *property]));
    for property in [
        format!("StandardOutput=file:{}", folder.path("stdout")),
        format!("StandardError=file:{}", folder.path("stderr")),
        format!("ExecStopPost=/bin/sh {code}"),
    ] {
        command.args(["--property", &property]);
    }
    command.args(["/bin/sh", &script, env!("CARGO_BIN_EXE_offspring")]);
    let started = Ended::of(&command.output().unwrap());
    assert_eq!(started.code, Some(0), "{started:?} {script}");
    let start = Instant::now();
    while !folder.as_path().join("code").exists() {
        assert!(start.elapsed() < PATIENCE, "the service has not ended");
        sleep(Duration::from_millis(20));
    }
    let read = |name: &str| fs::read_to_string(folder.path(name)).unwrap();
    Ended { code: read("code").trim().parse().ok(), stdout: read("stdout"), stderr: read("stderr") }
}

/// What the doctor says of cgroups in a service.
fn doctor(manager: Manager, properties: &[&str], before: &str) -> String {
    let script = format!(
        "XDG_RUNTIME_DIR=/run/user/$(id -u); export XDG_RUNTIME_DIR\n\
         {before} \"$1\" doctor"
    );
    let ended = service(manager, properties, &script);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{ended:?}");
    let (_, said) = ended.stdout.split_once("cgroups: ").unwrap();
    said.to_owned()
}

#[track_caller]
fn has(said: &str, lines: &[&str]) {
    for line in lines {
        assert!(said.contains(line), "{line}: {said}");
    }
}

/// A command that it says would mend what it tells: the first or another one.
#[track_caller]
fn remedy(said: &str, number: usize) -> String {
    let line = said.lines().find(|line| line.starts_with("  to mend it, "));
    let line = line.unwrap_or_else(|| panic!("no remedy: {said}"));
    line.split('`').nth(2 * number + 1).expect("a command").to_owned()
}

/// The command that it says, to be put before the tool.
#[track_caller]
fn scope(said: &str) -> String {
    let command = remedy(said, 0);
    let before = command.strip_suffix(" offspring ...").expect("a command before the tool");
    format!("exec {}", before.replace("systemd-run ", "systemd-run --quiet "))
}

const ALL: [&str; 5] = ["yes cpu: ", "yes cpuset: ", "yes io: ", "yes memory: ", "yes pids: "];

#[test]
fn a_service_with_delegation() {
    if !has_systemd("a_service_with_delegation") {
        return;
    }
    for user in [&["Delegate=yes"][..], &["Delegate=yes", "User=1000"]] {
        let said = doctor(Manager::System, user, "exec");
        has(&said, &ALL);
        has(&said, &["/system.slice/run-", ".service/offspring.", "  moved into a leaf of it"]);
        assert!(!said.contains("to mend it"), "{said}");
    }
}

/// Nothing is done to a cgroup that is systemd's.
#[test]
fn a_service_without_delegation() {
    if !has_systemd("a_service_without_delegation") {
        return;
    }
    let said = doctor(Manager::System, &["User=1000"], "exec");
    has(&said, &["none can be made, because the cgroup ", " is not delegated to this user"]);
    let remedies = "to mend it, run it in a scope of its own: `systemd-run --user --scope -p \
         Delegate=yes offspring ...`, or set `Delegate=yes` in the unit of the service";
    has(&said, &[remedies]);
    // What it says of the unit.
    let mended = doctor(Manager::System, &["User=1000", &remedy(&said, 1)], "exec");
    has(&mended, &ALL);
    // Root may write everywhere.
    let said = doctor(Manager::System, &[], "exec");
    has(&said, &["children are put beneath ", "no  memory: ", " is not delegated", "Delegate=yes"]);
    assert!(!said.contains("moved"), "{said}");
    has(&said, &["(without --user as root)"]);
    let mended = doctor(Manager::System, &[], &scope(&said).replace("--user ", ""));
    has(&mended, &ALL);
    has(&mended, &[".scope/offspring.", "  moved into a leaf of it"]);
    assert!(!mended.contains("to mend it"), "{mended}");
}

/// One that was given some.
#[test]
fn a_service_with_some_controllers() {
    if !has_systemd("a_service_with_some_controllers") {
        return;
    }
    // The others are those that the slice has besides.
    let said = doctor(Manager::System, &["Delegate=pids"], "exec");
    has(&said, &["yes pids: ", "no  cpuset: ", "does not have them"]);
    let mended = doctor(Manager::System, &[&remedy(&said, 0)], "exec");
    has(&mended, &ALL);
    assert!(!mended.contains("to mend it"), "{mended}");
}

/// The command of the doctor's, and then the other one, for what that did not
/// bring: systemd gives some controllers to users, and not all.
#[test]
fn a_scope_of_a_user() {
    if !has_systemd("a_scope_of_a_user") {
        return;
    }
    // As whoever may make no cgroup is told.
    let told = doctor(Manager::System, &["User=1000"], "exec");
    let scope = &scope(&told);
    let said = doctor(Manager::User, &[], scope);
    has(&said, &["children are put beneath /sys/fs/cgroup/user.slice/user-1000.slice/user@1000."]);
    has(&said, &[".scope/offspring.", "yes memory: ", "yes pids: ", "yes cpu: ", "no  io: "]);
    has(&said, &["  moved into a leaf of it", "no  cpuset: ", "does not have them"]);
    let (_, mended) =
        said.split_once("to mend it, let systemd give them to users, as root: `").unwrap();
    let (command, _) = mended.split_once('`').unwrap();
    let restart = "systemctl daemon-reload && systemctl restart user@1000.service";
    let shell =
        |script: &str| Ended::of(&Command::new("sh").args(["-ec", script]).output().unwrap());
    let ended = shell(&format!("{command}\n{restart}"));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let said = doctor(Manager::User, &[], scope);
    has(&said, &ALL);
    assert!(!said.contains("to mend it"), "{said}");

    // A run there has its groups with their limits.
    let folder = Folder::new();
    let policy = "[program.sh]\npath = 'sh'\nargs = 'any'\nenv = { PATH = '/bin' }\n\
        env-allow = ['*']\ncwd = 'preopens'\nstdio = ['null', 'piped']\nsandbox = 'none'\ngroup = 'steps'\n\
        [group.steps]\nmemory-max = '64M'\npids-max = 16\ncpu-max = '50%'\nio-weight = 50\n\
        cpuset-cpus = '0'\n";
    let policy = folder.write("policy.toml", policy);
    let steps = "jobs: {a: {steps: [{run: 'cat /proc/self/cgroup; grep Cpus_allowed_list \
         /proc/self/status'}]}}";
    folder.write("w.yml", steps);
    let run = format!(
        "XDG_RUNTIME_DIR=/run/user/1000; export XDG_RUNTIME_DIR\n\
         {scope} \"$1\" run --policy {policy} --dir {}::/repo {} /repo/w.yml",
        folder.path(""),
        ci()
    );
    let ended = service(Manager::User, &[], &run);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    has(&ended.stdout, &[".scope/offspring.", "/guest.0/group.steps/", "Cpus_allowed_list:\t0\n"]);
}
