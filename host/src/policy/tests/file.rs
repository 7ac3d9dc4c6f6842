//! Policy files: what they mean, and what is wrong with them and where.

use std::time::Duration;

use offspring_spawn::{Resource, Signal};

use crate::policy::file::{FILE, FORK, LIMITS, PROGRAM};
use crate::policy::group_file::{GROUP, IO_MAX};
use crate::policy::sandbox::SANDBOX;
use crate::policy::text::listed;
use crate::policy::*;
use crate::request::StdioKind;

pub(super) const EVERYTHING: &str = r#"
[program.git]
path = "/usr/bin/git"
sha256 = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"
arg0 = "git"
args = "any"
env = { LANG = "C.UTF-8", LD_PRELOAD = "/lib/x.so" }
env-inherit = ["PATH", "HOME"]
env-allow = ["CI", "GIT_AUTHOR_*"]
cwd = "preopens"
stdio = ["null", "piped", "inherit", "file", "terminal"]
attributes = ["session", "rlimits"]
file-actions = ["pass", "closefrom"]
rlimits = { nofile = 256, core = 0 }
signals = ["TERM", "SIGINT"]
max-children = 4
spawns-per-second = 10
deadline = "1m30s"
grace = "2s"
detach = true
group = "preferred"
sandbox = { files = "none", run-time = false, read = ["/r"], write = ["/w"], execute = ["/x"],
  network = "unix", metadata = "deny", system-calls = ["ipc"], without = ["signals"],
  best-effort = ["files", "truncate"], execute-written = "allow" }

[program.aaa]
path = "aaa"
args = [
  "log",
  { options = ["-1", { prefix = "--format=" }, ["-n", { integer = { min = 1, max = 0x9 } }]] },
  { one-of = ["a", "b"], prefix = "c", repeat = true },
  "--",
  { path = "preopens", under = "/src", access = "write", prefix = "f=" },
  { rest = "values" },
]
cwd = "/srv"
env-allow = ["*"]

[program.aaa.env]
A = "1"

[limits]
max-children = 0x10
max-pipes = 0
max-handles = 1
max-buffered-bytes = 0
max-argument-bytes = 65_536
max-groups = 3
spawns-per-second = 7
spawn-burst = 2
"#;

