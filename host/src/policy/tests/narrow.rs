//! Rules that narrow a grant.

use std::time::Duration;

use super::fuzz::rounds;
use super::random::{Random, grant, request};
use crate::policy::file::NARROW;
use crate::policy::*;

/// One line of rules each.
const RULES: &[&str] = &[
    "args = 'none'",
    "args = 'any'",
    "args = ['1']",
    "args = [{ rest = 'values' }]",
    "args = [{ rest = 'paths' }]",
    "env-allow = []",
    "env-allow = ['A*']",
    "env-allow = ['*']",
    "cwd = 'none'",
    "stdio = []",
    "stdio = ['piped', 'inherit', 'file', 'terminal']",
    "stdio = ['piped']",
    "attributes = []",
    "attributes = ['session', 'nice', 'rlimits', 'umask', 'process-group']",
    "file-actions = ['pass']",
    "rlimits = { core = 0 }",
    "rlimits = { core = 1, nofile = 5 }",
    "signals = []",
    "deadline = '1ms'",
    "deadline = '9h'",
    "detach = false",
    "detach = true",
    "max-children = 1",
    "spawns-per-second = 1",
];

fn narrowing(random: &mut Random) -> Narrowing {
    let mut lines: Vec<&str> = (0..random.below(4)).map(|_| random.pick(RULES)).collect();
    let key = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    lines.sort_unstable();
    lines.dedup_by_key(|line| key(line));
    Narrowing::parse(&lines.join("\n")).unwrap()
}

#[test]
fn nothing_is_widened() {
    let (mut allowed, mut denied) = (0, 0);
    rounds(4, 40_000, |random| {
        let policy = Policy::new().grant(grant(random, "git")).unwrap();
        let mut request = request(random);
        request.program = "git".into();
        let rules = [narrowing(random), narrowing(random)];
        let plans =
            [&rules[..0], &rules[..1], &rules].map(|rules| policy.check_narrowed(&request, rules));
        assert_eq!(plans[0], policy.check(&request));
        for pair in plans.windows(2) {
            let [wide, narrow] = pair else { unreachable!("they are two") };
            let Ok(narrow) = narrow else {
                denied += usize::from(wide.is_ok());
                continue;
            };
            let wide = wide.as_ref().expect("what was allowed before");
            allowed += 1;
            assert!(narrow.paths.starts_with(&wide.paths));
            let limit = |plan: &crate::plan::Plan| plan.deadline.unwrap_or(Duration::MAX);
            assert!(limit(narrow) <= limit(wide));
            for (resource, most) in &wide.rlimits {
                let (_, now) = narrow.rlimits.iter().find(|(it, _)| it == resource).unwrap();
                assert!(now.maximum.unwrap() <= most.maximum.unwrap());
            }
            // All else is as it was.
            let same = crate::plan::Plan {
                paths: wide.paths.clone(),
                deadline: wide.deadline,
                rlimits: wide.rlimits.clone(),
                ..narrow.clone()
            };
            assert_eq!(same, *wide);
        }
    });
    assert!(allowed > 800 && denied > 100, "{allowed} {denied}");
}

#[test]
fn every_key_is_read() {
    for key in NARROW {
        let error = Narrowing::parse(&format!("{key} = nan")).unwrap_err();
        assert!(error.message().starts_with(&format!("`{key}` must be")), "{error}");
        assert_eq!(
            error.to_string().split_once(": ").unwrap().0,
            format!("rules:1:{}", key.len() + 4)
        );
    }
    for (text, message) in [
        ("cwd = 'preopens'", "rules:1:7: `cwd` must be \"none\", not \"preopens\""),
        ("path = 'x'", "rules:1:1: unknown key `path`; known here: "),
        ("argz = 'x'", "rules:1:1: unknown key `argz`, did you mean `args`?"),
        ("env-allow = ['LD_*']", "rules:1:14: `env-allow` must not have `LD_*`"),
    ] {
        let error = Narrowing::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
    assert_eq!(Narrowing::parse("# nothing").unwrap(), Narrowing::default());
}
