//! `offspring policy check`.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use support::{Ended, Folder, run};

const POLICY: &str = r#"
[program.git]
path = "true"
arg0 = "git"
args = [
  { one-of = ["log", "show"] },
  { options = ["-1", { prefix = "--format=" }, ["-n", { integer = { min = 1, max = 50 } }]] },
  { literal = "--", optional = true },
  { path = "preopens", optional = true },
]
env = { LANG = "C.UTF-8" }
env-allow = ["GIT_AUTHOR_*"]
cwd = "preopens"
stdio = ["piped"]
deadline = "30s"
"#;

/// Checks a policy of this text.
fn check(text: &str, args: &[&str]) -> Ended {
    let folder = Folder::new();
    let path = folder.path("policy.toml");
    fs::write(&path, text).unwrap();
    let ended = run(&[&["policy", "check", &path], args].concat());
    let hidden = |text: String| text.replace(&format!("{}/", folder.as_path().display()), "");
    let page = hidden(ended.stdout);
    for line in page.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    Ended { stdout: page, stderr: hidden(ended.stderr), ..ended }
}

/// The page without what belongs to this machine.
#[track_caller]
fn says(ended: &Ended, code: i32, page: &str) {
    assert_eq!((ended.code, &*ended.stderr), (Some(code), ""), "{ended:?}");
    assert_eq!(ended.stdout, page.trim_start_matches('\n'));
}

#[test]
fn what_a_request_is_allowed_by() {
    let folder = Folder::new();
    fs::create_dir_all(folder.path("sub")).unwrap();
    let root = folder.as_path().to_str().unwrap().to_owned();
    let dir = format!("{root}::/src");
    let asked = ["--dir", &dir, "--cwd", "/src", "--stdout", "piped", "--env", "LANG=C.UTF-8"];
    let request = ["--explain", "git", "log", "-1", "--format=%at", "--", "/src/sub/new"];
    let ended = check(POLICY, &[&asked[..], &request].concat());
    let page = ended.stdout.replace(&root, "ROOT");
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{page}");
    let expected = "
  program      yes: `git` is `true`
  args         yes: they fill (log|show) [-1] [--format=<any>] [-n <1..50>] [--]
               [<path>]
               1 `log` fills slot 1: `log`, `show`
               2 `-1` fills slot 2: `-1`
               3 `--format=%at` fills slot 2: `--format=` and anything
               4 `--` fills slot 3: `--`
               5 `/src/sub/new` fills slot 4: a path beneath the guest's
               directories
  env          yes: as the host fixes it: `LANG`
  env-allow    yes: none is set
  cwd          yes: the directory that the guest chose
  stdio        yes: input null, output piped, error null
";
    assert!(page.starts_with(expected.trim_start_matches('\n')), "{page}");
    for line in [
        "  resolve      yes: the directory is there\n",
        "  argument     yes: every path lies where it may\n",
        "               5 becomes ROOT/sub/new\n",
        "\nallowed: git would be started\n",
    ] {
        assert!(page.contains(line), "{line}{page}");
    }
}

#[test]
fn what_a_request_is_denied_by() {
    let table: [(&[&str], &str, &str); 9] = [
        (
            &["--explain", "gti"],
            "program",
            "NO: no program is granted as `gti`, did you mean `git`?",
        ),
        (
            &["--explain", "git", "log", "-1", "--exec=x"],
            "args",
            "NO: argument 3 of `git` may not be `--exec=x`; allowed: `--format=`",
        ),
        (
            &["--explain", "git", "log", "-n", "51"],
            "args",
            "NO: argument 3 of `git` may not be `51`",
        ),
        (&["--env", "LANG=de", "--explain", "git", "log"], "env", "NO: variable `LANG` is fixed"),
        (
            &["--env", "GIT_SSH=x", "--explain", "git", "log"],
            "env-allow",
            "NO: variable `GIT_SSH` is never a guest's to set",
        ),
        (&["--stdin", "inherit", "--explain", "git", "log"], "stdio", "NO: the standard input"),
        (&["--detach", "--explain", "git", "log"], "detach", "NO: `git` may not live on"),
        (&["--group", "g", "--explain", "git", "log"], "group", "NO: the group of `git`"),
        (&["--explain", "git", "log", "/etc/passwd"], "argument", "NO: argument 2, `/etc/passwd`,"),
    ];
    for (args, rule, why) in table {
        let ended = check(POLICY, args);
        assert_eq!((ended.code, &*ended.stderr), (Some(1), ""), "{ended:?}");
        let line = format!(" {rule} {why}");
        let page = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(format!(" {page}").contains(&line), "{line}\n{}", ended.stdout);
        assert!(ended.stdout.ends_with(&format!("denied by `{rule}`\n")), "{}", ended.stdout);
    }
}