#[test]
fn everything_as_in_code() {
    let policy = Policy::parse("p.toml", EVERYTHING).unwrap();
    let [git, aaa] = policy.grants() else { panic!("in the order of the file") };
    let location = git.location().unwrap().clone();
    assert_eq!(location.to_string(), "p.toml:3:8");
    let cwd_location = git.cwd_location().unwrap().clone();
    assert_eq!(cwd_location.to_string(), "p.toml:10:7");
    let group_location = git.group_location().unwrap().clone();
    let sandbox_location = git.sandbox_location().unwrap().clone();
    assert_eq!(sandbox_location.to_string(), "p.toml:22:11");
    let paths = git.get_sandbox().get_paths().iter();
    let mut paths = paths.map(|path| path.location.clone().unwrap());
    let mut path = |sandbox: Sandbox, key, path, at: &str| {
        let location = paths.next().unwrap();
        assert_eq!(location.to_string(), at);
        sandbox.set_at(key, path, Some(location)).unwrap()
    };
    let sandbox = Sandbox::new().files(SandboxFiles::None).run_time(false);
    let sandbox = path(sandbox, "read", "/r", "p.toml:22:55");
    let sandbox = path(sandbox, "write", "/w", "p.toml:22:71");
    let sandbox = path(sandbox, "execute", "/x", "p.toml:22:89")
        .network(Network::Unix)
        .metadata(false)
        .execute_written(true)
        .system_calls(CallGroup::Ipc)
        .without(Part::Signals)
        .best_effort(Part::Files)
        .best_effort(Part::Truncate);
    let expected = Grant::new("git", "ignored")
        .arg0("git")
        .arguments(Arguments::Any)
        .env("LANG", "C.UTF-8")
        .env("LD_PRELOAD", "/lib/x.so")
        .env_inherit("HOME")
        .env_inherit("PATH")
        .env_allow("CI".parse().unwrap())
        .env_allow("GIT_AUTHOR_*".parse().unwrap())
        .cwd_found(Cwd::Preopens, cwd_location)
        .stdio([StdioKind::Piped, StdioKind::Inherit, StdioKind::File, StdioKind::Terminal])
        .attributes([Attribute::Session, Attribute::Rlimits])
        .file_actions([FileAction::Closefrom, FileAction::Pass])
        .rlimit(Resource::Nofile, 256)
        .rlimit(Resource::Core, 0)
        .signals([Signal::TERM, Signal::INT])
        .max_children(4)
        .spawns_per_second(10)
        .deadline(Duration::from_secs(90))
        .grace(Duration::from_secs(2))
        .detach(true)
        .group_found(GrantGroup::Preferred, group_location)
        .sandbox_found(sandbox, sandbox_location)
        .sha256_found(
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".parse().unwrap(),
            git.sha256_location().unwrap().clone(),
        )
        .found("/usr/bin/git", location);
    assert_eq!(*git, expected);
    assert_eq!(git.sha256_location().unwrap().to_string(), "p.toml:4:10");
    assert_eq!(git.get_arg0(), "git");

    let location = aaa.location().unwrap().clone();
    assert_eq!(location.to_string(), "p.toml:27:8");
    let rule = PathRule { under: Some("/src".into()), access: Access::Write };
    let slots = Slots::new([
        Slot::literal("log"),
        Slot::options([
            vec![Word::literal("-1")],
            vec![Word::any().after("--format=")],
            vec![Word::literal("-n"), Word::integer(1..=9)],
        ]),
        Slot::word(Word::one_of(["a", "b"]).after("c")).repeat(),
        Slot::literal("--"),
        Slot::word(Word::path(rule).after("f=")),
        Slot::rest(Word::value()),
    ]);
    let cwd_location = aaa.cwd_location().unwrap().clone();
    let expected = Grant::new("aaa", "ignored")
        .arguments(Arguments::Slots(slots.unwrap()))
        .env("A", "1")
        .env_allow("*".parse().unwrap())
        .cwd_found(Cwd::Fixed("/srv".into()), cwd_location)
        .found("aaa", location);
    assert_eq!(*aaa, expected);
    assert_eq!(aaa.get_arg0(), "aaa");

    let limits = Limits {
        max_children: 16,
        max_pipes: 0,
        max_handles: 1,
        max_buffered_bytes: 0,
        max_argument_bytes: 65536,
        max_groups: 3,
        spawns_per_second: 7,
        spawn_burst: Some(2),
    };
    assert_eq!(policy.get_limits(), limits);
    assert_eq!(policy.get_forks(), None);
    let forks = Policy::parse("p.toml", "[fork]\nmax = 8").unwrap();
    assert_eq!(forks.get_forks(), Some(8));
}

#[test]
fn the_documented_file_is_read() {
    let lines = include_str!("../mod.rs").lines();
    let lines = lines.skip_while(|line| *line != "//! ```toml").skip(1);
    let lines = lines.take_while(|line| *line != "//! ```");
    let text: String = lines.map(|line| format!("{}\n", &line[3..])).collect();
    let policy = Policy::parse("mod.rs", &text).unwrap();
    assert!(policy.get("git").is_some());
    assert_eq!(policy.get_limits(), Limits::default());
}

