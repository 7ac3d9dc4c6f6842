//! `offspring run` with a policy that takes from children what the host has.

mod support;

use std::io::Write;

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
