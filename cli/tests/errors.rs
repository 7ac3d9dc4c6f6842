//! What a newcomer reads when something is wrong.

mod support;

use offspring_tests::HELLO;
use support::{Folder, run};

#[test]
fn files_that_are_no_components() {
    let folder = Folder::new();
    // The smallest core module, and the smallest component with an import that
    // nobody has.
    let module = b"\0asm\x01\0\0\0";
    let import = b"\0asm\x0d\0\x01\0\x07\x05\x01\x40\0\x01\0\x0a\x08\x01\0\x03foo\x01\0";
    let truncated = &std::fs::read(HELLO).unwrap()[..1000];
    for (name, content, problem) in [
        ("empty", &b""[..], "cannot run PATH: it is empty"),
        ("text", b"hello\n", "cannot run PATH: it is not a WebAssembly component"),
        (
            "module",
            module,
            "cannot run PATH: it is a core module, not a component; build it for wasm32-wasip2",
        ),
        ("truncated", truncated, "cannot compile PATH: "),
        ("import", import, "cannot run PATH: "),
    ] {
        let path = folder.write(name, content);
        let ended = run(&["run", &path]);
        assert_eq!((ended.code, &*ended.stdout), (Some(125), ""), "{ended:?}");
        let line = format!("offspring: {}", problem.replace("PATH", &path));
        assert!(ended.stderr.starts_with(&line), "{ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    }
}

#[test]
fn an_import_that_is_not_there_is_named() {
    let folder = Folder::new();
    let import = b"\0asm\x0d\0\x01\0\x07\x05\x01\x40\0\x01\0\x0a\x08\x01\0\x03foo\x01\0";
    let ended = run(&["run", &folder.write("import.wasm", import)]);
    assert!(ended.stderr.contains("foo"), "{ended:?}");
}

#[test]
fn a_missing_component() {
    run(&["run", "/no/such.wasm"])
        .fails_with("cannot read /no/such.wasm: No such file or directory (os error 2)");
}

#[test]
fn compiled_by_another_version() {
    let folder = Folder::new();
    let path = folder.path("hello.cwasm");
    assert_eq!(run(&["compile", HELLO, "-o", &path]).code, Some(0));
    let mut bytes = std::fs::read(&path).unwrap();
    // The version stands behind its length.
    let version = b"\x0248";
    let at = bytes.windows(version.len()).position(|window| window == version).unwrap();
    bytes[at + 1] = b'3';
    std::fs::write(&path, bytes).unwrap();
    let ended = run(&["run", &path]);
    assert_eq!(ended.code, Some(125), "{ended:?}");
    let line = format!("offspring: cannot use {path}; compile it anew with `offspring compile`: ");
    assert!(ended.stderr.starts_with(&line), "{ended:?}");
}

#[test]
fn a_policy_with_a_typo() {
    let folder = Folder::new();
    let policy = folder.write("p.toml", "[program.git]\npath = \"git\"\nenv-alow = []\n");
    let ended = run(&["run", "--policy", &policy, HELLO]);
    let line = format!("{policy}:3:1: unknown key `env-alow`");
    assert!(ended.stderr.starts_with(&format!("offspring: {line}")), "{ended:?}");
    assert!(ended.stderr.contains("did you mean `env-allow`?"), "{ended:?}");
    assert_eq!(ended.code, Some(125));
}

#[test]
fn a_policy_that_is_not_there() {
    run(&["run", "--policy", "/no/such.toml", HELLO])
        .fails_with("/no/such.toml: cannot be read: No such file or directory (os error 2)");
}

#[test]
fn programs_that_cannot_be_granted() {
    let folder = Folder::new();
    let file = folder.write("not-executable", "");
    for (allow, problem) in [
        ("x=/no/such".to_owned(), "/no/such: No such file or directory (os error 2)".to_owned()),
        ("x=/bin".to_owned(), "/bin is a directory, not a program".to_owned()),
        (format!("x={file}"), format!("{file} may not be executed")),
        ("x".to_owned(), "no directory of $PATH has an executable file `x`".to_owned()),
    ] {
        let ended = run(&["run", "--allow", &allow, HELLO]);
        ended.fails_with(&format!("cannot grant `x`: {problem}"));
    }
    let policy = folder.write("p.toml", "[program.x]\n  path = \"/no/such\"\n");
    let problem = "cannot grant `x`: /no/such: No such file or directory (os error 2)";
    run(&["run", "--policy", &policy, HELLO]).fails_with(&format!("{policy}:2:10: {problem}"));
}

#[test]
fn directories_that_are_not_there() {
    let ended = run(&["run", "--dir", "/no/such::/", HELLO]);
    assert_eq!(ended.code, Some(125), "{ended:?}");
    assert!(
        ended.stderr.contains("cannot open /no/such, which is `/` for the guest: No such"),
        "{ended:?}"
    );
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
}

#[test]
fn variables_for_nobody() {
    run(&["run", "--child-env", "A=b", HELLO])
        .fails_with("--child-env is for programs granted by --allow, and there is none");
}

#[test]
fn a_full_disk() {
    run(&["compile", HELLO, "-o", "/dev/full"])
        .fails_with("cannot write /dev/full: No space left on device (os error 28)");
}

#[test]
fn compiling_over_the_input() {
    let folder = Folder::new();
    let path = folder.write("x.cwasm", std::fs::read(HELLO).unwrap());
    run(&["compile", &path]).fails_with(&format!("{path} would be overwritten; say --output"));
}
