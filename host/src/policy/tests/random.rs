//! Properties that hold whatever is asked and whatever a file says.

use std::time::Duration;

use super::attributes;
use super::file::EVERYTHING;
use super::fuzz::rounds;
use crate::plan::{PlanCwd, PlanGroup};
use crate::policy::*;
use crate::request::{Attributes, Request, StdioKind};

/// A small generator (xorshift), so that every run is the same.
pub(crate) struct Random(pub(super) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// None half of the time.
    fn some<T: Copy>(&mut self, from: &[T]) -> Vec<T> {
        (0..self.below(6).saturating_sub(2)).map(|_| self.pick(from)).collect()
    }
}

const NAMES: &[&str] = &[
    "",
    "A",
    "AB",
    "A=",
    "LANG",
    "PATH",
    "LD_PRELOAD",
    "GIT_SSH",
    "GIT_AUTHOR_NAME",
    "GIT_CONFIG_KEY_0",
    "PATH=",
    "PATH\0",
    "LD_PRELOAD=x",
];
const VALUES: &[&str] = &["", "1", "\0", "x=y"];
const PATTERNS: &[&str] = &["*", "A*", "A", "L*", "GIT_*", "LANG", "G*"];
const PROGRAMS: &[&str] = &["git", "sh", "git", "sh", "gti", "git\0"];
const KINDS: &[StdioKind] = &[
    StdioKind::Null,
    StdioKind::Null,
    StdioKind::Null,
    StdioKind::Inherit,
    StdioKind::Piped,
    StdioKind::Pipe,
    StdioKind::File,
    StdioKind::Terminal,
];
const ACTIONS: &[FileAction] = &[FileAction::Pass, FileAction::Open, FileAction::Tcsetpgrp];

pub(super) fn grant(random: &mut Random, name: &str) -> Grant {
    let mut grant = Grant::new(name, format!("/bin/{name}"))
        .arguments(random.pick(&[&Arguments::None, &Arguments::Any]).clone())
        .cwd(random.pick(&[&Cwd::Unset, &Cwd::Preopens, &Cwd::Fixed("/srv".into())]).clone())
        .stdio(random.some(KINDS))
        .file_actions(random.some(ACTIONS))
        .detach(random.pick(&[true, false]))
        .attributes(random.some(attributes::CHOICES).into_iter().map(|(word, _)| word));
    for name in random.some(&["LANG", "PATH", "A"]) {
        grant = grant.env(name, "1");
    }
    for name in random.some(&["AB", "LD_PRELOAD"]) {
        grant = grant.env_inherit(name);
    }
    for pattern in random.some(PATTERNS) {
        if grant.fixed(pattern).is_none() {
            grant = grant.env_allow(pattern.parse().unwrap());
        }
    }
    match random.below(3) {
        0 => grant,
        seconds => grant.deadline(Duration::from_secs(seconds as u64)),
    }
}

pub(super) fn request(random: &mut Random) -> Request {
    let request_actions = random.below(4) == 0;
    Request {
        program: random.pick(PROGRAMS).into(),
        args: random.some(VALUES).into_iter().map(String::from).collect(),
        env: random
            .some(NAMES)
            .into_iter()
            .map(|name| (name.into(), random.pick(VALUES).into()))
            .collect(),
        cwd: random.below(2) == 0,
        stdin: random.pick(KINDS),
        stdout: random.pick(KINDS),
        stderr: random.pick(KINDS),
        terminal: random.below(9) == 0,
        file_actions: random.some(ACTIONS).into_iter().filter(|_| request_actions).collect(),
        attributes: attributes(random),
        deadline: random.pick(&[None, Some(Duration::ZERO), Some(Duration::MAX)]),
        detach: random.pick(&[false, false, false, false, false, true]),
        group: random
            .pick(&[None, None, None, None, None, None, Some("a"), Some("b")])
            .map(str::to_owned),
    }
}

/// Mostly none.
fn attributes(random: &mut Random) -> Attributes {
    let mut chosen = Attributes::default();
    if random.below(4) == 0 {
        for (_, choose) in random.some(attributes::CHOICES) {
            choose(&mut chosen);
        }
    }
    chosen
}

