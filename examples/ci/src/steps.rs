//! The keys of steps, and what they take over from their job and file.

use crate::fields::identifier;
use crate::limits::Limits;
use crate::nearest::hint;
use crate::words;
use crate::workflow::{Action, Place, Problem, Step};
use crate::yaml::Node;
use std::collections::BTreeMap;

const STEP_KEYS: &[&str] = &[
    "id",
    "name",
    "run",
    "uses",
    "with",
    "env",
    "shell",
    "working-directory",
    "timeout-minutes",
    "continue-on-error",
    "limits",
    "stdin",
];

const STEP_UNSUPPORTED: &[(&str, &str)] =
    &[("if", "every step runs unless one before it failed; a script can decide for itself")];

/// What steps take over from their job and file.
#[derive(Clone, Default)]
pub struct Defaults {
    pub env: BTreeMap<String, String>,
    shell: Shell,
    directory: Option<String>,
}

impl Defaults {
    /// Reads the key `defaults`.
    pub fn read(&mut self, node: &Node) -> Result<(), Problem> {
        for (key, value) in node.map("`defaults`")? {
            if key.text != "run" {
                return Err(key.unknown("`defaults`", &["run"], &[]));
            }
            for (key, value) in value.map("`run`")? {
                match key.text.as_str() {
                    "shell" => self.shell = Shell::read(value)?,
                    "working-directory" => self.directory = Some(directory(value)?),
                    _ => {
                        let known = ["shell", "working-directory"];
                        return Err(key.unknown("`defaults.run`", &known, &[]));
                    }
                }
            }
        }
        Ok(())
    }
}

/// What runs a script.
#[derive(Clone, Copy, Default)]
enum Shell {
    #[default]
    Sh,
    Bash,
    /// Nothing: the script is one command.
    None,
}

impl Shell {
    fn read(node: &Node) -> Result<Self, Problem> {
        match node.text("`shell`")? {
            "sh" => Ok(Self::Sh),
            "bash" => Ok(Self::Bash),
            "none" => Ok(Self::None),
            other => {
                let hint = hint(other, ["sh", "bash", "none"]);
                Err(node.problem(format!("`shell` is sh, bash or none, not `{other}`{hint}")))
            }
        }
    }

    /// Both shells stop at the first error, as GitHub starts them.
    fn action(self, script: &Node) -> Result<Action, Problem> {
        let text = script.text("`run`")?;
        let (program, options): (_, &[&str]) = match self {
            Self::Sh => ("sh", &["-e", "-c"]),
            Self::Bash => ("bash", &["--noprofile", "--norc", "-eo", "pipefail", "-c"]),
            Self::None => {
                let mut args = words::split(text).map_err(|message| script.problem(message))?;
                if args.is_empty() {
                    return Err(script.problem("`run` has no program"));
                }
                let program = args.remove(0);
                return Ok(Action::Run { program, args });
            }
        };
        let args = options.iter().chain([&text]).map(|&arg| arg.to_owned()).collect();
        Ok(Action::Run { program: program.to_owned(), args })
    }
}

/// Reads the key `steps`.
pub fn steps(node: &Node, defaults: &Defaults) -> Result<Vec<Step>, Problem> {
    let mut steps = Vec::new();
    let mut ids: Vec<Option<&str>> = Vec::new();
    for node in node.list("`steps`")? {
        let parsed = step(node, defaults)?;
        if let Some((place, id)) = parsed.id
            && ids.contains(&Some(id))
        {
            return Err(place.problem(format!("another step of this job has the id `{id}`")));
        }
        if let Some((place, source)) = parsed.stdin {
            let last = ids.last().copied().flatten();
            if last != Some(source) {
                return Err(place.problem(wrong_source(source, &ids)));
            }
            if steps.last().is_some_and(|step: &Step| step.action == Action::Checkout) {
                return Err(place.problem(format!("the step `{source}` writes nothing")));
            }
        }
        ids.push(parsed.id.map(|(_, id)| id));
        steps.push(parsed.step);
    }
    Ok(steps)
}

fn wrong_source(source: &str, ids: &[Option<&str>]) -> String {
    if ids.contains(&Some(source)) {
        return format!("`stdin` joins a step with the one right before it, and `{source}` is not");
    }
    let known = ids.iter().copied().flatten();
    format!("there is no earlier step with the id `{source}`{}", hint(source, known))
}

