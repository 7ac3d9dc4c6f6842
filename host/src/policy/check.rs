//! The one decision: may this be started, and how.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use offspring_spawn::{Resource, Rlimit, Signal};

use super::args::Arguments;
use super::bounds::exceeds;
use super::grant::{Cwd, Grant};
use super::group::GrantGroup;
use super::text::{listed, near_miss, quoted};
use super::words::{Attribute, FileAction};
use super::{Policy, never, stdio};
use crate::plan::{PathArgument, Plan, PlanCwd, PlanGroup};
use crate::request::{Attributes, Request, StdioKind};

/// A policy's refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// The rule that refuses.
    pub rule: Rule,
    /// One line for people: what is refused, and what would be allowed. It
    /// shows nothing of the host that the guest could not ask for.
    pub message: String,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Denied {}

/// A rule that can refuse, by its key in a policy file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// No grant has this name.
    Program,
    /// The arguments.
    Args,
    /// A variable that the host fixes.
    Env,
    /// A variable that the guest may not set.
    EnvAllow,
    /// The choice of a directory.
    Cwd,
    /// The kind of a standard stream.
    Stdio,
    /// An attribute that the guest may not choose.
    Attributes,
    /// A file action that the guest may not use.
    FileActions,
    /// A resource limit that is too high.
    Rlimits,
    /// Living on.
    Detach,
    /// A signal.
    Signals,
    /// The choice of a cgroup.
    Group,
}

impl Rule {
    /// The key in a policy file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Rule::Program => "program",
            Rule::Args => "args",
            Rule::Env => "env",
            Rule::EnvAllow => "env-allow",
            Rule::Cwd => "cwd",
            Rule::Stdio => "stdio",
            Rule::Attributes => "attributes",
            Rule::FileActions => "file-actions",
            Rule::Rlimits => "rlimits",
            Rule::Detach => "detach",
            Rule::Signals => "signals",
            Rule::Group => "group",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Policy {
    /// Decides whether the request may be carried out, and how.
    ///
    /// The request has been found well formed by [`Request::validate`]. The
    /// first rule that refuses is told, in this order: `program`, `args`,
    /// `env`, `env-allow`, `cwd`, `stdio` (input, output, error, terminal),
    /// `file-actions`, `attributes`, `rlimits`, `detach`, `group`.
    pub fn check(&self, request: &Request) -> Result<Plan, Denied> {
        // Without `..`: what is added to a request cannot be forgotten here.
        let Request {
            program,
            args,
            env,
            cwd,
            stdin,
            stdout,
            stderr,
            terminal,
            file_actions,
            attributes,
            deadline,
            detach,
            group,
        } = request;
        let (index, grant) = self.granted(program)?;
        Ok(Plan {
            grant: index,
            paths: grant.plan_args(args)?,
            argv: grant.argv(args),
            env: grant.plan_env(env)?,
            cwd: grant.plan_cwd(*cwd)?,
            stdin: grant.plan_stdio("input", *stdin)?,
            stdout: grant.plan_stdio("output", *stdout)?,
            stderr: grant.plan_stdio("error", *stderr)?,
            terminal: grant.plan_terminal(*terminal)?,
            file_actions: grant.plan_file_actions(file_actions)?,
            attributes: grant.plan_attributes(attributes)?,
            rlimits: grant.plan_rlimits(attributes)?,
            deadline: grant.get_deadline().into_iter().chain(*deadline).min(),
            grace: grant.get_grace().unwrap_or_default(),
            detach: grant.plan_detach(*detach)?,
            group: grant.plan_group(group.as_deref())?,
        })
    }

    /// The grant of this name, and its index.
    pub(crate) fn find(&self, program: &str) -> Option<(usize, &Grant)> {
        self.grants().iter().enumerate().find(|(_, grant)| grant.name() == program)
    }

    pub(super) fn granted(&self, program: &str) -> Result<(usize, &Grant), Denied> {
        self.find(program).ok_or_else(|| {
            let hint = near_miss(program, self.grants().iter().map(Grant::name));
            let hint =
                hint.map_or_else(String::new, |name| format!(", did you mean {}?", quoted(name)));
            deny(Rule::Program, format!("no program is granted as {}{hint}", quoted(program)))
        })
    }
}

impl Grant {
    pub(super) fn plan_detach(&self, detach: bool) -> Result<bool, Denied> {
        let why = if detach && !self.get_detach() {
            "may not live on without its handle"
        } else if detach && *self.get_group() != GrantGroup::Unset {
            "may not live on: it is in a group, which ends"
        } else {
            return Ok(detach);
        };
        Err(deny(Rule::Detach, format!("{} {why}", quoted(self.name()))))
    }

    /// Checks whether the guest may send this signal to a child of this grant.
    /// `KILL` always is allowed.
    pub fn check_signal(&self, signal: Signal) -> Result<(), Denied> {
        if signal == Signal::KILL || self.get_signals().any(|allowed| allowed == signal) {
            return Ok(());
        }
        let name = quoted(self.name());
        let signals = [Signal::KILL].into_iter().chain(self.get_signals());
        let allowed = signals.map(|signal| signal.to_string()).collect::<Vec<_>>();
        let allowed = listed(allowed.iter().map(String::as_str));
        let message = format!("{signal} may not be sent to {name}; allowed: {allowed}");
        Err(deny(Rule::Signals, message))
    }

