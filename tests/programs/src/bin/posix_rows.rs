//! What glibc's own tests of `posix_spawn` and its relatives assert, by a
//! guest: the rows that are this guest's arguments, or their list.

use std::fs;
use std::io::{Read, Write};

use offspring_guest::cgroup::Cgroup;
use offspring_guest::fs::File;
use offspring_guest::{Command, ErrorCode, FileActions, OpenOptions, Pty, Resource, Rlimit};
use offspring_guest::{Signal, Stage, Stdio, exit, pipe};
use test_programs::{Stat, cat, failed, read, refused, sh, started, stat, status, text};

type Row = (&'static str, fn());

const ROWS: &[Row] = &[
    ("sp1_1", sp1_1),
    ("sp1_3", sp1_4),
    ("sp1_4", sp1_4),
    ("sp1_6", sp1_6),
    ("sp1_7", sp1_7),
    ("sp1_8", sp1_8),
    ("sp1_9", sp1_9),
    ("sp1_10", sp1_10),
    ("sp1_11", sp1_11),
    ("sp1_12", sp1_12),
    ("sp1_13", sp1_13),
    ("sp2_1", sp2_1),
    ("sp2_3", sp2_1),
    ("sp2_4", sp2_1),
    ("sp4_1", sp4_1),
    ("sp5_1", || closefrom(60, 50)),
    ("sp5_3", || closefrom(11, 1)),
    ("sp5_4", || closefrom(10, 0)),
    ("sp5_6", || closefrom(0, 0)),
    ("sp6_1", sp6_1),
    ("sp6_2", sp6_2),
    ("sp6_4", sp6_4),
    ("sp7_1", sp7_1),
    ("sp7_2", sp7_2),
    ("sp7_3", sp7_3),
    ("sp7_4", sp7_4),
    ("sp7_5", sp7_4),
    ("ch_1", ch_5),
    ("ch_3", ch_3),
    ("ch_4", ch_4),
    ("ch_5", ch_5),
    ("ch_6", ch_6),
    ("ch_7", ch_7),
    ("sid_1", sid_1),
    ("sid_2", sid_2),
    ("sid_3", sid_2),
    ("fd_1", fd_1),
    ("fd_3", fd_3),
    ("cg_3", cg_5),
    ("cg_4", cg_5),
    ("cg_5", cg_5),
    ("pf_4", pf_4),
    ("pf_5", pf_5),
    ("pf_6", pf_6),
    ("pf_9", pf_9),
    ("pf_10", pf_10),
    ("pf_13", pf_13),
    ("pm_2", pf_6),
    ("ex1", pf_9),
    ("xp_3", sp4_1),
    ("xp_5", xp_5),
    ("rl", rl),
    ("g1", g1),
    ("g3", g3),
    ("g6", g6),
    ("g7", g7),
    ("g8", sp1_12),
    ("g10", g10),
    ("g11", g11),
    ("g12", g12),
    ("g13", g13),
    ("g14", g14),
    ("g15", g15),
    ("g16", g16),
];

fn main() {
    for wanted in std::env::args().skip(1) {
        if wanted == "list" {
            ROWS.iter().for_each(|(name, _)| println!("{name}"));
            exit(0);
        }
        let (_, row) = ROWS.iter().find(|(name, _)| *name == wanted).expect("a row");
        row();
    }
}

fn actions(add: impl FnOnce(&mut FileActions) -> std::io::Result<&mut FileActions>) -> FileActions {
    let mut actions = FileActions::new();
    add(&mut actions).expect("they can be added");
    actions
}

/// The round trip: 3 is the first file, and closed; 4 the second, and 7 a copy
/// of it; 5 is opened; 6 is opened to be closed, and then not to be.
fn round_trip(script: &str) -> Command {
    for name in ["first", "second", "third", "fourth"] {
        fs::write(format!("/dir/{name}"), name).expect("it is writable");
    }
    let mut command = sh(script);
    let open = |name: &str| File::open(format!("/dir/{name}")).expect("it is there");
    command.pass(3, open("first")).pass(4, open("second"));
    command.file_actions(&round_trip_actions());
    command
}

fn round_trip_actions() -> FileActions {
    let reading = *OpenOptions::new().read(true);
    actions(|all| {
        all.close(3)?
            .open(5, "/dir/third", &reading)?
            .dup2(4, 7)?
            .open(6, "/dir/fourth", OpenOptions::new().close_on_exec(true))?
            .dup2(6, 6)
    })
}

fn sp1_1() {
    drop(round_trip_actions());
}

fn sp1_4() {
    let mut child = round_trip("exit 0").spawn().expect("it starts");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

fn sp1_6() {
    let mut command = round_trip("dd bs=1 count=3 <&4 2>&-; grep pos: /proc/self/fdinfo/7");
    assert_eq!(text(&mut command), "secpos:\t3\n");
}

fn sp1_7() {
    let mut command = round_trip("cat <&4 >/dev/null; grep pos: /proc/self/fdinfo/7");
    assert_eq!(text(&mut command), "pos:\t6\n");
}

fn sp1_8() {
    assert_eq!(text(&mut round_trip("cat <&7")), "second");
}

fn sp1_9() {
    assert_eq!(text(&mut round_trip("cat <&5")), "third");
    let mut write = round_trip("{ echo wrong >&5; } 2>/dev/null || echo refused");
    assert_eq!(text(&mut write), "refused\n");
    assert_eq!(fs::read_to_string("/dir/third").expect("it is there"), "third");
}

fn sp1_10() {
    let mut command = round_trip("{ true <&3; } 2>/dev/null || echo closed; ls /proc/self/fd");
    let text = text(&mut command);
    assert!(text.starts_with("closed\n") && !text.lines().skip(1).any(|fd| fd == "9"), "{text}");
}

fn sp1_11() {
    text(&mut round_trip("exit 0"));
    assert_eq!(fs::read_to_string("/dir/first").expect("it is there"), "first");
}

fn sp1_12() {
    assert_eq!(text(&mut round_trip("cat <&6")), "fourth");
    // Without the second action it is closed.
    let mut command = sh("{ true <&6; } 2>/dev/null || echo closed");
    let opened = actions(|all| all.open(6, "/dir/fourth", OpenOptions::new().close_on_exec(true)));
    assert_eq!(text(command.file_actions(&opened)), "closed\n");
}

fn sp1_13() {
    let mut command = round_trip("cat <&5");
    assert_eq!(text(&mut command), "third");
    assert_eq!(text(&mut command), "third");
    let opened = round_trip_actions();
    for _ in 0..2 {
        let file = File::open("/dir/second").expect("it is there");
        let mut command = sh("cat <&5");
        assert_eq!(text(command.pass(4, file).file_actions(&opened)), "third");
    }
}

fn sp2_1() {
    for _ in 0..3 {
        let (_, error) = refused(Command::new("lost").output());
        assert_eq!((error.stage, error.code), (Stage::Exec, ErrorCode::NotFound));
        assert_eq!(error.errno.as_deref(), Some("ENOENT"));
    }
}

fn sp4_1() {
    let (_, error) = refused(Command::new("text").output());
    assert_eq!((error.stage, error.code), (Stage::Exec, ErrorCode::NotExecutable));
    assert_eq!(error.errno.as_deref(), Some("ENOEXEC"));
}

/// A hundred descriptors from 10 on, of which so many are left.
fn closefrom(first: u32, left: usize) {
    let mut all = FileActions::new();
    for number in 10..110 {
        all.dup2(0, number).expect("it can be added");
    }
    let log = *OpenOptions::new().write(true).create(true).truncate(true);
    all.close_from(first).expect("it can be added").open(1, "/dir/list", &log).expect("it can");
    let mut command = Command::new("ls");
    let mut child = command.arg("/proc/self/fd").file_actions(&all).spawn_null();
    assert!(child.wait().expect("it ends").success());
    let list = fs::read_to_string("/dir/list").expect("it was written");
    let numbers: Vec<u32> = list.lines().map(|line| line.parse().expect("a number")).collect();
    let expected: Vec<u32> = (10..).take(left).collect();
    let found: Vec<u32> = numbers.into_iter().filter(|number| *number >= 10).collect();
    assert_eq!(found, expected);
}

/// In the host's group, which its terminal's foreground is.
fn sp6_1() {
    let taken = actions(|all| all.set_foreground(0));
    let mut command = read("/proc/self/stat");
    let command = command.stdin(Stdio::inherit()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.file_actions(&taken).spawn().expect("it starts");
    let mut text = String::new();
    child.stdout.take().expect("it is piped").read_to_string(&mut text).expect("text");
    assert!(child.wait().expect("it ends").success());
    let stat = Stat::parse(&text);
    assert_eq!(stat.foreground, stat.group);
    // With a group of its own it would take the host's terminal.
    let (_, error) = refused(command.new_process_group().spawn());
    assert_eq!(error.stage, Stage::Policy("file-actions".into()));
    assert!(error.message.contains("the host's terminal is not a guest's"), "{}", error.message);
}

fn sp6_2() {
    let pty = Pty::open().expect("there are some");
    // The output goes elsewhere, but the input is the terminal.
    let taken = actions(|all| all.set_foreground(0));
    let mut command = read("/proc/self/stat");
    command.terminal(&pty).file_actions(&taken).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut text = String::new();
    child.stdout.take().expect("it is piped").read_to_string(&mut text).expect("text");
    let stat = Stat::parse(&text);
    assert_eq!((stat.group, stat.foreground), (stat.pid, stat.pid));
}

fn sp6_4() {
    for session in [true, false] {
        let taken = actions(|all| all.set_foreground(0));
        let mut command = sh("exit 0");
        let (_, error) = refused(command.new_session(session).file_actions(&taken).output());
        if session {
            assert_eq!(error.stage, Stage::FileAction(0));
            assert_eq!(error.errno.as_deref(), Some("ENOTTY"));
        } else {
            assert_eq!(error.stage, Stage::Policy("file-actions".into()));
        }
    }
}

fn ignored(command: &mut Command) -> u64 {
    u64::from_str_radix(&status(command, "SigIgn"), 16).expect("a number")
}

fn sp7_1() {
    assert_eq!(ignored(&mut read("/proc/self/status")) & STANDARD, 0);
}

fn sp7_2() {
    assert_eq!(status(&mut read("/proc/self/status"), "SigCgt"), "0".repeat(16));
}

/// All signals but the real-time ones, of which C libraries ignore some.
const STANDARD: u64 = (1 << 31) - 1;

/// The host ignores SIGUSR1, and this.
const REAL_TIME: u64 = 1 << 33;

fn sp7_3() {
    let ignored = ignored(&mut read("/proc/self/status"));
    assert_eq!(ignored & (STANDARD | REAL_TIME), REAL_TIME);
}

fn sp7_4() {
    let real_time = Signal::from_number(34).expect("it is one");
    let real_time = ignored(read("/proc/self/status").default_signals([real_time]));
    assert_eq!(real_time & (STANDARD | REAL_TIME), 0);
    let others = ignored(read("/proc/self/status").default_signals([Signal::USR2]));
    assert_eq!(others & (STANDARD | REAL_TIME), REAL_TIME);
}

/// Goes down, makes a file, goes up, makes another.
fn wanderer(by_descriptor: bool) -> Command {
    let _ = fs::remove_dir_all("/dir/sub");
    let _ = fs::remove_file("/dir/output-file");
    fs::create_dir("/dir/sub").expect("it is writable");
    let new = *OpenOptions::new().write(true).create_new(true);
    let mut all = FileActions::new();
    if by_descriptor {
        let dir = *OpenOptions::new().read(true).directory(true);
        all.open(5, "/dir/sub", &dir).expect("it can be added");
        all.fchdir(5).expect("it can be added").close(5).expect("it can be added");
    } else {
        all.chdir("/dir/sub").expect("it can be added");
    }
    all.open(3, "/dir/sub/probe-file", &new).expect("it can be added");
    all.close(3).expect("it can be added").chdir("/dir/sub/..").expect("it can be added");
    all.open(4, "/dir/output-file", &new).expect("it can be added");
    let mut command = sh("pwd -P; ls sub");
    command.file_actions(&all);
    command
}

fn ch_3() {
    for by_descriptor in [false, true] {
        text(&mut wanderer(by_descriptor));
        assert!(fs::exists("/dir/sub/probe-file").expect("it can be asked"));
        assert!(fs::exists("/dir/output-file").expect("it can be asked"));
    }
}

fn ch_4() {
    let away = actions(|all| all.chdir("/dir"));
    assert_eq!(
        text(Command::new("script").file_actions(&away)),
        text(sh("pwd -P").current_dir("/dir"))
    );
}

fn ch_5() {
    let there = text(sh("pwd -P").current_dir("/dir"));
    for by_descriptor in [false, true] {
        assert_eq!(text(&mut wanderer(by_descriptor)), format!("{there}probe-file\n"));
    }
}

fn ch_6() {
    let before = text(&mut sh("pwd -P"));
    text(&mut wanderer(true));
    assert_eq!(text(&mut sh("pwd -P")), before);
}

fn ch_7() {
    let mut command = wanderer(false);
    assert!(!fs::exists("/dir/sub/probe-file").expect("it can be asked"));
    text(&mut command);
    let (_, error) = refused(command.output());
    assert_eq!((error.stage, error.errno.as_deref()), (Stage::FileAction(1), Some("EEXIST")));
}

fn sid_1() {
    let own = stat(&mut read("/proc/self/stat"));
    let other = stat(&mut read("/proc/self/stat"));
    assert_eq!(own.session, other.session);
    assert_ne!(own.session, own.pid);
}

fn sid_2() {
    let own = stat(read("/proc/self/stat").new_session(true));
    assert_eq!(own.session, own.pid);
}

fn fd_1() {
    let mut all = FileActions::new();
    for number in [0, 3, 255] {
        all.close(number).expect("it could be");
        all.dup2(number, 0).expect("it could be").dup2(0, number).expect("it could be");
        all.open(number, "/dir/x", &OpenOptions::new()).expect("it could be");
    }
}

fn fd_3() {
    let mut all = FileActions::new();
    for number in [1 << 30, i32::MAX.unsigned_abs(), 1 << 31, u32::MAX] {
        let answers = [
            all.close(number).map(drop),
            all.dup2(number, 0).map(drop),
            all.dup2(0, number).map(drop),
            all.close_from(number).map(drop),
            all.set_foreground(number).map(drop),
            all.fchdir(number).map(drop),
            all.open(number, "/dir/x", &OpenOptions::new()).map(drop),
        ];
        for answer in answers {
            assert_eq!(failed(answer), ErrorCode::BadDescriptor);
        }
        let file = File::open("/dir/third").or_else(|_| File::create("/dir/third"));
        let (_, error) = refused(sh("exit").pass(number, file.expect("it is there")).output());
        assert_eq!((error.stage, error.code), (Stage::Request, ErrorCode::BadDescriptor));
    }
    // Nothing was added.
    assert!(sh("exit 0").file_actions(&all).output().expect("it starts").status.success());
}

/// A child that runs, and one that has closed all it had: it has ended, or is
/// about to, and was not waited for.
/// In the group at its first instruction: the program itself says so.
fn cg_5() {
    let build = Cgroup::open("build").expect("it is granted");
    let groups = text(read("/proc/self/cgroup").group(&build));
    let own = groups.lines().find(|line| line.starts_with("0::")).expect("of version 2");
    assert!(own.contains("/group.build/child."), "{own}");
}

fn pf_4() {
    let child = cat();
    let pid = child.pidfd().getpid().expect("it runs");
    let mut ended = sh("exit 0");
    let ended = ended.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut ended = ended.spawn().expect("it starts");
    let mut nothing = String::new();
    ended.stdout.take().expect("it is piped").read_to_string(&mut nothing).expect("text");
    assert_ne!(ended.pidfd().getpid().expect("it was not waited for"), pid);
    ended.wait().expect("it ended");
}

fn pf_5() {
    let mut child = sh("exit 0").spawn_null();
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert_eq!(child.wait().expect("again").code(), Some(0));
}

fn pf_6() {
    let mut child = sh("exit 0").spawn_null();
    child.wait().expect("it ends");
    assert_eq!(failed(child.pidfd().getpid()), ErrorCode::NoSuchProcess);
    assert_eq!(failed(child.pidfd().send_signal(Signal::TERM)), ErrorCode::NoSuchProcess);
}

fn pf_9() {
    let (child, line) = started(&mut sh("echo $$; exec sleep 100000"));
    assert_eq!(line, child.pidfd().getpid().expect("it runs").to_string());
}

fn pf_10() {
    let script = "trap 'echo usr1; exit 3' USR1; echo ready; while :; do sleep 0.01; done";
    let (mut child, line) = started(&mut sh(script));
    assert_eq!(line, "ready");
    child.pidfd().send_signal(Signal::USR1).expect("it is allowed");
    assert_eq!(child.wait().expect("it ends").code(), Some(3));
}

fn pf_13() {
    let mut child = cat();
    child.pidfd().send_signal(Signal::KILL).expect("it is always allowed");
    assert_eq!(child.wait().expect("it ends").signal(), Some(9));
}

fn xp_5() {
    let environment = text(sh("env").env("ONLY", "this"));
    assert!(environment.contains("ONLY=this\n"), "{environment}");
    assert!(!environment.contains("HOME="), "{environment}");
}

fn rl() {
    let mut command = sh("ulimit -Sn; ulimit -Hn");
    let limits = Rlimit { soft: Some(40), hard: Some(50) };
    assert_eq!(text(command.rlimit(Resource::Nofile, limits)), "40\n50\n");
    let (_, error) =
        refused(command.rlimit(Resource::Nofile, Rlimit { soft: Some(2), hard: Some(1) }).output());
    assert_eq!(error.stage, Stage::Attribute("rlimits".into()));
    assert_eq!(error.errno.as_deref(), Some("EINVAL"));
}

fn g1() {
    use offspring_guest::ExitSignal;
    let (_, error) = refused(Command::new("lost").exit_signal(ExitSignal::None).output());
    assert_eq!(error.errno.as_deref(), Some("ENOENT"));
    let mut child = sh("exit 7");
    child.exit_signal(ExitSignal::None);
    assert_eq!(child.spawn_null().wait().expect("it ends").code(), Some(7));
}

fn g3() {
    drop(cat());
    drop(sh("exit 0").spawn_null());
}

/// Everything is wrong, and each step puts the first wrong thing right.
fn g6() {
    use offspring_guest::SchedulerPolicy;
    let leader = cat();
    let bad = actions(|all| all.close(200)?.fchdir(9)?.dup2(9, 8));
    let mut command = Command::new("lost");
    command.scheduler(SchedulerPolicy::Batch, 1).new_session(true);
    command.join_process_group(leader.pidfd()).file_actions(&bad);
    command.rlimit(Resource::Core, Rlimit { soft: Some(1), hard: Some(0) });
    let next = |command: &mut Command, stage: Stage, errno: &str| {
        let (_, error) = refused(command.output());
        assert_eq!((error.stage, error.errno.as_deref()), (stage, Some(errno)));
    };
    let attribute = |name: &str| Stage::Attribute(name.into());
    next(&mut command, attribute("scheduler"), "EINVAL");
    command.scheduler(SchedulerPolicy::Batch, 0);
    next(&mut command, attribute("process-group"), "EPERM");
    command.new_process_group();
    next(&mut command, attribute("rlimits"), "EINVAL");
    command.rlimit(Resource::Core, Rlimit::both(0));
    next(&mut command, Stage::FileAction(1), "EBADF");
    command.file_actions(&actions(|all| all.close(200)?.dup2(0, 9)?.dup2(8, 7)));
    next(&mut command, Stage::FileAction(2), "EBADF");
    command.file_actions(&FileActions::new());
    next(&mut command, Stage::Exec, "ENOENT");
}

fn g7() {
    let unopened = actions(|all| all.close(200)?.close(200));
    assert!(sh("exit 0").file_actions(&unopened).output().expect("it starts").status.success());
    let mut command = sh("exit 0");
    command.rlimit(Resource::Nofile, Rlimit::both(100)).file_actions(&unopened);
    let (_, error) = refused(command.output());
    assert_eq!((error.stage, error.errno.as_deref()), (Stage::FileAction(0), Some("EBADF")));
}

/// No room for the program: it dies when it is executed, which is its end and
/// no failure to start it.
fn g10() {
    let mut command = sh("exit 0");
    command.rlimit(Resource::AddressSpace, Rlimit::both(1));
    let status = command.spawn_null().wait().expect("it ends");
    assert!(status.signal().is_some(), "{status}");
}

/// A frozen group would hold a spawn up, and so takes nobody in.
fn g11() {
    let build = Cgroup::open("build").expect("it is granted");
    build.freeze().expect("it is ours");
    let (_, error) = refused(sh("exit 0").group(&build).spawn());
    assert_eq!((error.code, error.errno.as_deref()), (ErrorCode::Busy, Some("EBUSY")));
    assert_eq!(error.stage, Stage::Attribute("group".into()));
    build.thaw().expect("it is ours");
    let mut child = sh("exit 0").group(&build).spawn_null();
    assert!(child.wait().expect("it ends").success());
}

fn g12() {
    pf_4();
    pf_6();
}

/// The host ignores SIGCHLD, so the kernel waits for its children.
fn g13() {
    let mut child = sh("exit 7").spawn_null();
    let exit_info = offspring_guest::features().exit_info;
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), exit_info.then_some(7), "{status}");
}

fn g14() {
    let (reader, mut writer) = pipe().expect("a pipe");
    let mut child =
        sh("read line; exit 5").stdin(reader).stdout(Stdio::null()).spawn().expect("it is");
    assert!(child.try_wait().expect("it can be asked").is_none());
    writer.write_all(b"\n").expect("it is read");
    child.pidfd().pollable().block();
    for _ in 0..3 {
        assert_eq!(child.try_wait().expect("it can be asked").and_then(|it| it.code()), Some(5));
    }
}

fn g15() {
    if !offspring_guest::features().group_signals {
        return println!("SKIPPED");
    }
    let (reader, writer) = pipe().expect("a pipe");
    let mut command = sh("sleep 100000 & exit 0");
    let command = command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::null());
    let mut leader = command.spawn().expect("it starts");
    leader.wait().expect("it ends");
    leader.pidfd().send_group_signal(Signal::TERM).expect("somebody is left");
    let mut rest = String::new();
    let mut reader = reader;
    reader.read_to_string(&mut rest).expect("the last of the group is gone");
}

fn g16() {
    let blocked = |command: &mut Command| status(command, "SigBlk");
    assert_eq!(blocked(&mut read("/proc/self/status")), "0".repeat(16));
    let int = blocked(read("/proc/self/status").signal_mask([Signal::INT]));
    assert_eq!(int, format!("{:016x}", 2));
}

/// Starting with all streams null.
trait SpawnNull {
    fn spawn_null(&mut self) -> offspring_guest::Child;
}

impl SpawnNull for Command {
    fn spawn_null(&mut self) -> offspring_guest::Child {
        let command = self.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("it starts")
    }
}
