//! Ways out, numbers that are nobody's, and more than there is room for.

use std::fs;

use offspring_guest::fs::File;
use offspring_guest::{Command, ErrorCode, FileActions, OpenOptions, Stage, Stdio};
use test_programs::{failed, refused, sh, text};

#[track_caller]
fn fails(stage: Stage, errno: &str, command: &mut Command) {
    let (_, error) = refused(command.output());
    assert_eq!((error.stage, error.errno.as_deref()), (stage, Some(errno)), "{}", error.message);
}

fn main() {
    ways_out();
    numbers();
    too_many();

    // A FIFO that nobody has the other side of does not hold the host up.
    let mut all = FileActions::new();
    all.open(3, "/rw/fifo", OpenOptions::new().read(true)).expect("it can be added");
    assert!(sh("exit 0").file_actions(&all).output().expect("it starts").status.success());
    let mut all = FileActions::new();
    all.open(3, "/rw/fifo", OpenOptions::new().write(true)).expect("it can be added");
    fails(Stage::FileAction(0), "ENXIO", sh("exit 0").file_actions(&all));
}

fn ways_out() {
    let reading = *OpenOptions::new().read(true);
    let outside =
        ["/rw/..", "/rw/../..", "/rw/up", "/rw/absolute", "/rw/sub/../../x", "/rw/up/etc"];
    for path in outside {
        let mut open = FileActions::new();
        open.close(9).expect("it can be added").open(3, path, &reading).expect("it can be added");
        fails(Stage::FileAction(1), "EXDEV", sh("exit 0").file_actions(&open));
        let mut chdir = FileActions::new();
        chdir.chdir(path).expect("it can be added");
        fails(Stage::FileAction(0), "EXDEV", sh("exit 0").file_actions(&chdir));
    }
    let new = *OpenOptions::new().write(true).create(true);
    let mut create = FileActions::new();
    create.open(3, "/rw/up/made", &new).expect("it can be added");
    fails(Stage::FileAction(0), "EXDEV", sh("exit 0").file_actions(&create));
    let mut link = FileActions::new();
    link.open(3, "/rw/up", OpenOptions::new().no_follow(true)).expect("it can be added");
    fails(Stage::FileAction(0), "ELOOP", sh("exit 0").file_actions(&link));
    let mut plain = FileActions::new();
    plain.open(3, "/rw/file", OpenOptions::new().directory(true)).expect("it can be added");
    fails(Stage::FileAction(0), "ENOTDIR", sh("exit 0").file_actions(&plain));
    let mut missing = FileActions::new();
    missing.open(3, "/rw/missing", &reading).expect("it can be added");
    fails(Stage::FileAction(0), "ENOENT", sh("exit 0").file_actions(&missing));

    let mut all = FileActions::new();
    let long = format!("/rw/{}", "x/".repeat(3000));
    assert!(all.open(3, &long, &reading).is_err());
    assert!(all.chdir(&long).is_err());
    assert!(all.open(3, "/rw/a\0b", &reading).is_err());
}

/// Whatever number is named, what the host needs is not there.
fn numbers() {
    for number in 3..40 {
        let (mut dup2, mut fchdir) = (FileActions::new(), FileActions::new());
        dup2.dup2(number, 1).expect("it can be added");
        fchdir.fchdir(number).expect("it can be added");
        for actions in [dup2, fchdir] {
            for program in ["sh", "script"] {
                let mut command = Command::new(program);
                fails(Stage::FileAction(0), "EBADF", command.file_actions(&actions));
            }
        }
    }
    // Over all of them, and closed again: the program still runs.
    let mut all = FileActions::new();
    for number in 3..40 {
        all.dup2(0, number).expect("it can be added");
    }
    all.close_from(3).expect("it can be added");
    assert_eq!(text(sh("echo here").file_actions(&all)), "here\n");
    assert_eq!(text(Command::new("script").file_actions(&all)), "script\n");
    // Nothing is left for the program to write to.
    all.close_from(0).expect("it can be added");
    let output = sh("echo gone").file_actions(&all).output().expect("it starts");
    assert!(output.stdout.is_empty());
}

fn too_many() {
    let mut all = FileActions::new();
    let added = (0..100_000).take_while(|_| all.dup2(0, 5).is_ok()).count();
    assert_eq!(added, 1000);
    assert_eq!(failed(all.close(5)), ErrorCode::LimitReached);
    assert_eq!(text(sh("echo done").file_actions(&all)), "done\n");

    // Lists of them are bounded by memory, which they give back.
    let path = format!("/rw/{}", "x/".repeat(2000));
    let full = || {
        let mut all = FileActions::new();
        let is_full = (0..1000).any(|_| all.chdir(&path).is_err());
        (all, is_full)
    };
    let mut lists = Vec::new();
    while lists.len() < 1000 {
        let (list, is_full) = full();
        lists.push(list);
        if is_full {
            break;
        }
    }
    assert!(lists.len() < 100, "{} lists", lists.len());
    drop(lists);
    assert!(!full().1, "there is room again");

    fs::write("/rw/file", "").expect("it is writable");
    let mut command = sh("exit 0");
    for number in 3..300 {
        command.pass(number, File::open("/rw/file").expect("it is there"));
    }
    let (_, error) = refused(command.stdout(Stdio::null()).output());
    assert_eq!((error.stage, error.code), (Stage::Request, ErrorCode::LimitReached));
}