#[test]
fn a_plan_has_nothing_that_was_not_granted() {
    let mut planned = 0;
    rounds(1, 60_000, |random| {
        let mut policy = Policy::new();
        for name in ["git", "sh"] {
            policy = policy.grant(grant(random, name)).unwrap();
        }
        policy.resolve_environment(|name| (name == "AB").then(|| "host".to_owned()));
        let request = request(random);
        let result = policy.check(&request);
        assert_eq!(result, policy.check(&request));
        if request.validate(&policy.get_limits()).is_ok() {
            let steps = policy.explain(&request);
            let denied = steps.iter().find(|step| !step.allowed);
            let told = denied.map(|step| (step.rule, &*step.why));
            let error = result.as_ref().err();
            assert_eq!(told, error.map(|denied| (denied.rule.as_str(), &*denied.message)));
        }
        let Ok(plan) = result else { return };
        planned += 1;

        let grant = &policy.grants()[plan.grant];
        assert_eq!(grant.name(), request.program);
        assert_eq!(plan.argv[0], grant.get_arg0());
        assert_eq!(plan.argv[1..], request.args);
        assert!(plan.argv.len() == 1 || *grant.get_arguments() == Arguments::Any);

        assert!(plan.env.is_sorted_by(|(a, _), (b, _)| a < b));
        for (name, value) in &plan.env {
            match grant.fixed(name) {
                Some(fixed) => assert_eq!(fixed, Some(&**value)),
                None => {
                    assert!(grant.get_env_allow().iter().any(|pattern| pattern.covers(name)));
                    assert!(["A", "AB", "LANG", "GIT_AUTHOR_NAME"].contains(&&**name), "{name}");
                    assert!(request.env.contains(&(name.clone(), value.clone())));
                }
            }
        }
        for (name, value) in grant.get_env() {
            assert!(plan.env.contains(&(name.into(), value.into())));
        }

        let stdio = [plan.stdin, plan.stdout, plan.stderr];
        assert_eq!(stdio, [request.stdin, request.stdout, request.stderr]);
        assert!(stdio.into_iter().all(|kind| grant.get_stdio().contains(kind)));
        assert_eq!(plan.terminal, request.terminal);
        assert!(!plan.terminal || grant.get_stdio().terminal);
        assert_eq!(plan.file_actions, request.file_actions);
        let may = |action| grant.get_file_actions().any(|allowed| allowed == action);
        assert!(plan.file_actions.iter().all(|action| may(*action)));
        assert_eq!(plan.attributes, request.attributes);
        for (word, choose) in attributes::CHOICES {
            let mut chosen = plan.attributes.clone();
            choose(&mut chosen);
            let granted = grant.get_attributes().any(|allowed| allowed == *word);
            assert!(granted || chosen != plan.attributes, "{word:?}");
        }
        assert_eq!(plan.cwd == PlanCwd::Guest, request.cwd);
        assert_eq!(plan.group == PlanGroup::Guest, request.group.is_some());
        assert!(request.group.is_none() || request.group.as_deref() == Some("a"));
        assert!(!request.cwd || *grant.get_cwd() == Cwd::Preopens);
        assert_eq!(plan.detach, request.detach);
        assert!(grant.get_detach() || !plan.detach);
        for deadline in [grant.get_deadline(), request.deadline].into_iter().flatten() {
            assert!(plan.deadline.is_some_and(|planned| planned <= deadline));
        }
    });
    assert!(planned > 500, "{planned} plans are too few to show anything");
}

/// Files to begin with, for the parser: what it has to know, and what it once did
/// not.
const CORPUS: &[&str] = &[
    EVERYTHING,
    include_str!("corpus/ambiguous.toml"),
    include_str!("corpus/bom-and-crlf.toml"),
    include_str!("corpus/groups.toml"),
    include_str!("corpus/nested.toml"),
    include_str!("corpus/odd.toml"),
    include_str!("corpus/sandbox.toml"),
    include_str!("corpus/slots.toml"),
];

/// Reads a file, which must come to an end that people can use.
fn read(text: &str) -> bool {
    let results = [
        Policy::parse("p", text).map(drop),
        // The same for what a guest may say, of the first program in it.
        Narrowing::parse(text).map(drop),
    ];
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        let location = error.location().expect("every mistake stands somewhere");
        let line = text.split('\n').nth(location.line - 1).unwrap();
        assert!((1..=line.chars().count() + 1).contains(&location.column), "{error}\n{text}");
        assert!(!error.to_string().contains(char::is_control), "{error}\n{text}");
        assert!(error.to_string().len() < 2000, "{error}");
    }
    results[0].is_ok()
}

#[test]
fn the_corpus_is_read_or_refused() {
    let read: Vec<bool> = CORPUS.iter().map(|text| read(text)).collect();
    assert_eq!(read, [true, false, true, true, false, true, true, true]);
}

#[test]
fn a_damaged_file_is_read_or_refused_in_one_line() {
    let pieces = [
        "\"",
        "'",
        "[",
        "]",
        "{",
        "}",
        "=",
        ".",
        ",",
        "\n",
        "\r",
        "\0",
        "é",
        "1",
        "#",
        "*",
        "\\u0000",
        "\u{feff}",
        "options",
        "prefix = '-', ",
        "[[[[",
        "rest",
        "9223372036854775808",
    ];
    rounds(2, 20_000, |random| {
        let mut text: Vec<char> = random.pick(CORPUS).chars().collect();
        for _ in 0..=random.below(3) {
            let start = random.below(text.len());
            let end = text.len().min(start + random.below(4));
            text.splice(start..end, random.pick(&pieces).chars());
        }
        read(&text.into_iter().collect::<String>());
    });
}

/// Brackets within brackets are refused before the stack is used up.
#[test]
fn depth_is_bounded() {
    for (open, close) in [("[", "]"), ("{ options = [", "] }"), ("[{ options = [", "] }]")] {
        let text = format!("args = {}{}", open.repeat(5000), close.repeat(5000));
        assert!(!read(&text));
    }
    assert!(!read(&format!("{} = 1", vec!["a"; 5000].join("."))));
}
