//! Why a request is allowed or denied, rule by rule.

use super::args::Arguments;
use super::check::Denied;
use super::grant::Grant;
use super::text::{listed, quoted};
use super::{Policy, stdio};
use crate::plan::{PlanCwd, PlanGroup};
use crate::request::{Request, StdioKind};

/// What one rule says of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The rule, by its key in a policy file; `request` for what every request
    /// must be.
    pub rule: &'static str,
    /// Whether it lets the request through.
    pub allowed: bool,
    /// Why.
    pub why: String,
    /// The same for its parts: each argument.
    pub parts: Vec<String>,
}

impl Step {
    pub(crate) fn new(rule: &'static str, verdict: Result<String, String>) -> Step {
        let allowed = verdict.is_ok();
        let why = verdict.unwrap_or_else(|denied| denied);
        Step { rule, allowed, why, parts: Vec::new() }
    }
}

impl Policy {
    /// What every rule says of a request, in the order in which
    /// [`check`](Policy::check) asks them. That one allows what all of these
    /// allow, and its denial is the first of these.
    pub fn explain(&self, request: &Request) -> Vec<Step> {
        if let Err(malformed) = request.validate(&self.get_limits()) {
            return vec![Step::new("request", Err(malformed.to_string()))];
        }
        let grant = match self.granted(&request.program) {
            Err(denied) => return vec![Step::new("program", Err(denied.message))],
            Ok((_, grant)) => grant,
        };
        let program =
            format!("{} is {}", quoted(grant.name()), quoted(&grant.path().to_string_lossy()));
        let mut steps = vec![Step::new("program", Ok(program)), grant.explain_args(&request.args)];
        steps.extend(grant.explain_env(&request.env));
        let rest = [
            ("cwd", grant.plan_cwd(request.cwd).map(|cwd| explain_cwd(&cwd))),
            ("stdio", grant.explain_stdio(request)),
            (
                "file-actions",
                grant
                    .plan_file_actions(&request.file_actions)
                    .map(|actions| chosen(actions.into_iter().map(super::FileAction::as_str))),
            ),
            (
                "attributes",
                grant.plan_attributes(&request.attributes).map(|attributes| {
                    chosen(super::check::chosen(&attributes).map(super::Attribute::as_str))
                }),
            ),
            (
                "rlimits",
                grant
                    .plan_rlimits(&request.attributes)
                    .map(|limits| format!("{} of the grant's own", limits.len())),
            ),
            (
                "detach",
                grant.plan_detach(request.detach).map(|detach| {
                    if detach { "may live on" } else { "ends with its handle" }.to_owned()
                }),
            ),
            (
                "group",
                grant.plan_group(request.group.as_deref()).map(|group| explain_group(&group)),
            ),
        ];
        steps.extend(
            rest.into_iter()
                .map(|(rule, verdict)| Step::new(rule, verdict.map_err(|denied| denied.message))),
        );
        steps
    }
}

impl Grant {
    fn explain_args(&self, args: &[String]) -> Step {
        let planned = self.plan_args(args).map(|_| match self.get_arguments() {
            Arguments::Any => "any are allowed".to_owned(),
            Arguments::None => "there are none".to_owned(),
            Arguments::Slots(slots) => format!("they fill {slots}"),
        });
        let mut step = Step::new("args", planned.map_err(|denied| denied.message));
        if let Arguments::Slots(slots) = self.get_arguments() {
            let (filled, _) = slots.fill_some(args);
            step.parts = args
                .iter()
                .zip(&filled)
                .enumerate()
                .map(|(index, (argument, filled))| {
                    let word = slots.filler(*filled).map(|word| word.description());
                    let (number, slot) = (index + 1, filled.slot + 1);
                    format!(
                        "{number} {} fills slot {slot}: {}",
                        quoted(argument),
                        word.unwrap_or_default()
                    )
                })
                .collect();
        }
        step
    }

    fn explain_env(&self, env: &[(String, String)]) -> [Step; 2] {
        let names = || env.iter().map(|(name, _)| &**name);
        let is_fixed = |name: &&str| self.fixed(name).is_some();
        let changes = self.check_fixed(env).map(|()| match listed(names().filter(is_fixed)) {
            none if none.is_empty() => "none that the host fixes is changed".to_owned(),
            some => format!("as the host fixes it: {some}"),
        });
        let chosen =
            self.check_chosen(env).map(|()| match listed(names().filter(|name| !is_fixed(name))) {
                none if none.is_empty() => "none is set".to_owned(),
                some => format!("{some} may be set"),
            });
        let step = |rule, verdict: Result<String, Denied>| {
            Step::new(rule, verdict.map_err(|denied| denied.message))
        };
        [step("env", changes), step("env-allow", chosen)]
    }

    fn explain_stdio(&self, request: &Request) -> Result<String, Denied> {
        let Request { stdin, stdout, stderr, .. } = request;
        let word = |stream: &str, kind: &StdioKind| {
            self.plan_stdio(stream, *kind).map(|kind| format!("{stream} {}", stdio::word(kind)))
        };
        let streams = [word("input", stdin)?, word("output", stdout)?, word("error", stderr)?];
        self.plan_terminal(request.terminal)?;
        Ok(streams.join(", "))
    }
}

fn explain_cwd(cwd: &PlanCwd) -> String {
    match cwd {
        PlanCwd::Guest => "the directory that the guest chose".to_owned(),
        PlanCwd::Fixed(path) => quoted(&path.to_string_lossy()),
        PlanCwd::Initial => "where the host lets children run".to_owned(),
    }
}

fn explain_group(group: &PlanGroup) -> String {
    match group {
        PlanGroup::None => "none".to_owned(),
        PlanGroup::Own => "one of its own".to_owned(),
        PlanGroup::Granted(name) => format!("one of its own in {}", quoted(name)),
        PlanGroup::Guest => "one of its own in that which the guest chose".to_owned(),
    }
}

fn chosen<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words = listed(words);
    if words.is_empty() { "none is chosen".to_owned() } else { format!("{words} may be chosen") }
}
