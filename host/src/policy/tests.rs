//! Whole policies: what they allow, and how they are put together.

mod apart;
mod args;
mod attributes;
mod file;
pub(crate) mod fuzz;
mod groups;
mod narrow;
mod oracle;
pub(crate) mod random;

use std::path::PathBuf;
use std::time::Duration;

use offspring_spawn::{Resource, Signal};

use super::*;
use crate::plan::{PathArgument, Plan, PlanCwd, PlanGroup};
use crate::request::{Attributes, Request, StdioKind};

const SECOND: Duration = Duration::from_secs(1);

fn policy(grant: Grant) -> Policy {
    Policy::new().grant(grant).unwrap()
}

fn request(program: &str) -> Request {
    Request { program: program.into(), ..Request::default() }
}

fn with_args(args: &[&str]) -> Request {
    Request { args: args.iter().map(|&arg| arg.into()).collect(), ..request("git") }
}

fn with_env(env: &[(&str, &str)]) -> Request {
    Request { env: pairs(env), ..request("git") }
}

fn pairs(env: &[(&str, &str)]) -> Vec<(String, String)> {
    env.iter().map(|&(name, value)| (name.into(), value.into())).collect()
}

fn git() -> Grant {
    Grant::new("git", "/usr/bin/git")
}

#[test]
fn a_new_policy_allows_nothing() {
    let denied = Policy::new().check(&request("git")).unwrap_err();
    assert_eq!(denied.rule, Rule::Program);
    assert_eq!(denied.to_string(), "no program is granted as `git`");
    assert_eq!(Policy::new().get_limits(), Limits::default());
    let limits = Limits::default();
    assert_eq!((limits.max_children, limits.max_pipes, limits.max_handles), (64, 256, 65_536));
    assert_eq!((limits.max_buffered_bytes, limits.max_argument_bytes), (16 << 20, 1 << 20));
    assert_eq!(limits.max_groups, 64);
    assert_eq!((limits.spawns_per_second, limits.burst()), (1000, 1000));
}

#[test]
fn a_new_grant_allows_the_bare_program() {
    let plan = policy(git()).check(&request("git"));
    let expected = Plan {
        grant: 0,
        argv: vec!["/usr/bin/git".into()],
        paths: vec![],
        env: vec![],
        cwd: PlanCwd::Initial,
        stdin: StdioKind::Null,
        stdout: StdioKind::Null,
        stderr: StdioKind::Null,
        terminal: false,
        file_actions: [].into(),
        attributes: Attributes::default(),
        rlimits: vec![],
        deadline: None,
        grace: Duration::ZERO,
        detach: false,
        group: PlanGroup::None,
    };
    assert_eq!(plan, Ok(expected));
}