/// A step, with what only its job can check.
struct Parsed<'a> {
    step: Step,
    id: Option<(Place, &'a str)>,
    /// The id of the step to read from.
    stdin: Option<(Place, &'a str)>,
}

fn step<'a>(node: &'a Node, defaults: &Defaults) -> Result<Parsed<'a>, Problem> {
    let (mut id, mut stdin, mut name, mut run, mut uses) = (None, None, None, None, None);
    let mut shell = defaults.shell;
    let mut step = Step {
        name: String::new(),
        script: String::new(),
        action: Action::Checkout,
        env: defaults.env.clone(),
        directory: defaults.directory.clone(),
        timeout: None,
        continue_on_error: false,
        limits: Limits::default(),
        piped: false,
    };
    for (key, value) in node.map("a step")? {
        match key.text.as_str() {
            "id" => id = Some((value.place, identifier(value.text("`id`")?, value.place)?)),
            "name" => name = Some(value.text("`name`")?.trim()),
            "run" => run = Some(value),
            "uses" => uses = Some((value, checkout(value)?)),
            "with" => {}
            "env" => value.env(&mut step.env)?,
            "shell" => shell = Shell::read(value)?,
            "working-directory" => step.directory = Some(directory(value)?),
            "timeout-minutes" => step.timeout = Some(value.minutes("`timeout-minutes`")?),
            "continue-on-error" => step.continue_on_error = value.flag("`continue-on-error`")?,
            "limits" => step.limits = limits(value)?,
            "stdin" => stdin = Some((value.place, source(value)?)),
            _ => return Err(key.unknown("a step", STEP_KEYS, STEP_UNSUPPORTED)),
        }
    }
    step.piped = stdin.is_some();
    step.script = match (run, uses) {
        (Some(script), None) => {
            step.action = shell.action(script)?;
            first_line(script.text("`run`")?)
        }
        (None, Some((uses, _))) if step.piped => {
            return Err(uses.problem("a step that `uses` something reads no `stdin`"));
        }
        (None, Some((_, action))) => action.to_owned(),
        (Some(_), Some((uses, _))) => {
            return Err(uses.problem("a step has either `run` or `uses`"));
        }
        (None, None) => return Err(node.problem("a step needs `run`")),
    };
    step.name = name.or(id.map(|(_, id)| id)).unwrap_or(&step.script).to_owned();
    Ok(Parsed { step, id, stdin })
}

fn checkout(node: &Node) -> Result<&str, Problem> {
    let action = node.text("`uses`")?;
    if action == "actions/checkout" || action.starts_with("actions/checkout@") {
        return Ok(action);
    }
    Err(node.problem(format!(
        "the action `{action}` cannot run here, only be replaced: `run` a program instead"
    )))
}

fn limits(node: &Node) -> Result<Limits, Problem> {
    let mut limits = Limits::default();
    for (key, value) in node.map("`limits`")? {
        match key.text.as_str() {
            "memory" => limits.memory = Some(value.bytes("`memory`")?),
            "pids" => limits.pids = Some(value.count("`pids`")?),
            "cpu" => limits.cpu = Some(value.percent("`cpu`")?),
            _ => return Err(key.unknown("`limits`", &["memory", "pids", "cpu"], &[])),
        }
    }
    Ok(limits)
}

fn directory(node: &Node) -> Result<String, Problem> {
    Ok(node.text("`working-directory`")?.to_owned())
}

/// The id in `steps.ID.stdout`, the one expression there is.
fn source(node: &Node) -> Result<&str, Problem> {
    let text = node.raw_text("`stdin`")?.trim();
    let inner = text.strip_prefix("${{").and_then(|text| text.strip_suffix("}}")).unwrap_or(text);
    let id = inner.trim().strip_prefix("steps.").and_then(|rest| rest.strip_suffix(".stdout"));
    id.and_then(|id| identifier(id, node.place).ok())
        .ok_or_else(|| node.problem(format!("`stdin` is `steps.ID.stdout`, not `{text}`")))
}

fn first_line(script: &str) -> String {
    match script.trim().split_once('\n') {
        Some((first, _)) => format!("{} …", first.trim_end()),
        None => script.trim().to_owned(),
    }
}