#[test]
fn a_summary_tells_everything() {
    let policy = Policy::parse("p.toml", EVERYTHING).unwrap();
    let told = |name| {
        let facts = policy.get(name).unwrap().summary();
        let facts = facts.iter().map(|fact| format!("{}: {}", fact.about, fact.allowed));
        facts.collect::<Vec<_>>().join("\n")
    };
    let git = told("git");
    for part in [
        "path: /usr/bin/git, called git; its content is pinned",
        "args: any",
        "env: LANG=C.UTF-8, LD_PRELOAD=/lib/x.so, HOME as the host has it, PATH as the host has it, \
         CI as the guest says, GIT_AUTHOR_* as the guest says",
        "cwd: any directory of the guest's",
        "stdio: null, inherit, piped, file, terminal",
        "signals: SIGKILL, SIGINT, SIGTERM",
        "attributes: session, rlimits",
        "file-actions: pass, closefrom",
        "rlimits: core 0, nofile 256",
        "children: 4 at once, 10 a second, for 90s each, 2s to end when asked, may live on without \
         their handles",
        "group: each its own, where the host can",
    ] {
        assert!(git.contains(part), "{part}\n{git}");
    }
    assert!(told("aaa").contains("cwd: /srv"), "{}", told("aaa"));
}

#[test]
fn absent_means_no() {
    for text in ["", "# nothing\n", "[program]", "[limits]", "program = {}", "\u{feff}"] {
        let policy = Policy::parse("p.toml", text).unwrap();
        assert_eq!((policy.grants().len(), policy.get_limits()), (0, Limits::default()), "{text}");
    }
    let policy = Policy::parse("p.toml", "program.\"my git\".path = 'git'").unwrap();
    let grant = policy.get("my git").unwrap();
    assert_eq!(*grant, Grant::new("my git", "").found("git", grant.location().unwrap().clone()));
}

/// One mistake in each file, and the error without the file's name.
const MISTAKES: &[(&str, &str)] = &[
    ("x", "1:2: key with no value, expected `=`"),
    ("é = 1", "1:1: invalid unquoted key, expected letters, numbers, `-`, `_`"),
    ("[program", "1:9: unclosed table, expected `]`"),
    ("\n[limits]\nmax-pipes = \"1", "3:15: invalid basic string, expected `\"`"),
    ("program.a.path = 'é' x", "1:22: unexpected key or value, expected newline, `#`"),
    ("[program.a]\npath = \"a\"\n[program.a]\n", "3:10: `a` is given twice"),
    ("program.a.path = 'a'\r\n[program.a]", "2:10: `a` is given twice"),
    ("[limits]\nmax-pipes = 1\nmax-pipes = 1", "3:1: `max-pipes` is given twice"),
    ("version = 1", "1:1: unknown key `version`; known here: `program`, `group`, `fork`, `limits`"),
    ("[programs.git]", "1:2: unknown key `programs`, did you mean `program`?"),
    ("\u{feff}[limit]", "1:2: unknown key `limit`, did you mean `limits`?"),
    ("[limits]\n\n[groups.build]", "3:2: unknown key `groups`, did you mean `group`?"),
    (
        "[limits]\n\n[sandbox.build]",
        "3:2: unknown key `sandbox`; known here: `program`, `group`, `fork`, `limits`",
    ),
    ("fork = 8", "1:8: `fork` must be a table, not 8"),
    ("fork = { max = 0 }", "1:16: `max` must be a whole number from 1 to 65535, not 0"),
    ("fork = { max = 65536 }", "1:16: `max` must be a whole number from 1 to 65535, not 65536"),
    ("[fork]", "1:2: `fork` has no `max`"),
    ("fork = { min = 1 }", "1:10: unknown key `min`; known here: `max`"),
    ("[[program]]", "1:1: `program` must be a table, not a list"),
    ("[program]\ngit = \"/usr/bin/git\"", "2:7: `git` must be a table, not \"/usr/bin/git\""),
    ("limits = 1", "1:10: `limits` must be a table, not 1"),
    ("[program.git]", "1:10: program `git` has no `path`"),
    ("[program.git]\npaht = 'git'", "2:1: unknown key `paht`, did you mean `path`?"),
    (
        "[program.\"\"]\npath = 'git'",
        "1:10: a program's name must not be empty nor have control characters, unlike ``",
    ),
    (
        "[program.\"a\\n\"]\npath = 'git'",
        r"1:10: a program's name must not be empty nor have control characters, unlike `a\n`",
    ),
    (
        "program = { é.path = 'a', \"é\\\"\" = { path = 'bin/a' } }",
        "1:13: invalid unquoted key, expected letters, numbers, `-`, `_`",
    ),
    (
        "program = { \"é\".path = 'a', \"ü\" = { path = 'bin/a' } }",
        "1:44: `path` must be absolute, or a bare name to search on PATH, not `bin/a`",
    ),
    ("[limits]\nmax_pipes = 1", "2:1: unknown key `max_pipes`, did you mean `max-pipes`?"),
    (
        "[limits]\nmemory = 1",
        "2:1: unknown key `memory`; known here: `max-children`, `max-pipes`, `max-handles`, \
         `max-buffered-bytes`, `max-argument-bytes`, `max-groups`, `spawns-per-second`, \
         `spawn-burst`",
    ),
    (
        "[limits]\nspawns-per-second = 0",
        "2:21: `spawns-per-second` must be a whole number from 1 to 4294967295, not 0",
    ),
    (
        "[limits]\nmax-children = 0",
        "2:16: `max-children` must be a whole number from 1 to 4294967295, not 0",
    ),
    (
        "[limits]\nmax-pipes = 4294967296",
        "2:13: `max-pipes` must be a whole number from 0 to 4294967295, not 4294967296",
    ),
    (
        "[limits]\nmax-pipes = -1",
        "2:13: `max-pipes` must be a whole number from 0 to 4294967295, not -1",
    ),
    (
        "[limits]\nmax-argument-bytes = \"1M\"",
        "2:22: `max-argument-bytes` must be a whole number from 1 to 18446744073709551615, not \"1M\"",
    ),
];