#[test]
fn what_a_policy_amounts_to() {
    let mut ended = check(POLICY, &[]);
    // Where it is found is this machine's to say.
    let (before, behind) = ended.stdout.split_once("  found        /").unwrap();
    let (found, behind) = behind.split_once('\n').unwrap();
    assert!(found.ends_with("bin/true"), "{found}");
    ended.stdout = format!("{before}{behind}");
    says(
        &ended,
        0,
        "
program git
  path         true, called git
  args         (log|show) [-1] [--format=<any>] [-n <1..50>] [--] [<path>]
  env          LANG=C.UTF-8, GIT_AUTHOR_* as the guest says
  cwd          any directory of the guest's
  stdio        null, piped
  signals      SIGKILL
  attributes   none
  file-actions none
  rlimits      none
  children     for 30s each
  group        none
  files        the guest's directories, the system's to read
  network      none
  sandbox      whole
  user         the host's own
  namespaces   none of its own
  view         all that the host sees

limits
  children     64 held, 1000 a second, 1000 at once
  handles      65536 of every kind, 256 pipe ends, 64 groups
  bytes        1048576 of arguments, 16777216 in pipes
  forks        none
",
    );
    let ended = check("", &[]);
    assert!(ended.stdout.starts_with("policy.toml: nothing may be started\n"), "{ended:?}");
}

