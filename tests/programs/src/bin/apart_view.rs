//! A child that sees what its guest does: the same files at the same paths, and
//! nothing else of the host. The arguments are paths of the host.

use std::fs;
use std::io::ErrorKind;

use offspring_guest::fs::{Dir, File};
use offspring_guest::{Command, ErrorCode, FileActions, OpenOptions, Stage};
use test_programs::{refused, sh, text};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [outside, source] = &args[..] else { panic!("two paths of the host") };
    let script = |script: &str| text(&mut sh(script));

    // The same path on both sides.
    fs::write("/src/a.c", "of the guest\n").expect("it is writable");
    assert_eq!(script("cat /src/a.c"), "of the guest\n");
    script("echo of the child > /src/deep/b.c");
    assert_eq!(fs::read_to_string("/src/deep/b.c").expect("it is there"), "of the child\n");

    // What may only be read, may only be read by the child.
    assert_eq!(
        script("cat /read/in; touch /read/new 2>/dev/null || echo no"),
        "from the host\nno\n"
    );
    // One directory in another one.
    assert_eq!(script("cat /src/inner/in"), "from the host\n");

    // Nothing else, by whatever way.
    for path in
        [outside, source, "/root", "/home", "/tmp", "/etc/shadow", "/src/../tmp", "/src/out"]
    {
        let found = text(sh("test -e \"$1\" && echo there; exit 0").arg(path));
        assert_eq!(found, "", "{path}");
    }
    assert_eq!(script("cd /src; cd ../../..; pwd"), "/\n");
    // A link that leads out on the host leads to what is there in the view.
    assert_eq!(script("cat /src/link"), "of the guest\n");

    // Directories that the guest chooses.
    let pwd = |directory: &str| text(sh("pwd -P").current_dir(directory));
    assert_eq!(script("pwd -P"), "/cwd\n");
    assert_eq!(pwd("/src/deep"), "/src/deep\n");
    assert_eq!(pwd("/read"), "/read\n");
    assert_eq!(pwd("sub"), "/cwd/sub\n");
    assert_eq!(text(sh("echo relative > made; cat made").current_dir("sub")), "relative\n");
    assert_eq!(fs::read_to_string("sub/made").expect("it is there"), "relative\n");

    // Paths among arguments.
    let cat = |path: &str| text(Command::new("cat").arg(path));
    assert_eq!(cat("/src/a.c"), "of the guest\n");
    assert_eq!(cat("/src/inner/in"), "from the host\n");
    assert_eq!(cat("sub/made"), "relative\n");
    let (kind, _) = refused(Command::new("cat").arg("/src/out").output());
    assert_eq!(kind, ErrorKind::PermissionDenied);

    // What file actions open is looked for in the view.
    let mut actions = FileActions::new();
    actions.chdir("/src/deep").expect("it can be added");
    actions.open(5, "/src/a.c", &OpenOptions::new()).expect("it can be added");
    let found = text(sh("pwd -P; cat <&5").file_actions(&actions));
    assert_eq!(found, "/src/deep\nof the guest\n");
    let mut actions = FileActions::new();
    actions.open(5, "/src/out", &OpenOptions::new()).expect("it can be added");
    let (_, error) = refused(sh("exit").file_actions(&actions).output());
    assert_eq!((error.stage, error.code), (Stage::FileAction(0), ErrorCode::AccessDenied));

    // Files and directories can be passed, and these do not lead out.
    let mut command = sh("cat <&6");
    command.pass(6, File::open("/read/in").expect("it is there"));
    assert_eq!(text(&mut command), "from the host\n");
    let mut command = sh("cd /proc/self/fd/6/; pwd -P; cd -P /proc/self/fd/6/../..; pwd -P");
    command.pass(6, Dir::open("/src/deep").expect("it is there"));
    assert_eq!(text(&mut command), "/src/deep\n/\n");
}