/// As above, with every line the third of a grant; `{keys}` stands for all that
/// a grant may have.
const MISTAKES_IN_A_GRANT: &[(&str, &str)] = &[
    ("groop = 'build'", "3:1: unknown key `groop`, did you mean `group`?"),
    ("group = 'build'", "3:9: there is no group `build`"),
    ("group = 'requierd'", "3:9: there is no group `requierd`, did you mean `required`?"),
    ("group = 1", "3:9: `group` must be a string, not 1"),
    ("  env_allow = []", "3:3: unknown key `env_allow`, did you mean `env-allow`?"),
    ("env-inherits = []", "3:1: unknown key `env-inherits`, did you mean `env-inherit`?"),
    ("detach = 'yes'", "3:10: `detach` must be true or false, not \"yes\""),
    ("dead-line = '1s'", "3:1: unknown key `dead-line`, did you mean `deadline`?"),
    ("sha256 = 'abc'", "3:10: `sha256` must be 64 hexadecimal digits, not \"abc\""),
    ("sha-256 = ''", "3:1: unknown key `sha-256`, did you mean `sha256`?"),
    ("arg0 = 1", "3:8: `arg0` must be a string, not 1"),
    ("arg0 = \"a\\u0000\"", "3:8: `arg0` must not contain a NUL"),
    ("args = 'all'", "3:8: `args` must be \"any\", \"none\" or a list of slots, not \"all\""),
    ("args = [1]", "3:9: an element of `args` must be a string or a table, not 1"),
    ("args = ['a', []]", "3:14: an element of `args` must be a string or a table, not a list"),
    ("args = [{ litteral = 'a' }]", "3:11: unknown key `litteral`, did you mean `literal`?"),
    (
        "args = [{ regex = '.*' }]",
        "3:11: unknown key `regex`; known here: `literal`, `one-of`, `prefix`, `integer`, `path`, \
         `value`, `options`, `rest`, `under`, `access`, `optional`, `repeat`",
    ),
    (
        "args = ['a', {}]",
        "3:14: a slot must have one of `literal`, `one-of`, `integer`, `path`, `value`, \
         `options`, `rest`, `prefix`",
    ),
    (
        "args = [{ optional = true }]",
        "3:9: a slot must have one of `literal`, `one-of`, `integer`, `path`, `value`, \
         `options`, `rest`, `prefix`",
    ),
    (
        "args = [{ value = 'any', path = 'preopens' }]",
        "3:26: `path` does not go together with `value`",
    ),
    ("args = [{ value = 'all' }]", "3:19: `value` must be \"any\", not \"all\""),
    ("args = [{ path = '/src' }]", "3:18: `path` must be \"preopens\", not \"/src\""),
    (
        "args = [{ path = 'preopens', under = 'src' }]",
        "3:38: `under` must be a path of the guest's from `/` on, not \"src\"",
    ),
    (
        "args = [{ path = 'preopens', access = 'rw' }]",
        "3:39: `access` must be \"read\" or \"write\", not \"rw\"",
    ),
    (
        "args = [{ value = 'any', under = '/src' }]",
        "3:26: `under` does not go together with `value`",
    ),
    ("args = [{ prefix = '' }]", "3:20: `prefix` must not be empty"),
    ("args = [{ one-of = [] }]", "3:9: there is no word that this could be"),
    ("args = [{ one-of = ['a', 'a'] }]", "3:26: `a` is listed twice"),
    ("args = [{ literal = \"\\u0000\" }]", "3:9: an argument cannot contain a NUL"),
    ("args = [{ integer = 5 }]", "3:21: `integer` must be a table, not 5"),
    ("args = [{ integer = { min = 5 } }]", "3:21: `integer` has no `max`"),
    ("args = [{ integer = { min = 5, max = 4 } }]", "3:21: no whole number is from 5 to 4"),
    ("args = [{ integer = { mx = 5 } }]", "3:23: unknown key `mx`, did you mean `max`?"),
    ("args = [{ integer = { max = 1.0 } }]", "3:29: `max` must be a whole number, not 1.0"),
    ("args = [{ rest = 'any' }, 'a']", "3:9: `rest` must be the last slot"),
    (
        "args = [{ rest = 'all' }]",
        "3:18: `rest` must be \"any\", \"values\" or \"paths\", not \"all\"",
    ),
    ("args = [{ rest = 'any', repeat = true }]", "3:25: `repeat` does not go together with `rest`"),
    ("args = [{ options = [] }]", "3:9: `options` must not be empty"),
    ("args = [{ options = ['-v', []] }]", "3:28: an option has at least one word"),
    (
        "args = [{ options = ['-v', '-q', '-v'] }]",
        "3:34: option 1 of `options` and option 3 could both take `-v`",
    ),
    (
        "args = [{ options = [{ prefix = '-n' }, ['-n5', 'x']] }]",
        "3:41: option 1 of `options` and option 2 could both take `-n5`",
    ),
    ("args = [{ options = [{ rest = 'any' }] }]", "3:24: an option cannot have `rest`"),
    (
        "args = [{ options = [{ literal = '-a', repeat = true }] }]",
        "3:40: `repeat` does not go together with `literal`",
    ),
    (
        "args = [{ options = ['-v'], optional = true }]",
        "3:9: `options` can be left out anyway, without `optional`",
    ),
    (
        "args = ['log', { value = 'any', optional = true }, { rest = 'paths' }]",
        "3:16: slot 2 of `args` and slot 3 could both take `x`, so put a literal such as \"--\" \
         between them",
    ),
    (
        "args = [{ options = ['-a', '-b'] }, { rest = 'any' }]",
        "3:22: slot 1 of `args` and slot 2 could both take `-a`, so put a literal such as \"--\" \
         between them",
    ),
    ("env = ['A']", "3:7: `env` must be a table, not a list"),
    ("env = { A = 1 }", "3:13: `A` must be a string, not 1"),
    ("env = { A = '1', A = '2' }", "3:18: `A` is given twice"),
    ("env.A = \"\\u0000\"", "3:5: the value of `A` must not contain a NUL"),
    (
        "env = { OK = '1', \"A=B\" = '1' }",
        "3:19: a name in `env` must not be empty nor have `=` or NUL, unlike `A=B`",
    ),
    ("env-inherit = 'HOME'", "3:15: `env-inherit` must be a list of strings, not \"HOME\""),
    ("env-inherit = ['é', 1]", "3:21: an element of `env-inherit` must be a string, not 1"),
    ("env-inherit = ['A', 'B', 'A']", "3:26: `A` is listed twice"),
    (
        "env-inherit = ['A', '']",
        "3:21: a name in `env-inherit` must not be empty nor have `=` or NUL, unlike ``",
    ),
    ("env-inherit = ['B', 'A']\nenv.A = '1'", "3:21: `A` has a value in `env` already"),
    ("env-allow = ['B', 'A']\nenv.A = '1'", "3:19: `A` is fixed by `env` or `env-inherit` already"),
    (
        "env-allow = [\n  'A',\n  '*_B',\n]",
        "5:3: `env-allow` may have a `*` at the end only, not as in `*_B`",
    ),
    ("env-allow = ['']", "3:14: `env-allow` must not be empty"),
    (
        "env-allow = ['IFS']",
        "3:14: `env-allow` must not have `IFS`, because shells run or split text by it; \
         fix its value in `env`",
    ),
    (
        "env-allow = ['BASH_*']",
        "3:14: `env-allow` must not have `BASH_*`, because shells run or split text by it; \
         fix its value in `env`",
    ),
    ("cwd = './src'", "3:7: `cwd` must be \"preopens\" or an absolute path, not \"./src\""),
    ("cwd = true", "3:7: `cwd` must be \"preopens\" or an absolute path, not true"),
    ("cwd = \"/\\u0000\"", "3:7: `cwd` must be \"preopens\" or an absolute path, not `/\\0`"),
    ("stdio = 'null'", "3:9: `stdio` must be a list of strings, not \"null\""),
    (
        "stdio = ['null', 'pipe']",
        "3:18: an element of `stdio` must be \"null\", \"inherit\", \"piped\", \"file\" or \"terminal\", not \"pipe\"",
    ),
    (
        "signals = ['TERM', 'TREM']",
        "3:20: an element of `signals` must be a signal such as \"TERM\", not \"TREM\"",
    ),
    ("attributes = 'session'", "3:14: `attributes` must be a list of strings, not \"session\""),
    (
        "attributes = ['umask', 'sesion']",
        "3:24: `sesion` is not an element of `attributes`, did you mean `session`?",
    ),
    (
        "attributes = ['x']",
        "3:15: `x` is not an element of `attributes`; known here: `session`, `process-group`, \
         `signal-mask`, `default-signals`, `reset-ids`, `scheduler`, `nice`, `cpu-affinity`, \
         `umask`, `rlimits`, `exit-signal`, `raise-priority`",
    ),
    (
        "attributes = ['umask', 'raise-priority']",
        "3:24: `raise-priority` is of no use without `nice` or `scheduler`",
    ),
    (
        "file-actions = ['close-from']",
        "3:17: `close-from` is not an element of `file-actions`, did you mean `closefrom`?",
    ),
    (
        "file-actions = ['open', 'exec']",
        "3:25: `exec` is not an element of `file-actions`; known here: `pass`, `open`, `close`, \
         `dup2`, `chdir`, `fchdir`, `closefrom`, `tcsetpgrp`",
    ),
    ("rlimits = { nofiles = 1 }", "3:13: unknown key `nofiles`, did you mean `nofile`?"),
    (
        "rlimits = { core = 'none' }",
        "3:20: `core` must be a whole number from 0 to 18446744073709551615, not \"none\"",
    ),
    ("signals = [15]", "3:12: an element of `signals` must be a string, not 15"),
    ("max-children = 0", "3:16: `max-children` must be a whole number from 1 to 4294967295, not 0"),
    (
        "max-children = 1.5",
        "3:16: `max-children` must be a whole number from 1 to 4294967295, not 1.5",
    ),
    (
        "deadline = 30",
        "3:12: `deadline` must be a time such as \"30s\", \"1m30s\" or \"500ms\", not 30",
    ),
    (
        "deadline = '0s'",
        "3:12: `deadline` must be a time such as \"30s\", \"1m30s\" or \"500ms\", not \"0s\"",
    ),
    (
        "deadline = 1979-05-27",
        "3:12: `deadline` must be a time such as \"30s\", \"1m30s\" or \"500ms\", not a date",
    ),
    ("[program.git.cage]", "3:14: unknown key `cage`; known here: {keys}"),
    ("sandbox = 'no'", "3:11: `sandbox` must be \"none\" or a table, not \"no\""),
    ("sandbox = false", "3:11: `sandbox` must be a table, not false"),
    ("sandbox.netwrk = 'deny'", "3:9: unknown key `netwrk`, did you mean `network`?"),
    ("sandbox.network = 'dney'", "3:19: `dney` is no value of `network`, did you mean `deny`?"),
    ("sandbox.execute-written = true", "3:27: `execute-written` must be a string, not true"),
    (
        "sandbox.execute-written = 'alow'",
        "3:27: `alow` is no value of `execute-written`, did you mean `allow`?",
    ),
    ("sandbox.run-time = 'yes'", "3:20: `run-time` must be true or false, not \"yes\""),
    ("sandbox.read = '/etc'", "3:16: `read` must be a list of strings, not \"/etc\""),
    ("sandbox.read = ['etc']", "3:17: `read` must be an absolute path, not `etc`"),
    (
        "sandbox.without = ['signals', 'capabilites']",
        "3:31: `capabilites` is no value of `without`, did you mean `capabilities`?",
    ),
    (
        "sandbox.system-calls = ['all']",
        "3:25: `all` is no value of `system-calls`; known here: `io-uring`, `keys`, `ptrace`, \
         `namespaces`, `mounts`, `bpf`, `userfaultfd`, `ipc`, `terminals`, `limits`, \
         `administration`",
    ),
];

