//! Rules that a guest adds to a grant before it hands it on.
//!
//! A request must be allowed by the grant, and then by each of these: so nothing
//! that they say can widen anything.

use std::collections::BTreeSet;
use std::time::Duration;

use offspring_spawn::{Resource, Rlimit, Signal};

use super::args::Arguments;
use super::bounds::exceeds;
use super::check::{Denied, Rule, chosen, deny};
use super::env::EnvPattern;
use super::error::PolicyError;
use super::stdio::{self, StdioKinds};
use super::text::{listed, quoted};
use super::words::{Attribute, FileAction, resource_word};
use super::{Policy, file};
use crate::plan::Plan;
use crate::request::Request;

/// What a guest leaves of a grant. What is absent stays as it was.
///
/// ```
/// use offspring::policy::Narrowing;
///
/// let rules = Narrowing::parse("args = ['status']\ndeadline = '5s'\nmax-children = 1")?;
/// # Ok::<(), offspring::policy::PolicyError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Narrowing {
    pub(super) arguments: Option<Arguments>,
    pub(super) env_allow: Option<Vec<EnvPattern>>,
    /// Whether a directory may still be chosen.
    pub(super) cwd: Option<bool>,
    pub(super) stdio: Option<StdioKinds>,
    pub(super) attributes: Option<BTreeSet<Attribute>>,
    pub(super) file_actions: Option<BTreeSet<FileAction>>,
    pub(super) rlimits: Vec<(Resource, u64)>,
    pub(super) signals: Option<BTreeSet<Signal>>,
    pub(super) max_children: Option<u32>,
    pub(super) spawns_per_second: Option<u32>,
    pub(super) deadline: Option<Duration>,
    pub(super) detach: Option<bool>,
}

impl Narrowing {
    /// Reads rules from TOML, with the keys of a `[program.NAME]` that a guest may
    /// have a say in: `args`, `env-allow`, `cwd` (only `"none"`: no directory may be
    /// chosen), `stdio`, `attributes`, `file-actions`, `rlimits`, `signals`,
    /// `max-children`, `spawns-per-second`, `deadline` and `detach`.
    ///
    /// # Errors
    /// The first mistake, and where it is.
    pub fn parse(text: &str) -> Result<Narrowing, PolicyError> {
        file::narrowing(text)
    }

    /// How many children there may be at once.
    pub fn get_max_children(&self) -> Option<u32> {
        self.max_children
    }

    /// How many children may be started in a second.
    pub fn get_spawns_per_second(&self) -> Option<u32> {
        self.spawns_per_second
    }

    /// Checks whether the signal may be sent. `KILL` always is allowed.
    pub fn check_signal(&self, program: &str, signal: Signal) -> Result<(), Denied> {
        let allowed = self.signals.as_ref().is_none_or(|signals| signals.contains(&signal));
        match allowed || signal == Signal::KILL {
            true => Ok(()),
            false => {
                let message = format!("{signal} may not be sent to {} any more", quoted(program));
                Err(deny(Rule::Signals, message))
            }
        }
    }

