//! Every action needs its word in the grant, and none gives a child what the
//! guest does not have.

use offspring_guest::fs::File;
use offspring_guest::{Command, ErrorCode, FileActions, OpenOptions, Stage, Stdio};
use std::io::{self, ErrorKind};
use test_programs::refused;

fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[track_caller]
fn denied(says: &str, command: &mut Command) {
    let (_, error) = refused(command.spawn());
    assert_eq!(error.stage, Stage::Policy("file-actions".into()), "{}", error.message);
    assert_eq!((error.code, error.errno), (ErrorCode::AccessDenied, None));
    assert!(error.message.contains(says), "{}", error.message);
}

type Add = fn(&mut FileActions) -> io::Result<&mut FileActions>;

fn main() {
    let adds: [(&str, Add); 7] = [
        ("open", |all| all.open(3, "/ro/in", &OpenOptions::new())),
        ("close", |all| all.close(3)),
        ("dup2", |all| all.dup2(0, 3)),
        ("chdir", |all| all.chdir("/ro")),
        ("fchdir", |all| all.fchdir(3)),
        ("closefrom", |all| all.close_from(3)),
        ("tcsetpgrp", |all| all.set_foreground(0)),
    ];
    for (word, add) in adds {
        let mut actions = FileActions::new();
        add(&mut actions).expect("what is denied is denied by the spawn");
        denied(
            &format!("`{word}` is no file action for `plain`"),
            command("plain").file_actions(&actions),
        );
        if word != "close" {
            denied("allowed: `close`", command("close").file_actions(&actions));
        } else {
            let status = command("close").file_actions(&actions).status();
            assert!(status.expect("it is allowed").success());
        }
    }
    let file = File::open("/ro/in").expect("it is there");
    denied("`pass` is no file action for `close`", command("close").pass(5, file));
    // None is no action.
    let none = FileActions::new();
    assert!(command("plain").file_actions(&none).status().expect("it starts").success());

    // Where the guest may only read, nothing is written, made or emptied.
    let mut all = FileActions::new();
    let reading = || *OpenOptions::new().read(true);
    let writing = [
        *OpenOptions::new().write(true),
        *OpenOptions::new().append(true),
        *reading().write(true),
        *reading().create(true),
        *reading().create_new(true),
        *reading().truncate(true),
    ];
    for options in writing {
        let error = all.open(3, "/ro/in", &options).expect_err("it may only be read");
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{options:?}");
    }
    let error = all.open(3, "/nowhere", &reading()).expect_err("no directory has it");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = all.chdir("/nowhere").expect_err("no directory has it");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
