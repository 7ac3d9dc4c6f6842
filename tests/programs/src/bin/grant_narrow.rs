//! A grant is narrowed rule by rule, and what is left never grows again.

use std::io;

use offspring_guest::{
    Command, ErrorCode, FileActions, GrantHandle, NarrowError, Resource, Rlimit, Signal, Stage,
    Stdio,
};
use test_programs::{failed, refused, text};

fn command(grant: &GrantHandle, args: &[&str]) -> Command {
    let mut command = Command::from_grant(grant);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[track_caller]
fn denied<T: std::fmt::Debug>(rule: &str, says: &str, result: io::Result<T>) {
    let (_, error) = refused(result);
    assert_eq!(error.stage, Stage::Policy(rule.into()), "{}", error.message);
    assert!(error.message.contains(says), "{}", error.message);
}

fn main() {
    let sh = GrantHandle::open("sh");
    let narrow = |rules: &str| sh.narrow(rules).unwrap_or_else(|error| panic!("{rules}: {error}"));
    assert_eq!(narrow("").name(), "sh");
    assert_eq!(text(Command::from_grant(&narrow("")).args(["-c", "echo $0 $LANG", "x"])), "x C\n");

    // Each rule.
    let echo = narrow("args = ['-c', 'echo \"$0\"', { value = 'any' }]");
    assert_eq!(text(Command::from_grant(&echo).args(["-c", "echo \"$0\"", "x"])), "x\n");
    denied("args", "argument 2 of `sh` may not be `id`", command(&echo, &["-c", "id"]).spawn());
    let mut set = command(&narrow("env-allow = ['A']"), &["-c", ":"]);
    assert!(set.env("A", "1").status().expect("it starts").success());
    denied("env-allow", "`B` may not be set", set.env("B", "1").spawn());
    let mut there = command(&narrow("cwd = 'none'"), &["-c", ":"]);
    assert!(there.status().expect("it starts").success());
    denied("cwd", "any more", there.current_dir("/dir").spawn());
    let mut piped = command(&narrow("stdio = ['piped']"), &["-c", ":"]);
    assert!(piped.stdout(Stdio::piped()).status().expect("it starts").success());
    denied("stdio", "`inherit` any more", piped.stdout(Stdio::inherit()).spawn());
    let mut nice = command(&narrow("attributes = ['nice']"), &["-c", ":"]);
    assert!(nice.nice(19).status().expect("it starts").success());
    denied("attributes", "`umask`", nice.umask(0o77).spawn());
    let mut acts = command(&narrow("file-actions = ['close']"), &["-c", ":"]);
    let mut actions = FileActions::new();
    actions.close(9).expect("a number");
    assert!(acts.file_actions(&actions).status().expect("it starts").success());
    actions.dup2(1, 8).expect("numbers");
    denied("file-actions", "`dup2`", acts.file_actions(&actions).spawn());

    // Limits are lowered, and those of the host's grant stay.
    let limits = narrow("rlimits = { nofile = 20, core = 4096 }");
    let shows = ["-c", "ulimit -n; ulimit -c"];
    assert_eq!(text(Command::from_grant(&limits).args(shows)), "20\n0\n");
    let most = |limit| Rlimit { soft: Some(limit), hard: Some(limit) };
    let mut chosen = command(&limits, &["-c", ":"]);
    assert!(chosen.rlimit(Resource::Nofile, most(19)).status().expect("it starts").success());
    denied("rlimits", "20 at most", chosen.rlimit(Resource::Nofile, most(21)).spawn());
    // One that the host's grant does not have stays below the host's own.
    let own = text(Command::from_grant(&sh).args(["-c", "ulimit -Hn"]));
    let more = narrow("rlimits = { nofile = 1000000000000 }");
    assert_eq!(text(Command::from_grant(&more).args(["-c", "ulimit -Hn"])), own);
    let mut sleeps = command(&narrow("deadline = '50ms'"), &["-c", "exec sleep 100000"]);
    assert_eq!(sleeps.status().expect("it starts").signal(), Some(9));
    denied(
        "detach",
        "live on",
        command(&narrow("detach = false"), &["-c", ":"]).detach(true).spawn(),
    );

    // A child keeps the rules that it was started by.
    let quiet = narrow("signals = ['INT']");
    let mut child = command(&quiet, &["-c", "exec sleep 100000"]).spawn().expect("it starts");
    drop(quiet);
    assert_eq!(failed(child.pidfd().send_signal(Signal::TERM)), ErrorCode::AccessDenied);
    child.pidfd().send_signal(Signal::INT).expect("it is left");
    assert_eq!(child.wait().expect("it ends").signal(), Some(2));

    // Counted for all that it was made of, and those that were made of it.
    let one = narrow("max-children = 1");
    let less = one.narrow("args = 'any'").expect("rules");
    let sleep = ["-c", "exec sleep 100000"];
    let held = command(&less, &sleep).spawn().expect("it starts");
    denied("max-children", "1 children of this narrowed grant", command(&one, &sleep).spawn());
    let other = command(&sh, &sleep).spawn().expect("the other one has its own");
    denied("max-children", "2 children of this grant", command(&sh, &sleep).spawn());
    drop((held, other));
    assert!(command(&one, &["-c", ":"]).status().expect("there is room").success());
    let rare = narrow("spawns-per-second = 1");
    assert!(command(&rare, &["-c", ":"]).status().expect("the first").success());
    denied("spawns-per-second", "narrowed grant", command(&rare, &["-c", ":"]).spawn());

    // What is taken away does not come back.
    let none = narrow("args = 'none'").narrow("args = 'any'").expect("rules");
    denied("args", "nothing more", command(&none, &["-c", ":"]).spawn());
    let wider = narrow(
        "stdio = ['file', 'inherit', 'piped', 'terminal']\nsignals = ['KILL', 'HUP']\n\
                        rlimits = { core = 99 }\nmax-children = 1000\ndetach = true\nenv-allow = ['*']",
    );
    denied("detach", "may not live on", command(&wider, &["-c", ":"]).detach(true).spawn());
    denied("env-allow", "`C` may not", command(&wider, &["-c", ":"]).env("C", "1").spawn());
    assert_eq!(text(Command::from_grant(&wider).args(["-c", "ulimit -c"])), "0\n");
    let mut child = command(&wider, &sleep).spawn().expect("it starts");
    assert_eq!(failed(child.pidfd().send_signal(Signal::HUP)), ErrorCode::AccessDenied);
    child.kill().expect("it always may");

    // A path is one only where the host says so.
    let path = narrow("args = ['-c', ':', { path = 'preopens' }]");
    denied("args", "argument 3 of `sh` is no path", command(&path, &["-c", ":", "/dir"]).spawn());
    let cat = GrantHandle::open("cat");
    let under = cat.narrow("args = [{ path = 'preopens', under = '/dir/sub' }]").expect("rules");
    let mut reads = Command::from_grant(&under);
    assert_eq!(text(reads.arg("/dir/sub/file")), "sub");
    let (_, error) = refused(Command::from_grant(&under).arg("/dir/file").output());
    assert_eq!(error.stage, Stage::Argument(0), "{}", error.message);

    // Rules that are none.
    let error = |rules: &str| sh.narrow(rules).expect_err(rules);
    let invalid = |line, column, message: &str| NarrowError::Invalid {
        line,
        column,
        message: message.into(),
    };
    let unknown = "unknown key `path`; known here: `args`, `env-allow`, `cwd`, `stdio`, `attributes`, \
                   `file-actions`, `rlimits`, `signals`, `max-children`, `spawns-per-second`, \
                   `deadline`, `detach`";
    assert_eq!(error("args = 'any'\npath = '/bin/id'"), invalid(2, 1, unknown));
    assert_eq!(
        error("deadline = 5"),
        invalid(
            1,
            12,
            "`deadline` must be a time such as \"30s\", \
        \"1m30s\" or \"500ms\", not 5"
        )
    );
    assert_eq!(error("x"), invalid(1, 2, "key with no value, expected `=`"));
    assert_eq!(error(&" ".repeat(16385)), NarrowError::TooLong);
    let mut deep = sh.clone();
    for _ in 0..8 {
        deep = deep.narrow("").expect("eight times");
    }
    assert_eq!(deep.narrow("").expect_err("no more"), NarrowError::TooLong);

    // What is not granted is not granted by a handle either.
    denied(
        "program",
        "no program is granted as `id`",
        command(&GrantHandle::open("id"), &[]).spawn(),
    );
    let all: Result<Vec<_>, _> = (0..1000).map(|_| sh.narrow(&"#".repeat(16000))).collect();
    assert_eq!(all.expect_err("not for ever"), NarrowError::LimitReached);
    assert!(command(&sh, &["-c", ":"]).status().expect("as before").success());
}