#[test]
fn mistakes() {
    let in_a_grant = MISTAKES_IN_A_GRANT
        .iter()
        .map(|(line, error)| (format!("[program.git]\npath = 'git'\n{line}"), error));
    let files = MISTAKES.iter().map(|(text, error)| ((*text).to_owned(), error));
    for (text, expected) in files.chain(in_a_grant) {
        let error = Policy::parse("p.toml", &text).expect_err(&text);
        let expected = expected.replace("{keys}", &listed(PROGRAM.iter().copied()));
        assert_eq!(error.to_string(), format!("p.toml:{expected}"), "{text}");
    }
}

#[test]
fn paths() {
    let parse = |path: &str| Policy::parse("p", &format!("program.a.path = {path:?}"));
    for path in ["/bin/a", "a", "a b", "..a", "/../a", "/a/", "é"] {
        let policy = parse(path).unwrap();
        assert_eq!(policy.grants()[0].path().to_str(), Some(path));
    }
    for path in ["", ".", "..", "./a", "a/", "a/b", "../a"] {
        let error = parse(path).unwrap_err();
        let rest = "`path` must be absolute, or a bare name to search on PATH, not";
        assert_eq!(error.to_string(), format!("p:1:18: {rest} `{path}`"));
    }
}

#[test]
fn every_known_key_is_read() {
    let tables = [
        ("", FILE),
        ("program.git.", PROGRAM),
        ("fork.", FORK),
        ("limits.", LIMITS),
        ("program.git.sandbox.", SANDBOX),
        ("group.g.", GROUP),
        ("group.g.io-max.\"/dev/sda\".", IO_MAX),
    ];
    for (table, keys) in tables {
        for key in keys {
            // Wrong for every key, but known to all.
            let error = Policy::parse("p", &format!("{table}{key} = nan")).unwrap_err();
            assert!(error.message().starts_with(&format!("`{key}` must be")), "{error}");
        }
    }
}

#[test]
fn a_file_that_cannot_be_read() {
    let error = Policy::load("/nonexistent/p.toml".as_ref()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/nonexistent/p.toml: cannot be read: No such file or directory (os error 2)"
    );
    assert_eq!(error.file(), Some("/nonexistent/p.toml"));
    assert_eq!((error.line(), error.column()), (None, None));
}
