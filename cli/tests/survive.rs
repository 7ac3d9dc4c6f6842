//! Nothing survives the tool, whatever ends it, whatever its children do.

mod support;

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, openat};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use support::{Folder, ci, offspring, skip, without_cgroups};

/// Processes of every kind that is hard to end. All of them hold the lifeline.
const ZOO: &str = r#"
exec 9>LIFELINE
sleep 1000 &
setsid sleep 1000 &
(setsid sh -c 'sleep 1000 & sleep 1000 &' &)
setsid sh -c 'trap "" HUP INT TERM; while :; do sleep 1; done' &
setsid sh -c 'kill -STOP $$; sleep 1000' &
chain() { (chain &) & }
chain &
setsid sh -c 'while :; do (sleep 0.001 &) ; done' &
echo zoo is open
exec sleep 1000
"#;

/// How long killed processes may take to be gone on a busy machine, before one
/// is called alive.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run of the tool whose guest has started what is hard to end.
struct Zoo {
    folder: Folder,
    lifeline: File,
}

impl Zoo {
    fn new() -> Zoo {
        let folder = Folder::new();
        let path = folder.path("lifeline");
        mknodat(CWD, &path, FileType::Fifo, Mode::from(0o666), 0).unwrap();
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let lifeline = openat(CWD, &path, flags, Mode::empty()).unwrap().into();
        let script = ZOO.trim().replace("LIFELINE", &path).replace('\n', "\n            ");
        folder.write(
            "w.yml",
            format!("jobs:\n  a:\n    steps:\n      - run: |\n            {script}\n"),
        );
        Zoo { folder, lifeline }
    }

    fn command(&self) -> Command {
        let mut command = offspring();
        command
            .args(["run", "--allow", "sh=/bin/sh", "--child-env", "PATH=/bin:/usr/bin"])
            .args(["--sandbox", "execute=/bin", "--sandbox", "execute=/usr"])
            .args(["--dir", &format!("{}::/repo", self.folder.path("")), ci(), "--"])
            .arg("/repo/w.yml")
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        command
    }

    /// Asserts that every process that holds the lifeline is gone.
    #[track_caller]
    fn assert_gone(&mut self, how: &str) {
        // A pipe that nobody has opened yet is not at its end.
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        drop(openat(CWD, self.folder.path("lifeline"), flags, Mode::empty()).unwrap());
        let mut fds = [PollFd::new(&self.lifeline, PollFlags::empty())];
        let patience = Timespec::try_from(PATIENCE).unwrap();
        let ended = poll(&mut fds, Some(&patience)).unwrap();
        assert_eq!(ended, 1, "a process lives on: {how}");
        assert_eq!(self.lifeline.read(&mut [0]).unwrap(), 0);
    }
}

/// Waits until the guest's child says that all others are there.
fn wait_until_open(tool: &mut Child) {
    let stdout = BufReader::new(tool.stdout.as_mut().unwrap());
    let mut lines = stdout.lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("| zoo is open")), "the tool ended");
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(number.try_into().unwrap()).unwrap()
}

/// The first child of a process, which for those that watch is the one that
/// they watch.
fn first_child(number: u32) -> Option<u32> {
    let path = format!("/proc/{number}/task/{number}/children");
    let list = std::fs::read_to_string(path).ok()?;
    list.split_whitespace().next()?.parse().ok()
}

/// Whom to kill.
#[derive(Debug, Clone, Copy)]
enum Victim {
    Guardian,
    Keeper,
    Program,
    Group,
}

impl Victim {
    const ALL: [Victim; 4] = [Victim::Guardian, Victim::Keeper, Victim::Program, Victim::Group];

    fn kill(self, tool: &Child) {
        let guardian = tool.id();
        let keeper = first_child(guardian);
        let number = match self {
            Victim::Group => return kill_process_group(pid(guardian), Signal::KILL).unwrap(),
            Victim::Guardian => None,
            Victim::Keeper => keeper,
            Victim::Program => keeper.and_then(first_child),
        };
        // One that is not there yet, or no more, is not to be mistaken.
        let _ = kill_process(pid(number.unwrap_or(guardian)), Signal::KILL);
    }
}