#[test]
fn what_is_dangerous() {
    let folder = Folder::new();
    let tool = |name: &str, mode| {
        let path = folder.path(name);
        fs::copy("/bin/true", &path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let grant = |name: &str, path: &str, rest: &str| {
        format!("[program.{name}]\npath = {path:?}\nsha256 = \"{}\"\n{rest}\n", sum(path))
    };
    let paths = ["sh", "python3.11", "git", "find", "plain"].map(|name| tool(name, 0o755));
    let [sh, python, git, find, plain] = &paths;
    let any = "args = \"any\"";
    let safe = "args = [\"log\", { value = \"any\" }]";
    let open = "args = [\"log\", { rest = \"any\" }]";
    let table = [
        (grant("sh", sh, any), "a shell with arguments of the guest's"),
        (
            grant("sh", sh, "stdio = [\"piped\"]"),
            "a shell that can read commands from its standard input",
        ),
        (grant("sh", sh, "args = [\"-c\", \"exit 0\"]"), ""),
        (grant("py", python, any), "an interpreter with arguments of the guest's"),
        (grant("git", git, any), "the guest chooses its options, and `-c`"),
        (grant("git", git, open), "the guest chooses its options, and `-c`"),
        (grant("git", git, safe), ""),
        (grant("find", find, any), "`-exec`"),
        (grant("plain", plain, any), ""),
        (grant("plain", plain, "sandbox = \"none\""), "it has no sandbox"),
        (grant("plain", plain, "sandbox.files = \"host\""), "all files of the host's user"),
        (
            grant("plain", plain, "sandbox.execute-written = \"allow\""),
            "children can execute what the guest or they themselves have written",
        ),
    ];
    for (text, warning) in table {
        let page = check(&text, &[]).stdout;
        let found = page.split_once("  WARNING      ").map_or("", |(_, rest)| rest);
        let found = found.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(found.contains(warning) && found.is_empty() == warning.is_empty(), "{page}");
        assert_eq!(page.ends_with("\n1 warning\n"), !warning.is_empty(), "{page}");
    }

    let text = |path: &str| format!("[program.x]\npath = {path:?}");
    for (mode, warning) in [
        (0o4755, "is setuid, which has no effect"),
        (0o2755, "is setgid, which has no effect"),
        (0o757, "may be written by everybody"),
    ] {
        let page = check(&text(&tool("special", mode)), &[]).stdout;
        let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(page.contains(warning), "{page}");
    }
    fs::set_permissions(folder.as_path(), fs::Permissions::from_mode(0o777)).unwrap();
    let page = check(&text(plain), &[]).stdout;
    assert!(page.contains("may be written by everybody"), "{page}");
}

/// The sum that an error tells.
fn sum(path: &str) -> String {
    let text = format!("[program.x]\npath = {path:?}\nsha256 = \"{}\"", "0".repeat(64));
    let error = check(&text, &[]).stderr;
    let (_, sum) = error.split_once("write `sha256 = \"").expect(&error);
    sum.split_once('"').unwrap().0.to_owned()
}

#[test]
fn what_cannot_be_used_is_no_denial() {
    let table: [(&str, &[&str], &str); 6] = [
        (
            "[program.x]\npth = 'true'",
            &[],
            "policy.toml:2:1: unknown key `pth`, did you mean `path`?",
        ),
        (
            "[program.x]\npath = '/missing'",
            &["--explain", "x"],
            "policy.toml:2:8: cannot grant `x`: /missing: No such file or directory (os error 2)",
        ),
        (
            "",
            &["--dir", "/missing"],
            "cannot open /missing, which is `/missing` for the guest: No such file or directory (os error 2)",
        ),
        (
            "",
            &["--detach"],
            "--env, --cwd, --detach and --group describe a request, which --explain asks about",
        ),
        (
            "",
            &["--stdin", "pipe", "--explain", "x"],
            "a stream is null, inherit, piped, file or terminal, not pipe",
        ),
        (
            "[program.x]\npath = 'true'\n[group.g]\nmemory-max = 'x'",
            &[],
            "policy.toml:4:14: `memory-max` must be",
        ),
    ];
    for (text, args, error) in table {
        let ended = check(text, args);
        assert_eq!((ended.code, &*ended.stdout), (Some(2), ""), "{ended:?}");
        assert!(ended.stderr.starts_with(&format!("offspring: {error}")), "{}", ended.stderr);
    }
}

#[test]
fn the_guest_must_not_change_what_it_may_start() {
    let folder = Folder::new();
    let path = folder.path("tool");
    fs::copy("/bin/true", &path).unwrap();
    let root = folder.as_path().to_str().unwrap();
    let text = format!("[program.x]\npath = {path:?}");
    let ended = check(&text, &["--dir", &format!("{root}::/src")]);
    let start = "offspring: policy.toml:2:8: cannot grant `x`: the guest may write to ";
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.starts_with(start), "{}", ended.stderr);
    assert_eq!(check(&text, &["--dir", &format!("{root}::/src::ro")]).code, Some(0));

    // Nor what its children may execute besides.
    let text = |more: &str| {
        format!("[program.x]\npath = \"true\"\nsandbox = {{ execute = [{root:?}]{more} }}")
    };
    let held = ["--dir", &format!("{root}::/src")];
    let ended = check(&text(""), &held);
    let start = "offspring: policy.toml:3:24: cannot grant `x`: its children may execute ";
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.starts_with(start), "{}", ended.stderr);
    let ended = check(&text(", execute-written = \"allow\""), &held);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.ends_with("\n1 warning\n"), "{}", ended.stdout);
    let page = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(page.contains("sandbox what the guest has written may be executed"), "{page}");
}
