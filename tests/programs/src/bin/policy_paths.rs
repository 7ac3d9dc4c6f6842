//! A path among the arguments is one of the guest's, and becomes the host's for
//! it; what lies outside is refused, however it is said.

use std::fs;

use offspring_guest::{Command, FileActions, Stage, Stdio};
use test_programs::{refused, text};

fn command(program: &str, cwd: Option<&str>, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stderr(Stdio::null()).args(args);
    if let Some(cwd) = cwd {
        command.current_dir(cwd);
    }
    command
}

/// What a file has.
#[track_caller]
fn cat(program: &str, cwd: Option<&str>, path: &str) -> String {
    let mut command = command(program, cwd, &[path]);
    command.stderr(Stdio::piped());
    text(&mut command)
}

#[track_caller]
fn denied(mut command: Command, index: u32, errno: &str, says: &str) {
    command.stdout(Stdio::null());
    let (_, error) = refused(command.spawn());
    assert_eq!(error.stage, Stage::Argument(index), "{}", error.message);
    assert_eq!(error.errno.as_deref(), Some(errno), "{}", error.message);
    assert!(error.message.ends_with(says), "{}", error.message);
    for root in std::env::args().skip(1) {
        assert!(!error.message.contains(&root), "{}", error.message);
    }
}

fn main() {
    let roots: Vec<String> = std::env::args().skip(1).collect();
    let [place, other] = &*roots else { panic!("two directories of the host") };
    let outside = "lies outside of the guest's directories";

    // Without a directory to run in, every path is one of the whole tree.
    for path in ["/dir/file", "dir/file", "./dir/./file", "//dir//file", "/dir/sub/../file"] {
        assert_eq!(cat("cat", None, path), "file", "{path}");
    }
    assert_eq!(cat("cat", None, "/dir/inside/file"), "sub");
    assert_eq!(cat("cat", None, "/dir/inner/file"), "other");
    assert_eq!(cat("cat", None, "/ro/file"), "other");
    for path in [
        "/etc/passwd",
        "/",
        "/dirx/file",
        "/DIR/file",
        "/dir/../etc/passwd",
        "/dir/../dir/file",
        "/dir/absolute",
        "/dir/directory/secret",
        "/dir/up/x",
        "/dir/sub/../../x",
        "/../dir/file",
    ] {
        denied(command("cat", None, &[path]), 0, "EXDEV", outside);
    }
    let (_, error) = refused(command("cat", None, &[&format!("{place}/file")]).output());
    assert_eq!(error.stage, Stage::Argument(0), "a path of the host's is none of the guest's");
    // What is magic is not followed at all.
    let (_, error) = refused(command("cat", None, &["/dir/magic/file"]).output());
    assert!(matches!(error.errno.as_deref(), Some("EXDEV" | "ELOOP")), "{}", error.message);

    // In a directory, a relative path lies beneath that.
    assert_eq!(cat("cat", Some("/dir/sub"), "file"), "sub");
    assert_eq!(cat("cat", Some("/dir/sub"), "/dir/file"), "file");
    denied(command("cat", Some("/dir/sub"), &["../file"]), 0, "EXDEV", outside);
    denied(command("cat", Some("/dir/sub"), &["to-file"]), 0, "EXDEV", outside);
    let mut moved = command("cat", Some("/dir"), &["file"]);
    let mut actions = FileActions::new();
    actions.chdir("/dir/sub").expect("it is there");
    moved.file_actions(&actions);
    denied(moved, 0, "EINVAL", "must start with `/`, because the child changes its directory");

    // Narrower than a directory of the guest's.
    assert_eq!(cat("under", None, "/dir/sub/file"), "sub");
    assert_eq!(cat("under", Some("/dir/sub"), "file"), "sub");
    assert_eq!(cat("under", Some("/dir"), "/dir/sub/file"), "sub");
    let beneath = "does not lie beneath `/dir/sub`";
    for (cwd, path) in [
        (None, "/dir/file"),
        (None, "/dir/sub/../file"),
        (None, "/dir/sub/to-file"),
        (None, "/dir/inner/file"),
        (None, "/ro/file"),
        (Some("/dir"), "file"),
        (Some("/dir"), "/dir/inside/file"),
    ] {
        denied(command("under", cwd, &["/dir/sub/file", path]), 1, "EXDEV", beneath);
    }

    // What is written need not be there yet, but where it will be.
    for (cwd, path) in [(None, "/dir/new"), (Some("/dir/sub"), "new")] {
        let mut touch = command("touch", cwd, &["--", path]);
        assert!(touch.stdout(Stdio::null()).status().expect("it starts").success());
    }
    assert!(fs::metadata("/dir/new").is_ok() && fs::metadata("/dir/sub/new").is_ok());
    for (cwd, path) in [(None, "/ro/new"), (Some("/ro"), "new"), (Some("/dir"), "/ro/new")] {
        let says = "lies where the guest may only read";
        denied(command("touch", cwd, &["--", path]), 1, "EROFS", says);
    }
    let nowhere = command("touch", None, &["--", "/dir/no/new"]);
    denied(nowhere, 1, "ENOENT", "cannot be looked up: No such file or directory (os error 2)");

    // The rest of a word stays.
    let said = text(&mut command("echo", None, &["--file=/dir/sub/", "/ro/x"]));
    assert_eq!(said, format!("--file={place}/sub/ {other}/x\n"));
    let said = text(&mut command("echo", Some("/dir"), &["--file=sub", "/dir"]));
    assert_eq!(said, format!("--file=sub {place}\n"));
}
