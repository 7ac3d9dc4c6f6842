//! Goes through every door there is without a grant: calls each function of every
//! interface, says its name, and what the host's audit log must have of it.
//!
//! What only a child or a group has can be called by nobody who has none.

use offspring_guest::__internal::attributes::{
    ExitSignal, ProcessGroup, RlimitKind, SchedulerPolicy,
};
use offspring_guest::__internal::cgroup::{Cgroup, CgroupError};
use offspring_guest::__internal::file_actions::{Access, FileActions, OpenFlags};
use offspring_guest::__internal::fork::{ForkError, Options, exit, fork};
use offspring_guest::__internal::grants::{get_features, get_grants, get_groups, get_limits, open};
use offspring_guest::__internal::pipe::{self, PipeReader, PipeWriter};
use offspring_guest::__internal::pty::{self, WindowSize};
use offspring_guest::__internal::spawn::{
    Command, Input, Output, Passed, SpawnError, Stage, Stdio, Streams, run_program,
};
use offspring_guest::__internal::types::{ErrorCode, Signal};
use offspring_guest::__internal::wasip2::filesystem::preopens::get_directories;
use offspring_guest::__internal::wasip2::filesystem::types::{
    Descriptor, DescriptorFlags, OpenFlags as Flags, PathFlags,
};
use test_programs::attack::{call_denied, call_failed};

fn door(name: &str) {
    println!("door {name}");
}

fn main() {
    let directories = get_directories();
    let [(directory, _)] = &directories[..] else { panic!("one directory") };
    let open = |flags| {
        let file = directory.open_at(PathFlags::empty(), "file", Flags::empty(), flags);
        file.expect("it is there")
    };
    let file = open(DescriptorFlags::READ);

    questions();
    handles();
    groups();
    streams();
    let actions = actions(directory, &file);
    commands(directory, &file, &actions);
    copies();
}

fn questions() {
    door("grants.open");
    let grant = open("sh");
    door("grant.name");
    assert_eq!(grant.name(), "sh");
    door("grant.narrow");
    let narrowed = grant.narrow("args = 'none'").expect("rules");
    door("command.from-grant");
    drop(Command::from_grant(&narrowed));
    door("grants.get-grants");
    assert!(get_grants().is_empty());
    door("grants.get-groups");
    assert!(get_groups().is_empty());
    door("grants.get-limits");
    assert!(get_limits().max_children > 0);
    door("grants.get-features");
    get_features();
}

/// Handles of what was never granted, and what they give.
fn handles() {
    door("grants.open");
    let (nothing, shell) = (open(""), open("/bin/sh"));
    door("grant.name");
    assert_eq!((&*nothing.name(), &*shell.name()), ("", "/bin/sh"));
    door("grant.narrow");
    // Rules that say much allow no more.
    let wide = shell.narrow("args = \"any\"\nstdio = [\"piped\"]\nmax-children = 9");
    let wide = wide.expect("these are rules");
    assert!(shell.narrow("path = \"/bin/sh\"").is_err(), "no rule of a guest's");
    door("command.from-grant");
    for (grant, name) in [(&nothing, ""), (&shell, "/bin/sh"), (&wide, "/bin/sh")] {
        let error = Command::from_grant(grant).spawn().expect_err("nothing is granted");
        let is_policy = matches!(&error.stage, Stage::Policy(rule) if rule == "program");
        assert!(is_policy, "{error:?}");
        println!("spawn {name:?} denied policy program -");
    }
}

fn groups() {
    door("cgroup.open");
    for name in ["", "build", "/", "..", "../..", "offspring", "guest.0", "a\0b"] {
        let error = Cgroup::open(name).expect_err("there is none");
        assert!(matches!(error, CgroupError::NotFound), "{error:?}");
        call_denied("cgroup.open", "group");
    }
}

/// The guest's own, with nobody at the other side.
fn streams() {
    door("pipe.create");
    let (reader, writer) = pipe::create().expect("a pipe of its own");
    door("pipe.into-stream");
    let (input, output) = (PipeReader::into_stream(reader), PipeWriter::into_stream(writer));
    output.blocking_write_and_flush(b"own").expect("there is room");
    assert_eq!(input.blocking_read(9).expect("it is there"), b"own");
    door("pty.open");
    let Ok(terminal) = pty::open() else {
        // Without terminals in this place these are no doors.
        for name in ["resize", "size", "read-via-stream", "write-via-stream"] {
            door(&format!("pty.{name}"));
        }
        return;
    };
    door("pty.resize");
    terminal.resize(WindowSize { rows: 7, columns: 9 }).expect("its own");
    door("pty.size");
    assert_eq!(terminal.size().expect("its own").rows, 7);
    door("pty.read-via-stream");
    terminal.read_via_stream().expect("its own");
    door("pty.write-via-stream");
    terminal.write_via_stream().expect("its own");
}