    /// All arguments of a program that is started with these.
    pub(crate) fn argv(&self, args: &[String]) -> Vec<String> {
        [self.get_arg0()].into_iter().chain(args.iter().cloned()).collect()
    }

    /// The paths among the arguments, by their places in `argv`.
    pub(crate) fn plan_args(&self, args: &[String]) -> Result<Vec<PathArgument>, Denied> {
        let mut paths = self.get_arguments().check(args).map_err(|mismatch| {
            let message = match self.get_arguments() {
                Arguments::None => {
                    format!("{} may be started without arguments only", quoted(self.name()))
                }
                Arguments::Any | Arguments::Slots(_) => mismatch.message(self.name(), args),
            };
            deny(Rule::Args, message)
        })?;
        paths.iter_mut().for_each(|path| path.index += 1);
        Ok(paths)
    }

    /// That no variable is changed which the host fixes.
    pub(super) fn check_fixed(&self, env: &[(String, String)]) -> Result<(), Denied> {
        for (variable, value) in env {
            let fixed = self.fixed(variable);
            if fixed.is_some_and(|fixed| fixed != Some(value)) {
                let (variable, program) = (quoted(variable), quoted(self.name()));
                let message = format!("variable {variable} is fixed by the host for {program}");
                return Err(deny(Rule::Env, message));
            }
        }
        Ok(())
    }

    /// That every other variable is one that the guest may set.
    pub(super) fn check_chosen(&self, env: &[(String, String)]) -> Result<(), Denied> {
        for (variable, _) in env {
            let allowed = || {
                let mut patterns = self.get_env_allow().iter();
                patterns.any(|pattern| pattern.covers(variable))
            };
            if self.fixed(variable).is_none() && !allowed() {
                return Err(deny(Rule::EnvAllow, self.refuse_variable(variable)));
            }
        }
        Ok(())
    }