#[test]
fn what_is_denied() {
    let allowing = |patterns: &[&str]| {
        let patterns = patterns.iter().map(|pattern| pattern.parse().unwrap());
        patterns.fold(git(), Grant::env_allow)
    };
    let cwd = Request { cwd: true, ..request("git") };
    let table = [
        (git(), request("gti"), "program", "no program is granted as `gti`, did you mean `git`?"),
        (git(), request("Git\n"), "program", r"no program is granted as `Git\n`"),
        (git(), request("/usr/bin/git"), "program", "no program is granted as `/usr/bin/git`"),
        (git(), with_args(&[""]), "args", "`git` may be started without arguments only"),
        (
            git().env("LANG", "C"),
            with_env(&[("LANG", "de")]),
            "env",
            "variable `LANG` is fixed by the host for `git`",
        ),
        (
            // The host has no value for it, and that is what it is fixed to.
            allowing(&["*"]).env_inherit("LANG"),
            with_env(&[("LANG", "")]),
            "env",
            "variable `LANG` is fixed by the host for `git`",
        ),
        (
            git(),
            with_env(&[("CI", "1")]),
            "env-allow",
            "variable `CI` may not be set for `git`; allowed: none",
        ),
        (
            allowing(&["CI", "GIT_AUTHOR_*"]),
            with_env(&[("CI", "1"), ("GIT_AUTHOR_NAME", "a"), ("LANG", "C")]),
            "env-allow",
            "variable `LANG` may not be set for `git`; allowed: `CI`, `GIT_AUTHOR_*`",
        ),
        (
            allowing(&["*"]),
            with_env(&[("IFS", "x")]),
            "env-allow",
            "variable `IFS` is never a guest's to set, because shells run or split text by it",
        ),
        (
            git(),
            cwd.clone(),
            "cwd",
            "the directory of `git` may not be chosen; it runs where the host says",
        ),
        (
            git().cwd(Cwd::Fixed("/srv/secret".into())),
            cwd,
            "cwd",
            "the directory of `git` may not be chosen; it runs where the host says",
        ),
        (
            git().stdio([StdioKind::File]),
            Request { stdin: StdioKind::Inherit, ..request("git") },
            "stdio",
            "the standard input of `git` may not be `inherit`; allowed: `null`, `file`",
        ),
        (
            git().stdio([StdioKind::Inherit]),
            Request { stdout: StdioKind::Pipe, ..request("git") },
            "stdio",
            "the standard output of `git` may not be `piped`; allowed: `null`, `inherit`",
        ),
        (
            git().stdio([StdioKind::Pipe]),
            Request { stderr: StdioKind::File, stdout: StdioKind::Piped, ..request("git") },
            "stdio",
            "the standard error of `git` may not be `file`; allowed: `null`, `piped`",
        ),
        (
            git().stdio([StdioKind::Pipe]),
            Request { terminal: true, ..request("git") },
            "stdio",
            "`git` may not run in a terminal; allowed: `null`, `piped`",
        ),
        (
            git().stdio([StdioKind::Pipe]),
            Request { stdin: StdioKind::Terminal, ..request("git") },
            "stdio",
            "the standard input of `git` may not be `terminal`; allowed: `null`, `piped`",
        ),
        (
            git(),
            Request { file_actions: [FileAction::Pass].into(), ..request("git") },
            "file-actions",
            "`pass` is no file action for `git`; allowed: none",
        ),
        (
            git().file_actions([FileAction::Pass, FileAction::Open]),
            Request { file_actions: [FileAction::Pass, FileAction::Dup2].into(), ..request("git") },
            "file-actions",
            "`dup2` is no file action for `git`; allowed: `pass`, `open`",
        ),
    ];
    for (grant, request, rule, message) in table {
        let denied = policy(grant).check(&request).unwrap_err();
        assert_eq!((denied.rule.as_str(), &*denied.message), (rule, message));
    }
}

#[test]
fn the_first_rule_wins() {
    // Everything is wrong; each step puts one thing right.
    let mut request = Request {
        program: "gti".into(),
        args: vec!["x".into()],
        env: pairs(&[("CI", "1"), ("LANG", "de")]),
        cwd: true,
        stdin: StdioKind::File,
        terminal: true,
        file_actions: [FileAction::Close].into(),
        attributes: Attributes { umask: Some(0), ..attributes::core(2) },
        ..Request::default()
    };
    let grant = git().env("LANG", "C").attributes([Attribute::Rlimits]);
    let policy = policy(grant.rlimit(Resource::Core, 1));
    type Mend = fn(&mut Request);
    let mends: [(Rule, Mend); 10] = [
        (Rule::Program, |request| request.program = "git".into()),
        (Rule::Args, |request| request.args.clear()),
        (Rule::Env, |request| request.env[1].1 = "C".into()),
        (Rule::EnvAllow, |request| drop(request.env.remove(0))),
        (Rule::Cwd, |request| request.cwd = false),
        (Rule::Stdio, |request| request.stdin = StdioKind::Null),
        (Rule::Stdio, |request| request.terminal = false),
        (Rule::FileActions, |request| request.file_actions.clear()),
        (Rule::Attributes, |request| request.attributes.umask = None),
        (Rule::Rlimits, |request| request.attributes = attributes::core(1)),
    ];
    for (rule, mend) in mends {
        assert_eq!(policy.check(&request).unwrap_err().rule, rule);
        mend(&mut request);
    }
    assert_eq!(policy.check(&request).unwrap().env, pairs(&[("LANG", "C")]));
}

