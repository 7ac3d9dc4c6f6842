//! `offspring run` with a component that forks.

mod support;

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use offspring_tests::FORK_SERVER;
use support::{Ended, Folder, offspring};

const POLICY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/fork-server/policy.toml");

/// Runs the example with these lines as its input.
fn serve(policy: &str, jobs: &str) -> Ended {
    let mut command = offspring();
    command.args(["run", "--policy", policy, FORK_SERVER]).stdin(Stdio::piped());
    let mut tool = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    tool.stdin.take().unwrap().write_all(jobs.as_bytes()).unwrap();
    Ended::of(&tool.wait_with_output().unwrap())
}

/// A line for each job, whatever becomes of the others.
#[test]
fn a_fork_server() {
    let ended = serve(POLICY, "10\ncrash\n1000000\nloop\n100\nnothing\n67108863\n");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let mut lines: Vec<_> = ended.stdout.lines().collect();
    lines.sort_unstable();
    let mut expected = [
        "10: exit status: 0",
        "100: exit status: 0",
        "1000000: exit status: 0",
        "25 primes up to 100",
        "3957809 primes up to 67108863",
        "4 primes up to 10",
        "67108863: exit status: 0",
        "78498 primes up to 1000000",
        "crash: exit status: 134",
        "loop: signal: 9 (SIGKILL), deadline passed",
        "nothing: exit status: 2",
    ];
    expected.sort_unstable();
    assert_eq!(lines, expected, "{ended:?}");
    // The trap is told once, by the process that it ended.
    let traps = ended.stderr.matches("offspring: the component trapped").count();
    assert_eq!(traps, 1, "{}", ended.stderr);
}

#[test]
fn without_a_grant() {
    let folder = Folder::new();
    let policy = folder.write("policy.toml", "");
    let ended = serve(&policy, "10\n");
    assert_eq!((ended.code, &*ended.stdout), (Some(1), ""), "{ended:?}");
    assert!(ended.stderr.contains("NotPermitted"), "{ended:?}");
}

/// Nothing lives on when the tool is told to end.
#[test]
fn ended_by_a_signal() {
    let mut command = offspring();
    command.args(["run", "--policy", POLICY, FORK_SERVER]).stdin(Stdio::piped());
    let mut tool = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = tool.stdin.take().unwrap();
    stdin.write_all(b"10\nloop\n").unwrap();
    let mut stdout = tool.stdout.take().unwrap();
    let mut first = [0; 1];
    std::io::Read::read_exact(&mut stdout, &mut first).unwrap();
    let pid = rustix::process::Pid::from_child(&tool);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    // Ends when all who have it are gone.
    std::io::Read::read_to_end(&mut stdout, &mut Vec::new()).unwrap();
    assert_eq!(tool.wait().unwrap().signal(), Some(15));
}
