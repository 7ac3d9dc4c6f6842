//! The check against a slower one that was written by itself, and shares nothing with
//! it but what it is asked.

use std::time::Duration;

use super::args::{Place, can_be_said, said};
use super::fuzz::rounds;
use super::random::{Random, request};
use crate::policy::*;
use crate::request::{Request, StdioKind};

/// A grant in the words of the test, from which both the policy's text and the
/// expected answer are made.
#[derive(Debug)]
struct Told {
    args: Option<Vec<Place>>,
    fixed: Vec<&'static str>,
    patterns: Vec<&'static str>,
    cwd: &'static str,
    stdio: Vec<&'static str>,
    actions: Vec<&'static str>,
    attributes: Vec<&'static str>,
    detach: bool,
    deadline: u64,
}

impl Told {
    fn random(random: &mut Random) -> Told {
        let some = |random: &mut Random, from: &[&'static str]| {
            let picked = from.iter().copied().filter(|_| random.below(2) == 0);
            picked.collect::<Vec<_>>()
        };
        Told {
            args: match random.below(3) {
                0 => None,
                _ => Some((0..random.below(3)).map(|_| Place::random(random)).collect()),
            },
            fixed: some(random, &["LANG", "PATH"]),
            patterns: some(random, &["A*", "AB", "G*", "GIT_AUTHOR_*"]),
            cwd: random.pick(&["", "preopens", "/srv"]),
            stdio: some(random, &["inherit", "piped", "file", "terminal"]),
            actions: some(random, &["pass", "open", "tcsetpgrp"]),
            attributes: some(random, &["session", "nice", "umask", "rlimits", "signal-mask"]),
            detach: random.below(2) == 0,
            deadline: 1 + random.below(3) as u64,
        }
    }

    fn toml(&self) -> String {
        let args = match &self.args {
            None => "'any'".to_owned(),
            Some(places) => {
                let places: Vec<String> = places.iter().map(Place::toml).collect();
                format!("[{}]", places.join(", "))
            }
        };
        let fixed: Vec<String> = self.fixed.iter().map(|name| format!("{name} = '1'")).collect();
        let cwd = match self.cwd {
            "" => String::new(),
            cwd => format!("cwd = '{cwd}'\n"),
        };
        let Told { patterns, stdio, actions, attributes, detach, deadline, .. } = self;
        format!(
            "[program.git]\npath = '/bin/git'\nargs = {args}\nenv = {{ {} }}\nenv-allow = \
             {patterns:?}\n{cwd}stdio = {stdio:?}\nfile-actions = {actions:?}\nattributes = \
             {attributes:?}\ndetach = {detach}\ndeadline = '{deadline}s'\n",
            fixed.join(", ")
        )
    }

    /// Whether the request is allowed, thing by thing.
    fn allows(&self, request: &Request) -> bool {
        if request.program != "git" || request.group.is_some() {
            return false;
        }
        if let Some(places) = &self.args
            && !can_be_said(places, &request.args)
        {
            return false;
        }
        for (name, value) in &request.env {
            if self.fixed.contains(&name.as_str()) {
                if value != "1" {
                    return false;
                }
                continue;
            }
            // Of the names that are asked for, these are never a guest's.
            let never = ["PATH", "LD_PRELOAD", "GIT_SSH", "GIT_CONFIG_KEY_0"];
            let odd = name.is_empty() || name.contains('=') || name.contains('\0');
            let covered = self.patterns.iter().any(|pattern| match pattern.split_once('*') {
                Some((start, _)) => name.len() >= start.len() && name[..start.len()] == *start,
                None => name == pattern,
            });
            if odd || never.contains(&name.as_str()) || !covered {
                return false;
            }
        }
        let word = |kind| match kind {
            StdioKind::Null => None,
            StdioKind::Inherit => Some("inherit"),
            StdioKind::Piped | StdioKind::Pipe => Some("piped"),
            StdioKind::File => Some("file"),
            StdioKind::Terminal => Some("terminal"),
        };
        let terminal = request.terminal.then_some("terminal");
        let mut streams =
            [word(request.stdin), word(request.stdout), word(request.stderr), terminal].into_iter();
        let chosen = &request.attributes;
        // What this grant can let be chosen, and what it cannot.
        let attributes = [
            ("session", chosen.session),
            ("nice", chosen.nice.is_some()),
            ("umask", chosen.umask.is_some()),
            ("rlimits", !chosen.rlimits.is_empty()),
            ("signal-mask", chosen.signal_mask.is_some()),
        ];
        let others = chosen.process_group.is_some()
            || chosen.default_signals.is_some()
            || chosen.reset_ids
            || chosen.scheduler.is_some()
            || chosen.cpu_affinity.is_some()
            || chosen.exit_signal.is_some();
        streams.all(|word| word.is_none_or(|word| self.stdio.contains(&word)))
            && (!request.cwd || self.cwd == "preopens")
            && request.file_actions.iter().all(|it| self.actions.contains(&it.as_str()))
            && attributes.iter().all(|(word, is)| !is || self.attributes.contains(word))
            && !others
            && (!request.detach || self.detach)
    }
}

#[test]
fn nothing_is_allowed_that_the_slower_check_denies_nor_the_other_way() {
    let (mut allowed, mut denied) = (0, 0);
    rounds(5, 8_000, |random| {
        let told = Told::random(random);
        // Slots that could take one argument twice are no policy.
        let Ok(policy) = Policy::parse("p", &told.toml()) else { return };
        for _ in 0..4 {
            let mut request = request(random);
            request.program = random.pick(&["git", "git", "git", "git", "gti"]).into();
            if let Some(places) = &told.args
                && random.below(4) > 0
            {
                request.args = said(places, random);
            }
            if random.below(2) == 0 {
                // Little else that could be denied.
                request = Request {
                    env: request.env.into_iter().take(1).collect(),
                    attributes: Default::default(),
                    file_actions: Default::default(),
                    group: None,
                    ..request
                };
            }
            let plan = policy.check(&request);
            assert_eq!(plan.is_ok(), told.allows(&request), "{told:?}\n{request:?}\n{plan:?}");
            let Ok(plan) = plan else {
                denied += 1;
                continue;
            };
            allowed += 1;
            // Arguments and environment are what was asked and what is fixed.
            assert_eq!(plan.argv, [&["/bin/git".to_owned()][..], &request.args].concat());
            let mut env = request.env.clone();
            env.extend(told.fixed.iter().map(|name| ((*name).to_owned(), "1".to_owned())));
            env.sort();
            env.dedup();
            let mut names = 0;
            for (name, value) in &plan.env {
                names += 1;
                assert!(env.contains(&(name.clone(), value.clone())), "{name}");
            }
            let mut asked: Vec<_> = env.iter().map(|(name, _)| name).collect();
            asked.dedup();
            assert_eq!(names, asked.len());
            let most = Duration::from_secs(told.deadline);
            let deadline = request.deadline.map_or(most, |deadline| deadline.min(most));
            assert_eq!(plan.deadline, Some(deadline));
        }
    });
    assert!(allowed > 1000 && denied > 1000, "{allowed} {denied}");
}
