//! `offspring run` and `offspring compile`, as people use them.

mod support;

use offspring_tests::HELLO;
use support::{Folder, ci, run};

/// The program of the hello example, which need not be git.
const GIT: &str = "git=/bin/echo";

/// What the hello example says at its end.
const HELLO_ENDS: &str = "git ended with exit status: 0\n";

#[test]
fn a_program_granted_by_path() {
    let ended = run(&["run", "--allow", GIT, HELLO]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.ends_with(HELLO_ENDS), "{ended:?}");
}

#[test]
fn a_program_granted_by_name() {
    let folder = Folder::new();
    let workflow = "jobs: {a: {steps: [{shell: none, run: echo found on the way}]}}";
    folder.write("w.yml", workflow);
    let dir = format!("{}::/repo", folder.path(""));
    let ended = run(&["run", "--allow", "echo", "--dir", &dir, ci(), "--", "/repo/w.yml"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("found on the way"), "{ended:?}");
}

#[test]
fn the_exit_code_is_the_guests() {
    assert_eq!(run(&["run", HELLO]).code, Some(1));
    let ended = run(&["run", ci(), "--", "/nowhere"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
}

#[test]
fn arguments_with_and_without_dashes_before_them() {
    for args in [&["--", "/nowhere"][..], &["/nowhere"]] {
        let ended = run(&[&["run", ci()], args].concat());
        assert!(ended.stderr.contains("/nowhere"), "{ended:?}");
    }
}

#[test]
fn a_path_is_from_where_the_user_is() {
    let mut tool = support::offspring();
    let output = tool.current_dir("/bin").args(["run", "--allow", "git=./echo", HELLO]).output();
    let ended = support::Ended::of(&output.unwrap());
    assert!(ended.stdout.ends_with(HELLO_ENDS), "{ended:?}");
}

#[test]
fn what_is_not_granted_is_refused() {
    let ended = run(&["run", "--allow", "gti=/bin/echo", HELLO]);
    assert_eq!(ended.code, Some(1));
    let expected = "no program is granted as `git`, did you mean `gti`?";
    assert!(ended.stderr.contains(expected), "{ended:?}");
}

#[test]
fn compiled_ahead_of_time() {
    let folder = Folder::new();
    let component = folder.write("hello.wasm", std::fs::read(HELLO).unwrap());
    assert_eq!(run(&["compile", &component]).code, Some(0));
    let ended = run(&["run", "--allow", GIT, &folder.path("hello.cwasm")]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.ends_with(HELLO_ENDS), "{ended:?}");
}

#[test]
fn a_policy_and_more_on_the_command_line() {
    let folder = Folder::new();
    let policy = folder.write(
        "policy.toml",
        "[program.git]\npath = \"/bin/echo\"\nargs = \"any\"\nstdio = [\"piped\"]\n",
    );
    let ended = run(&["run", "--policy", &policy, "--allow", "other=/bin/cat", HELLO]);
    assert_eq!(ended.code, Some(0), "{ended:?}");

    run(&["run", "--policy", &policy, "--allow", GIT, HELLO])
        .fails_with(&format!("program `git` is granted twice, first at {policy}:2:8"));
}

#[test]
fn the_environment_of_children_is_what_was_given() {
    let folder = Folder::new();
    let workflow = "jobs: {a: {steps: [{shell: none, run: env}]}}";
    folder.write("w.yml", workflow);
    let dir = format!("{}::/repo", folder.path(""));
    let base = ["run", "--allow", "env", "--dir", &dir];
    let lines = |more: &[&str]| {
        let args = [&base[..], more, &[ci(), "--", "/repo/w.yml"]].concat();
        let ended = run(&args);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let lines = ended.stdout.lines().filter(|line| line.contains('=')).map(str::to_owned);
        lines.collect::<Vec<_>>()
    };
    assert_eq!(lines(&[]), [""; 0]);
    let given = lines(&["--child-env", "A=b=c", "--child-env", "NOT_SET_ANYWHERE"]);
    assert_eq!(given.len(), 1, "{given:?}");
    assert!(given[0].ends_with("| A=b=c"), "{given:?}");
}

#[test]
fn children_start_where_the_guest_does() {
    let folder = Folder::new();
    folder.write("w.yml", "jobs: {a: {steps: [{shell: none, run: pwd}]}}");
    let dir = format!("{}::/", folder.path(""));
    let ended = run(&["run", "--allow", "pwd", "--dir", &dir, ci(), "--", "/w.yml"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let path = std::fs::canonicalize(folder.as_path()).unwrap();
    assert!(ended.stdout.contains(path.to_str().unwrap()), "{ended:?}");
}