#[test]
fn what_is_planned() {
    let mut policy = Policy::new()
        .grant(Grant::permissive("sh", "sh").arg0("-sh"))
        .and_then(|policy| {
            policy.grant(
                Grant::permissive("git", "/usr/bin/git")
                    .env("Z", "fixed")
                    .env_inherit("PATH")
                    .env_inherit("UNSET")
                    .env_allow("A*".parse().unwrap())
                    .deadline(10 * SECOND)
                    .grace(2 * SECOND)
                    .detach(true),
            )
        })
        .unwrap();
    policy.resolve_environment(|name| (name == "PATH").then(|| "/bin".to_owned()));
    let request = Request {
        args: vec!["status".into(), "".into()],
        env: pairs(&[("Z", "fixed"), ("AB", "2"), ("A", "1"), ("PATH", "/bin")]),
        cwd: true,
        stdin: StdioKind::Inherit,
        stdout: StdioKind::Pipe,
        stderr: StdioKind::File,
        detach: true,
        ..request("git")
    };
    let expected = Plan {
        grant: 1,
        argv: vec!["/usr/bin/git".into(), "status".into(), "".into()],
        paths: vec![],
        env: pairs(&[("A", "1"), ("AB", "2"), ("PATH", "/bin"), ("Z", "fixed")]),
        cwd: PlanCwd::Guest,
        stdin: StdioKind::Inherit,
        stdout: StdioKind::Pipe,
        stderr: StdioKind::File,
        terminal: false,
        file_actions: [].into(),
        attributes: Attributes::default(),
        rlimits: vec![],
        deadline: Some(10 * SECOND),
        grace: 2 * SECOND,
        detach: true,
        group: PlanGroup::None,
    };
    assert_eq!(policy.check(&request), Ok(expected));
    assert_eq!(policy.check(&self::request("sh")).unwrap().argv, ["-sh"]);
}

#[test]
fn paths_have_their_places_among_all_arguments() {
    let path = Word::path(PathRule::default());
    let slots = Slots::new([Slot::literal("-C"), Slot::path(PathRule::default())]).unwrap();
    let plan = policy(git().arguments(Arguments::Slots(slots))).check(&with_args(&["-C", "é"]));
    let access = Access::Read;
    let expected = PathArgument { index: 2, start: 0, under: None, access };
    assert_eq!(plan.unwrap().paths, std::slice::from_ref(&expected));
    let slots = Slots::new([Slot::word(path.after("-Cé"))]).unwrap();
    let plan = policy(git().arguments(Arguments::Slots(slots))).check(&with_args(&["-Cé/x"]));
    assert_eq!(plan.unwrap().paths, [PathArgument { index: 1, start: 4, ..expected }]);
}

#[test]
fn the_smaller_deadline_counts() {
    let table = [
        (None, None, None),
        (Some(2), None, Some(2)),
        (None, Some(3), Some(3)),
        (Some(2), Some(3), Some(2)),
        (Some(3), Some(2), Some(2)),
        (Some(3), Some(0), Some(0)),
    ];
    for (granted, asked, expected) in table {
        let seconds = |n: Option<u32>| n.map(|n| n * SECOND);
        let grant = seconds(granted).map_or(git(), |deadline| git().deadline(deadline));
        let request = Request { deadline: seconds(asked), ..request("git") };
        assert_eq!(policy(grant).check(&request).unwrap().deadline, seconds(expected));
    }
}

#[test]
fn a_fixed_directory_is_used() {
    let plan = policy(git().cwd(Cwd::Fixed("/srv".into()))).check(&request("git")).unwrap();
    assert_eq!(plan.cwd, PlanCwd::Fixed(PathBuf::from("/srv")));
    let plan = policy(git().cwd(Cwd::Preopens)).check(&request("git")).unwrap();
    assert_eq!(plan.cwd, PlanCwd::Initial);
}

