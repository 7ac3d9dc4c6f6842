//! Tests in processes of their own.

use std::any::type_name;
use std::env;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Command, Output, Stdio};

use offspring_spawn::{Program, Pty};

/// Names the test that this process was started for.
const ISOLATED: &str = "OFFSPRING_TEST_ISOLATED";

/// Names the test that this process was started to help.
const HELPER: &str = "OFFSPRING_TEST_HELPER";

/// Runs the body of a test in a process of its own, which has no other test, no
/// children, and whatever descriptors, limits and signals the body makes.
///
/// The body is a closure in the test function itself: that is how the process
/// knows which test it was started for.
pub fn isolated<F: FnOnce()>(body: F) {
    let name = test_of::<F>();
    if env::var_os(ISOLATED).is_some_and(|test| test == name) {
        return body();
    }
    let output = again(name, ISOLATED).output().unwrap();
    judge(name, &output);
}

/// Runs the body of a test in a process that has no other thread, not even those
/// of the test harness: a copy, as the C library makes it, of a process that has
/// no other test.
pub fn alone<F: FnOnce()>(body: F) {
    let name = test_of::<F>();
    if env::var_os(ISOLATED).is_none_or(|test| test != name) {
        return judge(name, &again(name, ISOLATED).output().unwrap());
    }
    let code = copy(|| {
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
        i32::from(ended.is_err())
    });
    assert_eq!(code, Some(0), "{name} failed in its copy");
}

/// Runs something in a copy of this process, and returns what it exits with.
#[expect(unsafe_code, reason = "fork has no wrapper")]
fn copy(body: impl FnOnce() -> i32) -> Option<i32> {
    // SAFETY: the harness's own thread, which the copy does not have, waits for
    // this one and holds no lock meanwhile.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => panic!("fork: {}", std::io::Error::last_os_error()),
        0 => {
            let code = body();
            // SAFETY: ends the copy without the destructors of the harness.
            unsafe { libc::_exit(code) }
        }
        pid => {
            let pid = rustix::process::Pid::from_raw(pid);
            let options = rustix::process::WaitOptions::empty();
            let ended = rustix::process::waitpid(pid, options).unwrap();
            ended.and_then(|(_, status)| status.exit_status())
        }
    }
}

/// Whether this process was started to help this test, with [`helper`].
pub fn is_helper<F>(_: &F) -> bool {
    env::var_os(HELPER).is_some_and(|test| test == test_of::<F>())
}

/// A process that runs this test again, where [`is_helper`] is true.
pub fn helper<F>(_: &F) -> Command {
    again(test_of::<F>(), HELPER)
}

/// The program that this process executes.
pub fn own_program() -> Program {
    Program::open(env::current_exe().unwrap()).unwrap()
}

/// The arguments and the variable with which this process's program runs this
/// test again, where [`is_helper`] is true.
pub fn again_as_helper<F>(_: &F) -> ([&'static str; 4], [&'static str; 2]) {
    let name = test_of::<F>();
    (["--exact", name, "--nocapture", "--test-threads=1"], [HELPER, name])
}

/// The same as [`helper`] as a command of this crate's, for this program.
pub fn helper_of<F>(body: &F, program: &Program) -> offspring_spawn::Command {
    let (args, [variable, value]) = again_as_helper(body);
    let mut command = offspring_spawn::Command::new(program);
    command.args(args).env(variable, value);
    command
}

/// Runs such a command, which must succeed.
#[track_caller]
pub fn assert_helps(command: &mut offspring_spawn::Command) {
    use offspring_spawn::Stdio;
    let mut child = command.stdout(Stdio::Piped).stderr(Stdio::Piped).spawn().unwrap();
    let [stdout, stderr] = [child.stdout.take(), child.stderr.take()]
        .map(|end| std::io::read_to_string(File::from(end.unwrap())).unwrap());
    let status = child.wait().unwrap().status;
    let ran = stdout.contains("test result: ok. 1 passed");
    assert!(status.success() && ran, "{status}\n{stdout}\n{stderr}");
}

/// Runs the body of a test in a process of its own that leads a session in a
/// terminal, which its three streams are.
pub fn in_terminal<F: FnOnce()>(body: F) {
    if is_helper(&body) {
        return body();
    }
    let name = test_of::<F>();
    let pty = Pty::open().unwrap();
    let mut command = helper_of(&body, &own_program());
    command.terminal(&pty).unwrap();
    let child = command.spawn().unwrap();
    // It holds the other side.
    drop(command);
    let mut text = Vec::new();
    // Ends with EIO.
    let _ = File::from(OwnedFd::from(pty)).read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text);
    let status = child.wait().unwrap().status;
    let ran = text.contains("test result: ok. 1 passed");
    assert!(status.success() && ran, "{name} in a terminal: {status}\n{text}");
}

/// Says that a test cannot run here. Not with `eprintln`, whose text the test
/// harness hides as long as all is well.
pub fn skip(name: &str, reason: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "SKIPPED {name}: {reason}");
}

/// The test whose body this closure is: `file::test::{{closure}}`.
fn test_of<F>() -> &'static str {
    let name = type_name::<F>();
    let name = name.split_once("::").map_or(name, |(_, rest)| rest);
    name.split("::{{closure}}").next().unwrap_or(name)
}

fn again(name: &str, role: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", name, "--include-ignored", "--nocapture", "--test-threads=1"])
        .env_remove(ISOLATED)
        .env_remove(HELPER)
        .env(role, name)
        .stdin(Stdio::null());
    command
}

fn judge(name: &str, output: &Output) {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    for line in stderr.lines().filter(|line| line.starts_with("SKIPPED ")) {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
    // A name that is not a test's would run nothing, and succeed.
    let ran = stdout.contains("test result: ok. 1 passed");
    assert!(
        output.status.success() && ran,
        "{name} failed in its own process ({}):\n{stdout}\n{stderr}",
        output.status
    );
}
