//! The CI runner, whose steps are real processes.

mod support;

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use support::{Ended, Folder, ci, offspring, run};

/// A shell and a few programs, which may do what the runner asks for.
const POLICY: &str = r#"
[program.sh]
path = "/bin/sh"
args = "any"
env = { PATH = "/bin:/usr/bin" }
env-allow = ["*"]
cwd = "preopens"
stdio = ["piped"]
deadline = "60s"
sandbox.execute = ["/bin", "/usr"]
"#;

/// The runner on a workflow of its own, in a directory that it knows as
/// `/repo`.
fn runner(folder: &Folder, workflow: &str) -> Command {
    let policy = folder.write("policy.toml", POLICY);
    folder.write("w.yml", workflow);
    let dir = format!("{}::/repo", folder.path(""));
    let mut tool = offspring();
    tool.args(["run", "--policy", &policy, "--dir", &dir]);
    tool
}

fn workflow(folder: &Folder, text: &str) -> Ended {
    let mut tool = runner(folder, text);
    Ended::of(&tool.args([ci(), "--", "/repo/w.yml"]).output().unwrap())
}

#[test]
fn passes_when_all_pass() {
    let ended = workflow(&Folder::new(), "jobs: {a: {steps: [{name: one, run: echo hello}]}}");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("a/one | hello\n"), "{ended:?}");
}

#[test]
fn fails_when_one_fails_and_tells_how() {
    let text = "
jobs:
  a:
    steps:
      - {name: code, run: exit 3, continue-on-error: true}
      - {name: signal, run: kill -9 $$, continue-on-error: true}
      - {name: late, run: sleep 1000, timeout-minutes: 0.002, continue-on-error: true}
      - {name: refused, shell: none, run: git status, continue-on-error: true}
      - {name: last, run: exit 1}
      - {name: after, run: echo never}
";
    let ended = workflow(&Folder::new(), text);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let rows = ended.stdout.lines().skip_while(|line| !line.starts_with("step "));
    let rows: Vec<String> =
        rows.map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for expected in [
        "a/code exit 3 (allowed)",
        "a/signal SIGKILL (allowed)",
        "a/late deadline (allowed)",
        "a/refused denied",
        "a/last exit 1",
        "a/after skipped",
    ] {
        assert!(rows.iter().any(|row| row.starts_with(expected)), "{expected}: {ended:?}");
    }
    assert!(!ended.stdout.contains("never\n"), "{ended:?}");
}

#[test]
fn output_comes_while_the_step_runs() {
    let folder = Folder::new();
    // The step ends when it sees what we do after we have seen its first line.
    let text = "
jobs:
  a:
    steps:
      - run: echo first; while [ ! -e seen ]; do sleep 0.01; done; echo second
";
    let mut tool = runner(&folder, text);
    let tool = tool.args([ci(), "--", "/repo/w.yml"]).stdout(Stdio::piped());
    let mut tool: Child = tool.spawn().unwrap();
    let mut lines = BufReader::new(tool.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.ends_with("| first")));
    folder.write("seen", "");
    assert!(lines.any(|line| line.ends_with("| second")));
    lines.for_each(drop);
    assert!(tool.wait().unwrap().success());
}

#[test]
fn jobs_run_at_the_same_time() {
    // Each waits for the other.
    let text = "
jobs:
  a: {steps: [{run: 'touch a; while [ ! -e b ]; do sleep 0.01; done'}]}
  b: {steps: [{run: 'touch b; while [ ! -e a ]; do sleep 0.01; done'}]}
";
    let ended = workflow(&Folder::new(), text);
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn a_step_feeds_the_next_through_the_kernel() {
    // Both ends are one pipe, so nothing is in between.
    let text = "
jobs:
  a:
    steps:
      - {id: out, run: 'p=$(readlink /proc/$$/fd/1); echo $p >&2; echo $p'}
      - {name: in, stdin: steps.out.stdout, run: 'cat; p=$(readlink /proc/$$/fd/0); echo $p'}
";
    let ended = workflow(&Folder::new(), text);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let pipes = ended.stdout.split_whitespace().filter(|word| word.starts_with("pipe:["));
    let pipes: Vec<_> = pipes.collect();
    assert_eq!(pipes.len(), 3, "{ended:?}");
    assert!(pipes.iter().all(|pipe| *pipe == pipes[0]), "{ended:?}");
}

#[test]
fn a_bad_file_runs_nothing() {
    let folder = Folder::new();
    for (text, problem) in [
        ("jobs: [", "/repo/w.yml:"),
        ("jobs: {a: {steps: [{rnu: touch ran}]}}", "did you mean `run`?"),
        ("jobs: {a: {needs: b, steps: [{run: touch ran}]}}", "`b`"),
    ] {
        let ended = workflow(&folder, text);
        assert_eq!(ended.code, Some(2), "{text}: {ended:?}");
        assert!(ended.stderr.contains(problem), "{text}: {ended:?}");
        assert!(!folder.as_path().join("ran").exists());
    }
}

#[test]
fn colours_on_a_terminal_only() {
    const ESCAPE: char = '\x1b';
    let text = "jobs: {a: {steps: [{run: echo hello}]}}";
    let plain = workflow(&Folder::new(), text);
    assert!(!plain.stdout.contains(ESCAPE), "{plain:?}");

    let on_terminal = |more: &[&str]| {
        let folder = Folder::new();
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = File::options().read(true).write(true).open(name).unwrap();
        let mut tool = runner(&folder, text);
        tool.args(more).args([ci(), "--", "/repo/w.yml"]).stdout(slave);
        let mut child = tool.spawn().unwrap();
        // So that no slave is left open and the end is seen.
        drop(tool);
        let text = read_terminal(master);
        assert!(child.wait().unwrap().success(), "{text}");
        text
    };
    assert!(on_terminal(&[]).contains(ESCAPE));
    assert!(!on_terminal(&["--env", "NO_COLOR=1"]).contains(ESCAPE));
}

/// Reads until everybody has closed the other side, which a terminal reports
/// as an error.
fn read_terminal(master: OwnedFd) -> String {
    let mut bytes = Vec::new();
    let _ = File::from(master).read_to_end(&mut bytes);
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_demo_runs_on_this_repository() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let policy = format!("{root}/examples/ci/policy.toml");
    let dir = format!("{root}::/repo");
    let args = ["run", "--policy", &policy, "--dir", &dir, ci(), "--"];
    let ended = run(&[&args[..], &["/repo/examples/ci/pipeline.yml"]].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for word in ["exit 3 (allowed)", "deadline (allowed)", "compiled and run as a child"] {
        assert!(ended.stdout.contains(word), "{word}: {ended:?}");
    }
}