#[test]
fn signals() {
    let grant = git().signals([Signal::TERM, Signal::INT]);
    for allowed in [Signal::KILL, Signal::TERM, Signal::INT] {
        assert_eq!(grant.check_signal(allowed), Ok(()));
    }
    let denied = grant.check_signal(Signal::HUP).unwrap_err();
    assert_eq!(denied.rule.as_str(), "signals");
    assert_eq!(
        denied.message,
        "SIGHUP may not be sent to `git`; allowed: `SIGKILL`, `SIGINT`, `SIGTERM`"
    );
    assert_eq!(git().check_signal(Signal::KILL), Ok(()));
    assert!(git().check_signal(Signal::TERM).is_err());
}

#[test]
fn the_builder_checks_what_the_file_does() {
    let table = [
        (
            Grant::new("", "/x"),
            "program ``: a program's name must not be empty nor have control characters, unlike ``",
        ),
        (
            Grant::new("git", "./git"),
            "program `git`: `path` must be absolute, or a bare name to search on PATH, not `./git`",
        ),
        (git().arg0("a\0"), "program `git`: `arg0` must not contain a NUL"),
        (
            git().env("A=B", ""),
            "program `git`: a name in `env` must not be empty nor have `=` or NUL, unlike `A=B`",
        ),
        (git().env("A", "\0"), "program `git`: the value of `A` must not contain a NUL"),
        (
            git().env_inherit(""),
            "program `git`: a name in `env-inherit` must not be empty nor have `=` or NUL, unlike ``",
        ),
        (git().env("A", "").env_inherit("A"), "program `git`: `A` has a value in `env` already"),
        (
            git().env("A", "").env_allow("A".parse().unwrap()),
            "program `git`: `A` is fixed by `env` or `env-inherit` already",
        ),
        (
            git().cwd(Cwd::Fixed("tmp".into())),
            "program `git`: `cwd` must be \"preopens\" or an absolute path, not `tmp`",
        ),
    ];
    for (grant, message) in table {
        let error = Policy::new().grant(grant).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert_eq!((error.file(), error.line(), error.column()), (None, None, None));
    }
}

#[test]
fn merging() {
    let a = || Policy::parse("a.toml", "[program.a]\npath = \"/a\"").unwrap();
    let b = || Policy::parse("b.toml", "program.a.path = \"/b\"\n[limits]\nmax-pipes = 8").unwrap();
    let error = a().merge(b()).unwrap_err();
    assert_eq!(error.to_string(), "b.toml:1:18: program `a` is granted twice, first at a.toml:2:8");
    let in_code = || policy(Grant::new("a", "/c"));
    let error = a().merge(in_code()).unwrap_err();
    assert_eq!(error.to_string(), "program `a` is granted twice, first at a.toml:2:8");
    let error = in_code().merge(a()).unwrap_err();
    assert_eq!(error.to_string(), "a.toml:2:8: program `a` is granted twice");

    let merged = policy(git()).merge(b()).unwrap();
    assert_eq!(merged.grants().iter().map(Grant::name).collect::<Vec<_>>(), ["git", "a"]);
    assert_eq!(merged.get_limits(), Limits { max_pipes: 8, ..Limits::default() });
    let wide = Limits {
        max_children: 1,
        max_pipes: 9,
        max_handles: 1 << 20,
        max_buffered_bytes: 1 << 30,
        max_argument_bytes: 1 << 30,
        max_groups: 65,
        spawns_per_second: 10,
        spawn_burst: Some(2000),
    };
    for limits in [
        Policy::new().limits(wide).merge(policy(git())).unwrap().get_limits(),
        policy(git()).merge(Policy::new().limits(wide)).unwrap().get_limits(),
    ] {
        assert_eq!(limits, wide);
    }
    let both = b().merge(Policy::new().limits(wide)).unwrap().get_limits();
    // A burst that nobody set is as large as what is allowed in a second.
    let rates = Limits { spawns_per_second: 10, spawn_burst: Some(1000), ..Limits::default() };
    assert_eq!(both, Limits { max_children: 1, max_pipes: 8, ..rates });
}