fn actions(directory: &Descriptor, file: &Descriptor) -> FileActions {
    door("file-actions.constructor");
    let actions = FileActions::new();
    door("file-actions.open");
    let open = |directory, path: &str, access, flags| {
        actions.open(3, directory, path, access, flags, 0o7777)
    };
    for access in [Access::Write, Access::ReadWrite] {
        let error = open(directory, "file", access, OpenFlags::empty()).expect_err("only to read");
        assert!(matches!(error, ErrorCode::AccessDenied), "{error:?}");
        call_failed("file-actions.open", "EACCES");
    }
    for flags in [OpenFlags::CREATE, OpenFlags::TRUNCATE] {
        let error = open(directory, "file", Access::Read, flags).expect_err("only to read");
        assert!(matches!(error, ErrorCode::AccessDenied), "{error:?}");
        call_failed("file-actions.open", "EACCES");
    }
    let error = open(file, "file", Access::Read, OpenFlags::empty()).expect_err("no directory");
    assert!(matches!(error, ErrorCode::NotDirectory), "{error:?}");
    open(directory, "../../etc/passwd", Access::Read, OpenFlags::empty()).expect("recorded");
    door("file-actions.close");
    actions.close(0).expect("recorded");
    door("file-actions.dup2");
    actions.dup2(9, 1).expect("recorded");
    door("file-actions.chdir");
    actions.chdir(directory, "../..").expect("recorded");
    door("file-actions.fchdir");
    actions.fchdir(3).expect("recorded");
    door("file-actions.closefrom");
    actions.closefrom(0).expect("recorded");
    door("file-actions.tcsetpgrp");
    actions.tcsetpgrp(0).expect("recorded");
    actions
}

fn commands(directory: &Descriptor, file: &Descriptor, actions: &FileActions) {
    door("command.constructor");
    let command = Command::new("/bin/sh");
    door("command.args");
    command.args(&["-c".to_owned(), "echo".to_owned()]).expect("recorded");
    door("command.env");
    command.env(&[("LD_PRELOAD".to_owned(), "/dir/evil".to_owned())]).expect("recorded");
    door("command.cwd");
    command.cwd(directory, "../..").expect("recorded");
    assert!(matches!(command.cwd(file, ""), Err(ErrorCode::NotDirectory)));
    door("command.stdin");
    command.stdin(&Input::Inherit).expect("recorded");
    assert!(matches!(command.stdin(&Input::File(directory)), Err(ErrorCode::InvalidArgument)));
    // What was opened to be read is not written to, by a child neither.
    for (name, set) in [("command.stdout", 1), ("command.stderr", 2)] {
        door(name);
        let target = Output::File(file);
        let refused = if set == 1 { command.stdout(&target) } else { command.stderr(&target) };
        assert!(matches!(refused, Err(ErrorCode::AccessDenied)), "{refused:?}");
        call_failed(name, "EACCES");
    }
    door("command.terminal");
    if let Ok(terminal) = pty::open() {
        command.terminal(&terminal);
    }
    door("command.pass");
    for number in [0, 3, 9] {
        command.pass(number, &Passed::Descriptor(directory)).expect("recorded");
    }
    assert!(command.pass(u32::MAX, &Passed::Descriptor(directory)).is_err(), "no such number");
    door("command.file-actions");
    command.file_actions(actions);
    door("command.deadline");
    command.deadline(0);
    door("command.detach");
    command.detach(true);
    door("command.session");
    command.session(true);
    door("command.process-group");
    command.process_group(&ProcessGroup::New);
    door("command.signal-mask");
    command.signal_mask(&[Signal::Kill]).expect("recorded");
    door("command.default-signals");
    command.default_signals(&[Signal::Term]).expect("recorded");
    door("command.reset-ids");
    command.reset_ids(true);
    door("command.scheduler");
    command.scheduler(Some(SchedulerPolicy::Fifo), 99);
    door("command.nice");
    command.nice(-20);
    door("command.cpu-affinity");
    command.cpu_affinity(&[0, u16::MAX]);
    door("command.umask");
    command.umask(0);
    door("command.rlimit");
    command.rlimit(RlimitKind::Core, None, None);
    door("command.exit-signal");
    command.exit_signal(ExitSignal::None);
    for _ in 0..2 {
        door("command.spawn");
        refused(&command.spawn().expect_err("nothing is granted"));
    }
    door("command.run");
    refused(&Command::run(command, u64::MAX).expect_err("nothing is granted"));
    door("spawn.run-program");
    let args = ["-c".to_owned(), "echo".to_owned()];
    let streams = Streams { stdin: Stdio::Null, stdout: Stdio::Inherit, stderr: Stdio::Piped };
    let ran = run_program("/bin/sh", &args, streams, u64::MAX);
    refused(&ran.expect_err("nothing is granted"));
}

fn refused(error: &SpawnError) {
    let is_policy = matches!(&error.stage, Stage::Policy(rule) if rule == "program");
    assert!(is_policy && matches!(error.code, ErrorCode::AccessDenied), "{error:?}");
    println!("spawn \"/bin/sh\" denied policy program -");
}

fn copies() {
    door("fork.fork");
    for exit_signal in [None, Some(Signal::Chld), Some(Signal::Kill)] {
        let error =
            fork(&Options { exit_signal, deadline: None, group: None }).expect_err("it may not");
        assert!(matches!(error, ForkError::NotPermitted), "{error:?}");
        call_denied("fork", "fork");
    }
    // It ends only what a fork has made: neither the guest nor its host.
    door("fork.exit");
    exit(7);
}