/// Numbers in no order, from a seed that is told.
struct Random(u64);

impl Random {
    fn new() -> Random {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        println!("seed {}", now.as_micros());
        Random(u64::try_from(now.as_micros()).unwrap() | 1)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[test]
fn each_process_of_the_tool_killed() {
    for victim in Victim::ALL {
        let mut zoo = Zoo::new();
        let mut tool = zoo.command().process_group(0).spawn().unwrap();
        wait_until_open(&mut tool);
        victim.kill(&tool);
        let status = tool.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "{victim:?}: {status}");
        zoo.assert_gone(&format!("{victim:?}"));
    }
}

#[test]
fn killed_at_any_moment() {
    const TRIALS: usize = 200;
    let mut random = Random::new();
    for trial in 0..TRIALS {
        let victim = Victim::ALL[trial % Victim::ALL.len()];
        let after = Duration::from_micros(random.below(250_000));
        let mut zoo = Zoo::new();
        let mut tool = zoo.command().process_group(0).spawn().unwrap();
        std::thread::sleep(after);
        victim.kill(&tool);
        tool.wait().unwrap();
        zoo.assert_gone(&format!("{victim:?} after {after:?}"));
    }
}

/// What is killed only after it was stopped wakes up in order to clean up.
#[test]
fn stopped_and_killed() {
    let mut zoo = Zoo::new();
    let mut tool = zoo.command().process_group(0).spawn().unwrap();
    wait_until_open(&mut tool);
    kill_process_group(pid(tool.id()), Signal::STOP).unwrap();
    kill_process_group(pid(tool.id()), Signal::KILL).unwrap();
    tool.wait().unwrap();
    zoo.assert_gone("stopped");
}

/// A run that ends by itself, or is asked to end, leaves nothing either.
#[test]
fn ended_otherwise() {
    for (name, number) in [(Signal::TERM, 15), (Signal::INT, 2), (Signal::QUIT, 3)] {
        let mut zoo = Zoo::new();
        let mut tool = zoo.command().process_group(0).spawn().unwrap();
        wait_until_open(&mut tool);
        kill_process(pid(tool.id()), name).unwrap();
        assert_eq!(tool.wait().unwrap().code(), Some(128 + number));
        zoo.assert_gone("asked to end");
    }
    let folder = Folder::new();
    folder.write("w.yml", "jobs: {a: {steps: [{run: '(setsid sleep 1000 &); exit 3'}]}}");
    let mut tool = offspring();
    tool.args(["run", "--allow", "sh=/bin/sh", "--child-env", "PATH=/bin:/usr/bin"]).args([
        "--sandbox",
        "execute=/bin",
        "--sandbox",
        "execute=/usr",
        "--dir",
        &format!("{}::/repo", folder.path("")),
        ci(),
        "--",
        "/repo/w.yml",
    ]);
    // Ends when everybody has closed the pipe.
    assert_eq!(tool.output().unwrap().status.code(), Some(1));
}

/// Children that were there before, such as those of a shell that `exec`s the
/// tool, are not the tool's to kill.
#[test]
fn children_of_before_live_on() {
    let folder = Folder::new();
    folder.write("w.yml", "jobs: {a: {steps: [{run: '(setsid sleep 1000 &)'}]}}");
    let line = format!(
        "sleep 1000 >/dev/null 2>&1 & echo $!; exec {} run --allow sh=/bin/sh \
         --child-env PATH=/bin:/usr/bin --sandbox execute=/bin --sandbox execute=/usr \
         --dir {}::/repo {} /repo/w.yml",
        env!("CARGO_BIN_EXE_offspring"),
        folder.path(""),
        ci()
    );
    let output = Command::new("/bin/sh").args(["-c", &line]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let before = stdout.lines().next().unwrap().parse().unwrap();
    // Fails if it is no more.
    kill_process(pid(before), Signal::KILL).unwrap();
}

/// The job control of a shell works as with any program.
#[test]
fn stops_and_continues_with_its_job() {
    let mut zoo = Zoo::new();
    let mut tool = zoo.command().process_group(0).spawn().unwrap();
    wait_until_open(&mut tool);
    kill_process(pid(tool.id()), Signal::TSTP).unwrap();
    let program = first_child(first_child(tool.id()).unwrap()).unwrap();
    for number in [tool.id(), program] {
        wait_for_state(number, "T");
    }
    kill_process(pid(tool.id()), Signal::CONT).unwrap();
    for number in [tool.id(), program] {
        wait_for_state(number, "RSD");
    }
    kill_process(pid(tool.id()), Signal::TERM).unwrap();
    assert_eq!(tool.wait().unwrap().code(), Some(128 + 15));
    zoo.assert_gone("continued");
}

/// Waits until a process is in one of these states. A test that fails here
/// hangs, and says so.
fn wait_for_state(number: u32, states: &str) {
    let state = || {
        let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap();
        stat.rsplit(") ").next().and_then(|rest| rest.chars().next()).unwrap()
    };
    while !states.contains(state()) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The status of the tool is that of the program, also when a signal ends it.
#[test]
fn ends_as_the_program_ends() {
    let mut zoo = Zoo::new();
    let mut tool = zoo.command().spawn().unwrap();
    wait_until_open(&mut tool);
    let program = first_child(first_child(tool.id()).unwrap()).unwrap();
    kill_process(pid(program), Signal::USR2).unwrap();
    let status: ExitStatus = tool.wait().unwrap();
    assert_eq!(status.signal(), Some(Signal::USR2.as_raw()), "{status}");
    zoo.assert_gone("ended by a signal");
}

/// What a policy lets live on outlives the tool, though it is watched.
#[test]
fn what_is_detached_lives_on() {
    let folder = Folder::new();
    let path = folder.path("lifeline");
    let sandbox = format!("{{ write = [{:?}], execute = ['/bin', '/usr'] }}", folder.path(""));
    let policy = folder.write(
        "policy.toml",
        format!(
            "[program.sh]\npath = '/bin/sh'\nargs = 'any'\nstdio = ['piped']\ndetach = true\n\
             sandbox = {sandbox}\n\
             [program.other]\npath = '/bin/sh'\nargs = 'any'\nstdio = ['inherit', 'piped']\n\
             sandbox = {sandbox}\n",
        ),
    );
    let output = offspring()
        .args(["run", "--policy", &policy, offspring_tests::PIDFD_DETACH, &path])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let number = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    // Fails if it is no more.
    kill_process(pid(number), Signal::KILL).unwrap();
}

/// Where there are no cgroups, what a child has started is found by its mark when its
/// handle is dropped, while the tool goes on: what forked twice, left its session,
/// ignores what can be ignored, or is stopped.
#[test]
fn a_handle_takes_all_with_it_without_cgroups() {
    let mut tool = match without_cgroups() {
        Ok(tool) => tool,
        Err(why) => return skip("a_handle_takes_all_with_it_without_cgroups", &why),
    };
    let folder = Folder::new();
    let path = folder.path("lifeline");
    mknodat(CWD, &path, FileType::Fifo, Mode::from(0o666), 0).unwrap();
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let lifeline = File::from(openat(CWD, &path, flags, Mode::empty()).unwrap());
    let write = format!("write={}", folder.path(""));
    tool.args(["run", "--allow", "sh=/bin/sh", "--child-env", "PATH=/bin:/usr/bin"])
        .args(["--sandbox", "execute=/bin", "--sandbox", "execute=/usr", "--sandbox", &write])
        .args([offspring_tests::PIDFD_TREE, &path]);
    // The guest waits for the end of all of them, in four ways.
    let output = tool.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut fds = [PollFd::new(&lifeline, PollFlags::empty())];
    let patience = Timespec::try_from(PATIENCE).unwrap();
    assert_eq!(poll(&mut fds, Some(&patience)).unwrap(), 1, "a process lives on");
}
