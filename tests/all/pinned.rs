//! What runs is what was checked: programs that are pinned, and those that a guest
//! could change.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use offspring::policy::Policy;
use offspring::{BuildError, ProcessCtx};
use offspring_tests::*;
use wasmtime_wasi::FsPerms::{self, ReadOnly, ReadWrite};

use crate::place::Place;
use crate::run::Run;

/// Why this grant cannot be had by a guest with this directory.
fn error(text: &str, dir: Option<(&Path, FsPerms)>) -> Option<BuildError> {
    let mut builder = ProcessCtx::builder().policy(Policy::parse("p.toml", text).unwrap());
    if let Some((host, perms)) = dir {
        builder = builder.preopened_dir(host, "/dir", perms);
    }
    builder.build().err()
}

/// The sum of a program, which the error for another one tells.
fn sum(path: &Path) -> String {
    let other = "0".repeat(64);
    let text = format!("[program.x]\npath = {path:?}\nsha256 = \"{other}\"");
    let error = error(&text, None).unwrap().to_string();
    let start = format!("p.toml:3:10: cannot grant `x`: {} has another content; ", path.display());
    assert!(error.starts_with(&start), "{error}");
    let (_, sum) = error.split_once("write `sha256 = \"").expect(&error);
    sum.trim_end_matches("\"`").to_owned()
}

#[test]
pub fn policy_pinned() {
    let place = Place::new();
    let interpreter = place.shell("interpreter");
    let binary = place.shell("binary");
    let script = |name: &str, code| {
        place.program(name, format!("#!{}\nexit {code}\n", interpreter.display()))
    };
    let (pinned, plain) = (script("pinned", 7), script("plain", 7));
    // What it has in its first line is rewritten.
    let second = place.shell("second");
    let by_second = format!("#!{}\nexit 7\n", second.display());
    let by_second = place.program("by-second", by_second);
    let replaced = script("replaced", 7);
    let nothing = sum(&place.program("nothing", ""));
    assert_eq!(nothing, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    let policy = format!(
        "[program.binary]\npath = {binary:?}\nsha256 = \"{}\"\nargs = \"any\"\narg0 = \"sh\"\n\
         stdio = [\"piped\"]\n\
         [program.script]\npath = {pinned:?}\nsha256 = \"{}\"\nargs = \"any\"\nstdio = [\"piped\"]\n\
         [program.plain]\npath = {plain:?}\nargs = \"any\"\nstdio = [\"piped\"]\n\
         [program.by-second]\npath = {by_second:?}\nargs = \"any\"\nstdio = [\"piped\"]\n\
         [program.replaced]\npath = {replaced:?}\nargs = \"any\"\nstdio = [\"piped\"]\n",
        sum(&binary),
        sum(&pinned)
    );
    let run = Run::new(POLICY_PINNED).policy_file(&policy);
    let expected = ["binary=7", "script=7", "plain=refused", "by-second=refused", "replaced=7"];
    let ready = run.args(&expected).ready();
    // In place, so that every descriptor of them is still one of them.
    for name in ["pinned", "plain"] {
        script(name, 10);
    }
    for name in ["binary", "second"] {
        place.program(name, "#!/bin/sh\nexit 9\n");
    }
    // By others in their places, which are nobody's.
    for name in ["interpreter", "replaced"] {
        fs::remove_file(place.path(name)).unwrap();
        place.program(name, "#!/bin/sh\nexit 9\n");
    }
    ready.sync().success();
}

#[test]
fn what_a_guest_could_change_is_not_granted() {
    let (place, outside) = (Place::new(), Place::new());
    fs::create_dir_all(place.path("deep/bin")).unwrap();
    let inside = place.program("deep/bin/tool", "#!/bin/sh\n");
    let shell = place.shell("sh");
    let script = outside.program("script", format!("#!{}\n", shell.display()));
    let link = place.path("link");
    symlink("/bin/sh", &link).unwrap();
    let to_inside = outside.path("to-inside");
    symlink(&inside, &to_inside).unwrap();
    let grant = |path: &Path, more: &str| format!("[program.x]\npath = {path:?}\n{more}");
    let (root, through) = (place.root(), "through its directory `/dir`");

    for path in [&inside, &link, &to_inside] {
        let refused = |dir: &Path| {
            let error = error(&grant(path, ""), Some((dir, ReadWrite))).unwrap().to_string();
            assert!(
                error.starts_with("p.toml:2:8: cannot grant `x`: the guest may write"),
                "{error}"
            );
            assert!(error.contains(through) && error.contains("only to read"), "{error}");
            assert!(error.ends_with("or pin it with `sha256`"), "{error}");
        };
        refused(root);
        if *path != link {
            refused(&place.path("deep"));
            refused(&place.path("deep/bin"));
        }
        assert!(error(&grant(path, ""), Some((root, ReadOnly))).is_none());
        assert!(
            error(&grant(path, ""), Some((outside.root(), ReadWrite))).is_some()
                == (*path == to_inside)
        );
        assert!(error(&grant(path, ""), None).is_none());
    }
    let sha256 = format!("sha256 = \"{}\"", sum(&inside));
    assert!(error(&grant(&inside, &sha256), Some((root, ReadWrite))).is_none());

    // The sum is of the script, not of its interpreter.
    let sha256 = format!("sha256 = \"{}\"", sum(&script));
    for more in ["", &sha256] {
        let error = error(&grant(&script, more), Some((root, ReadWrite))).unwrap().to_string();
        let says = format!("so it could change {}; ", shell.display());
        assert!(error.contains(&says) && error.ends_with("move the program out of it"), "{error}");
    }
}

/// What nobody may write to is safe wherever it is.
#[test]
fn what_a_guest_holds_but_cannot_write_is_granted() {
    if rustix::process::geteuid().is_root() {
        println!(
            "SKIPPED what_a_guest_holds_but_cannot_write_is_granted: root may write everything"
        );
        return;
    }
    let place = Place::new();
    fs::create_dir(place.path("bin")).unwrap();
    let tool = place.program("bin/tool", "#!/bin/sh\n");
    let permit = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    permit(&tool, 0o555).unwrap();
    permit(&place.path("bin"), 0o555).unwrap();
    let grant = format!("[program.x]\npath = {tool:?}\n");
    assert!(error(&grant, Some((&place.path("bin"), ReadWrite))).is_none());
    // The directory above it could be given another one.
    assert!(error(&grant, Some((place.root(), ReadWrite))).is_some());
    permit(&place.path("bin"), 0o755).unwrap();
}

#[test]
fn interpreters_that_cannot_be_pinned() {
    let place = Place::new();
    let table = [
        ("#!/no such interpreter", "/no: No such file or directory (os error 2)"),
        ("#!sh", "must be absolute, not sh"),
        ("#!/usr/bin/env -S sh -e", "write `#!/usr/bin/env NAME`, or the interpreter's path"),
        ("#!/usr/bin/env no-such-shell", "look for: No such file or directory (os error 2)"),
        ("#!", "names no interpreter within its first 256 bytes"),
    ];
    for (line, message) in table {
        let script = place.program("script", format!("{line}\n"));
        let text = format!("[program.x]\npath = {script:?}");
        let error = error(&text, None).unwrap().to_string();
        assert!(error.starts_with("p.toml:2:8: cannot grant `x`: "), "{error}");
        assert!(error.contains(message) && error.contains("/script"), "{error}");
    }
}