    /// Checks a request that the grant, and what was narrowed before, allow, and
    /// lowers what the plan has of limits.
    fn apply(&self, request: &Request, plan: &mut Plan) -> Result<(), Denied> {
        let program = quoted(&request.program);
        self.check_args(request, plan)?;
        if let Some(patterns) = &self.env_allow {
            let covers = |name: &str| patterns.iter().any(|pattern| pattern.covers(name));
            // What the guest gives and the host fixes has the host's value anyway.
            if let Some((name, _)) = request.env.iter().find(|(name, _)| !covers(name)) {
                let allowed = allowed(patterns.iter().map(EnvPattern::as_str));
                let name = quoted(name);
                let message =
                    format!("variable {name} may not be set for {program} any more; {allowed}");
                return Err(deny(Rule::EnvAllow, message));
            }
        }
        if self.cwd == Some(false) && request.cwd {
            let message = format!("the directory of {program} may not be chosen any more");
            return Err(deny(Rule::Cwd, message));
        }
        if let Some(kinds) = self.stdio {
            let streams = [request.stdin, request.stdout, request.stderr];
            let refused = streams.into_iter().find(|kind| !kinds.contains(*kind));
            if refused.is_some() || request.terminal && !kinds.terminal {
                let word = quoted(refused.map_or("terminal", stdio::word));
                let allowed = allowed(kinds.words());
                let message = format!("no stream of {program} may be {word} any more; {allowed}");
                return Err(deny(Rule::Stdio, message));
            }
        }
        let more = |rule, word: &str, allowed: String| {
            let message =
                format!("{} may not be chosen for {program} any more; {allowed}", quoted(word));
            deny(rule, message)
        };
        if let Some(actions) = &self.file_actions
            && let Some(refused) = request.file_actions.difference(actions).next()
        {
            let allowed = allowed(actions.iter().map(|action| action.as_str()));
            return Err(more(Rule::FileActions, refused.as_str(), allowed));
        }
        if let Some(attributes) = &self.attributes
            && let Some(refused) = chosen(&request.attributes).find(|it| !attributes.contains(it))
        {
            let allowed = allowed(attributes.iter().map(|attribute| attribute.as_str()));
            return Err(more(Rule::Attributes, refused.as_str(), allowed));
        }
        self.apply_rlimits(request, plan)?;
        if request.detach && self.detach == Some(false) {
            let message = format!("{program} may not live on any more");
            return Err(deny(Rule::Detach, message));
        }
        plan.deadline = plan.deadline.into_iter().chain(self.deadline).min();
        Ok(())
    }

    fn check_args(&self, request: &Request, plan: &Plan) -> Result<(), Denied> {
        let Some(arguments) = &self.arguments else { return Ok(()) };
        let program = &request.program;
        let paths = arguments
            .check(&request.args)
            .map_err(|mismatch| deny(Rule::Args, mismatch.message(program, &request.args)))?;
        for path in paths {
            let index = path.index + 1;
            let is_one =
                |own: &&crate::plan::PathArgument| own.index == index && own.start == path.start;
            // What becomes the host's path is the host's to say. That it lies where
            // the narrower rule says is checked with the others.
            if !plan.paths.iter().any(|own| is_one(&own)) {
                let message = format!(
                    "argument {index} of {} is no path by the grant that was narrowed",
                    quoted(program)
                );
                return Err(deny(Rule::Args, message));
            }
        }
        Ok(())
    }

    fn apply_rlimits(&self, request: &Request, plan: &mut Plan) -> Result<(), Denied> {
        for (resource, most) in &self.rlimits {
            let own = request.attributes.rlimits.iter().find(|(other, _)| other == resource);
            if let Some((_, limit)) = own {
                if exceeds(*limit, *most) {
                    let (word, program) = (resource_word(*resource), quoted(&request.program));
                    let message =
                        format!("the limit {} of {program} may be {most} at most", quoted(word));
                    return Err(deny(Rule::Rlimits, message));
                }
                continue;
            }
            let lowest = Rlimit { current: Some(*most), maximum: Some(*most) };
            match plan.rlimits.iter_mut().find(|(other, _)| other == resource) {
                Some((_, planned)) if exceeds(*planned, *most) => *planned = lowest,
                Some(_) => {}
                None => plan.rlimits.push((*resource, lowest)),
            }
        }
        Ok(())
    }

    /// What narrower rules say of the paths among the arguments, to be checked where
    /// they are resolved.
    fn add_paths(&self, request: &Request, plan: &mut Plan) {
        let paths = self.arguments.as_ref().and_then(|all| all.check(&request.args).ok());
        for mut path in paths.into_iter().flatten() {
            path.index += 1;
            plan.paths.push(path);
        }
    }
}

impl Policy {
    /// Decides as [`check`](Policy::check) does, and then by all of these rules.
    pub fn check_narrowed<'n>(
        &self,
        request: &Request,
        narrowed: impl IntoIterator<Item = &'n Narrowing>,
    ) -> Result<Plan, Denied> {
        let mut plan = self.check(request)?;
        let mut rules = Vec::new();
        for narrowing in narrowed {
            narrowing.apply(request, &mut plan)?;
            rules.push(narrowing);
        }
        // Behind all checks, which compare with the host's own.
        for narrowing in rules {
            narrowing.add_paths(request, &mut plan);
        }
        Ok(plan)
    }
}

fn allowed<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words = listed(words);
    format!("allowed: {}", if words.is_empty() { "none" } else { &words })
}
