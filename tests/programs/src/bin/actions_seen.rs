//! Files, directories and pipes under any number, and every action.

use std::fs;
use std::io::{Read, Write};

use offspring_guest::fs::{Dir, File};
use offspring_guest::{FileActions, OpenOptions, Stdio, pipe};
use test_programs::{sh, text};

fn main() {
    fs::create_dir_all("/rw/sub/deep").expect("it is writable");
    fs::write("/rw/sub/file", "beneath\n").expect("it is writable");

    // What is passed.
    let (reader, mut writer) = pipe().expect("a pipe");
    let (mut back, answer) = pipe().expect("a pipe");
    let mut command =
        sh("cat <&7 >/proc/self/fd/200; cat <&5; ls /proc/self/fd/9/; exec ls /proc/self/fd");
    command.pass(7, reader).pass(200, answer).pass(9, Dir::open("/rw/sub").expect("it is there"));
    command.pass(5, File::open("/ro/in").expect("it is there"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    writer.write_all(b"through both pipes\n").expect("it is read");
    drop(writer);
    let mut through = String::new();
    back.read_to_string(&mut through).expect("text");
    assert_eq!(through, "through both pipes\n");
    let mut out = String::new();
    child.stdout.take().expect("it is piped").read_to_string(&mut out).expect("text");
    assert!(child.wait().expect("it ends").success());
    // 3 is of the list itself.
    assert_eq!(out, "from the host\ndeep\nfile\n0\n1\n2\n200\n3\n5\n7\n9\n");

    // A later number replaces, a standard stream too.
    let mut command = sh("cat");
    let first = File::open("/rw/sub/file").expect("it is there");
    command.pass(0, first).pass(0, File::open("/ro/in").expect("it is there"));
    assert_eq!(text(&mut command), "from the host\n");

    // Every action, in order, with a mask and a mode.
    let mut all = FileActions::new();
    all.chdir("/rw/sub").expect("it can be added");
    all.open(3, "/rw/sub", OpenOptions::new().directory(true)).expect("it can be added");
    let new = *OpenOptions::new().write(true).create_new(true).mode(0o7666);
    all.open(4, "/rw/made", &new).expect("it can be added");
    all.open(5, "/rw/log", OpenOptions::new().append(true).create(true)).expect("it can be");
    all.dup2(5, 2).expect("it can be added").close(5).expect("it can be added");
    all.chdir("/rw").expect("it can be added").fchdir(3).expect("it can be added");
    all.close_from(3).expect("it can be added");
    let mut command = sh("pwd -P >&2; umask >&2; exec ls /proc/self/fd");
    command.file_actions(&all).umask(0o27);
    fs::write("/rw/log", "before\n").expect("it is writable");
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut open = String::new();
    child.stdout.take().expect("it is piped").read_to_string(&mut open).expect("text");
    assert!(child.wait().expect("it ends").success());
    // One of them is of the list itself.
    assert_eq!(open, "0\n1\n2\n3\n");
    let log = fs::read_to_string("/rw/log").expect("it is there");
    let [before, directory, mask] = log.lines().collect::<Vec<_>>()[..] else { panic!("{log}") };
    assert!(before == "before" && directory.ends_with("/sub") && mask == "0027", "{log}");
    let mode = text(sh("stat -c %a made").current_dir("/rw"));
    assert_eq!(mode, "640\n");
    fs::remove_file("/rw/made").expect("it is there");

    // Where the guest may only read, reading is all that there is.
    let mut all = FileActions::new();
    all.open(0, "/ro/in", &OpenOptions::new()).expect("it may be read");
    assert_eq!(text(sh("cat").file_actions(&all)), "from the host\n");
}