    fn plan_env(&self, env: &[(String, String)]) -> Result<Vec<(String, String)>, Denied> {
        self.check_fixed(env)?;
        self.check_chosen(env)?;
        if env.is_empty()
            && self.get_env().next().is_none()
            && self.get_env_inherit().next().is_none()
        {
            return Ok(Vec::new());
        }
        let inherited = self.get_env_inherit().filter_map(|(name, value)| Some((name, value?)));
        let chosen = env.iter().map(|(name, value)| (&**name, &**value));
        // A map: sorted, and each name once. What the host fixes comes last and
        // so would win.
        let whole: BTreeMap<&str, &str> = chosen.chain(inherited).chain(self.get_env()).collect();
        Ok(whole.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    fn refuse_variable(&self, variable: &str) -> String {
        let (shown, program) = (quoted(variable), quoted(self.name()));
        if let Some(reason) = never::reason(variable) {
            return format!("variable {shown} is never a guest's to set, because {reason}");
        }
        let allowed = listed(self.get_env_allow().iter().map(|pattern| pattern.as_str()));
        let allowed = if allowed.is_empty() { "none" } else { &allowed };
        format!("variable {shown} may not be set for {program}; allowed: {allowed}")
    }

    pub(super) fn plan_cwd(&self, chosen: bool) -> Result<PlanCwd, Denied> {
        match (self.get_cwd(), chosen) {
            (Cwd::Preopens, true) => Ok(PlanCwd::Guest),
            (Cwd::Preopens | Cwd::Unset, false) => Ok(PlanCwd::Initial),
            (Cwd::Fixed(path), false) => Ok(PlanCwd::Fixed(path.clone())),
            (Cwd::Unset | Cwd::Fixed(_), true) => {
                let message = format!(
                    "the directory of {} may not be chosen; it runs where the host says",
                    quoted(self.name())
                );
                Err(deny(Rule::Cwd, message))
            }
        }
    }

    pub(super) fn plan_terminal(&self, chosen: bool) -> Result<bool, Denied> {
        if !chosen || self.get_stdio().terminal {
            return Ok(chosen);
        }
        let program = quoted(self.name());
        let allowed = listed(self.get_stdio().words());
        let message = format!("{program} may not run in a terminal; allowed: {allowed}");
        Err(deny(Rule::Stdio, message))
    }

    pub(super) fn plan_file_actions(
        &self,
        actions: &BTreeSet<FileAction>,
    ) -> Result<BTreeSet<FileAction>, Denied> {
        let may = |action| self.get_file_actions().any(|allowed| allowed == action);
        match actions.iter().find(|action| !may(**action)) {
            None => Ok(actions.clone()),
            Some(refused) => {
                let (word, program) = (quoted(refused.as_str()), quoted(self.name()));
                let allowed = listed(self.get_file_actions().map(FileAction::as_str));
                let allowed = if allowed.is_empty() { "none" } else { &allowed };
                let message = format!("{word} is no file action for {program}; allowed: {allowed}");
                Err(deny(Rule::FileActions, message))
            }
        }
    }

    /// The denial for a child that would take the host's own terminal.
    pub(crate) fn refuse_foreground(&self) -> Denied {
        let word = quoted(FileAction::Tcsetpgrp.as_str());
        let program = quoted(self.name());
        let rule =
            "needs a session of the child's own, because the host's terminal is not a guest's";
        deny(Rule::FileActions, format!("{word} for {program} {rule}"))
    }

    /// The denial for a child outside of the group that its grant was narrowed to.
    pub(crate) fn refuse_outside_group(&self) -> Denied {
        let program = quoted(self.name());
        let rule = "may be started in the group that it was narrowed to, and beneath it only";
        deny(Rule::Group, format!("{program} {rule}"))
    }

    pub(super) fn plan_attributes(&self, attributes: &Attributes) -> Result<Attributes, Denied> {
        let may = |attribute| self.get_attributes().any(|allowed| allowed == attribute);
        match chosen(attributes).find(|attribute| !may(*attribute)) {
            None => Ok(attributes.clone()),
            Some(refused) => {
                let (word, program) = (quoted(refused.as_str()), quoted(self.name()));
                let allowed = listed(self.get_attributes().map(Attribute::as_str));
                let allowed = if allowed.is_empty() { "none" } else { &allowed };
                let message = format!("{word} may not be chosen for {program}; allowed: {allowed}");
                Err(deny(Rule::Attributes, message))
            }
        }
    }

    pub(super) fn plan_group(&self, chosen: Option<&str>) -> Result<PlanGroup, Denied> {
        match (self.get_group(), chosen) {
            (GrantGroup::Unset, None) => Ok(PlanGroup::None),
            (GrantGroup::Required | GrantGroup::Preferred, None) => Ok(PlanGroup::Own),
            (GrantGroup::Named(name), None) => Ok(PlanGroup::Granted(name.clone())),
            (GrantGroup::Named(name), Some(chosen)) if name == chosen => Ok(PlanGroup::Guest),
            (GrantGroup::Named(name), Some(_)) => {
                let (program, name) = (quoted(self.name()), quoted(name));
                let message = format!("{program} may be started in {name} and beneath it only");
                Err(deny(Rule::Group, message))
            }
            (GrantGroup::Unset | GrantGroup::Required | GrantGroup::Preferred, Some(_)) => {
                let message = format!("the group of {} may not be chosen", quoted(self.name()));
                Err(deny(Rule::Group, message))
            }
        }
    }

    /// The grant's limits of what the guest has not limited.
    pub(super) fn plan_rlimits(
        &self,
        attributes: &Attributes,
    ) -> Result<Vec<(Resource, Rlimit)>, Denied> {
        let mut planned = Vec::new();
        for (resource, most) in self.get_rlimits() {
            let own = attributes.rlimits.iter().find(|(other, _)| other == resource);
            match own {
                Some((_, limit)) if exceeds(*limit, *most) => {
                    return Err(self.refuse_rlimit(*resource, *most));
                }
                Some(_) => {}
                None => {
                    let limit = Rlimit { current: Some(*most), maximum: Some(*most) };
                    planned.push((*resource, limit));
                }
            }
        }
        Ok(planned)
    }

    pub(super) fn plan_stdio(&self, stream: &str, kind: StdioKind) -> Result<StdioKind, Denied> {
        if self.get_stdio().contains(kind) {
            return Ok(kind);
        }
        let message = format!(
            "the standard {stream} of {} may not be {}; allowed: {}",
            quoted(self.name()),
            quoted(stdio::word(kind)),
            listed(self.get_stdio().words())
        );
        Err(deny(Rule::Stdio, message))
    }
}

/// The attributes that were chosen. Without `..`: what is added cannot be
/// forgotten here.
pub(super) fn chosen(attributes: &Attributes) -> impl Iterator<Item = Attribute> {
    let Attributes {
        session,
        process_group,
        signal_mask,
        default_signals,
        reset_ids,
        scheduler,
        nice,
        cpu_affinity,
        umask,
        rlimits,
        exit_signal,
    } = attributes;
    let all = [
        (*session, Attribute::Session),
        (process_group.is_some(), Attribute::ProcessGroup),
        (signal_mask.is_some(), Attribute::SignalMask),
        (default_signals.is_some(), Attribute::DefaultSignals),
        (*reset_ids, Attribute::ResetIds),
        (scheduler.is_some(), Attribute::Scheduler),
        (nice.is_some(), Attribute::Nice),
        (cpu_affinity.is_some(), Attribute::CpuAffinity),
        (umask.is_some(), Attribute::Umask),
        (!rlimits.is_empty(), Attribute::Rlimits),
        (exit_signal.is_some(), Attribute::ExitSignal),
    ];
    all.into_iter().filter(|(is_chosen, _)| *is_chosen).map(|(_, attribute)| attribute)
}

pub(super) fn deny(rule: Rule, message: String) -> Denied {
    Denied { rule, message }
}
