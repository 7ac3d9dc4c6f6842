//! From a tree to a workflow: the keys of files and jobs, and what they refer
//! to. Steps have their own file.

use crate::fields::identifier;
use crate::graph;
use crate::nearest::hint;
use crate::steps::{Defaults, steps};
use crate::workflow::{Job, Place, Problem, Workflow};
use crate::yaml::{Node, parse as tree};

const WORKFLOW_KEYS: &[&str] =
    &["name", "run-name", "on", "permissions", "concurrency", "env", "defaults", "jobs"];

const JOB_KEYS: &[&str] = &[
    "name",
    "runs-on",
    "permissions",
    "concurrency",
    "needs",
    "env",
    "defaults",
    "timeout-minutes",
    "continue-on-error",
    "steps",
];

const JOB_UNSUPPORTED: &[(&str, &str)] = &[
    ("if", "every job runs, or is left out of the file"),
    ("strategy", "write one job for each case"),
    ("container", "steps run as processes on the host, under its policy"),
    ("services", "start what is needed in a step"),
    ("uses", "workflows of other files are not read"),
    ("with", "workflows of other files are not read"),
    ("secrets", "the host's policy passes variables on"),
    ("outputs", "write to a file in the repository"),
    ("environment", "there are no deployments"),
];

/// Reads a workflow file.
pub fn parse(text: &str) -> Result<Workflow, Problem> {
    let root = tree(text)?;
    let mut defaults = Defaults::default();
    let mut jobs = None;
    for (key, value) in root.map("a workflow")? {
        match key.text.as_str() {
            "name" | "run-name" | "on" | "permissions" | "concurrency" => {}
            "env" => value.env(&mut defaults.env)?,
            "defaults" => defaults.read(value)?,
            "jobs" => jobs = Some(value),
            _ => return Err(key.unknown("a workflow", WORKFLOW_KEYS, &[])),
        }
    }
    let jobs = jobs.ok_or_else(|| root.problem("a workflow needs `jobs`"))?;
    jobs_of(jobs, &defaults)
}

/// The jobs that a job needs, by name, until all of them are known.
type Needs<'a> = Vec<(Place, &'a str)>;

fn jobs_of(node: &Node, defaults: &Defaults) -> Result<Workflow, Problem> {
    let entries = node.map("`jobs`")?;
    if entries.is_empty() {
        return Err(node.problem("`jobs` is empty"));
    }
    let mut jobs = Vec::new();
    let mut wanted: Vec<Needs<'_>> = Vec::new();
    for (key, value) in entries {
        let (job, needs) = job(key.identifier()?, value, defaults.clone())?;
        jobs.push(job);
        wanted.push(needs);
    }

    let ids: Vec<&str> = entries.iter().map(|(key, _)| key.text.as_str()).collect();
    for (job, needs) in jobs.iter_mut().zip(&wanted) {
        job.needs = needs.iter().map(|need| find(need, &ids)).collect::<Result<_, _>>()?;
    }
    let needs: Vec<Vec<usize>> = jobs.iter().map(|job| job.needs.clone()).collect();
    if let Some(cycle) = graph::cycle(&needs) {
        let around = cycle.iter().chain(&cycle[..1]).map(|&job| ids[job]);
        let around = around.collect::<Vec<_>>().join(" → ");
        let (place, _) = wanted[cycle[0]][0];
        return Err(place.problem(format!("these jobs need each other: {around}")));
    }
    Ok(Workflow { jobs })
}

fn find((place, name): &(Place, &str), ids: &[&str]) -> Result<usize, Problem> {
    ids.iter().position(|id| id == name).ok_or_else(|| {
        place.problem(format!("there is no job `{name}`{}", hint(name, ids.iter().copied())))
    })
}

fn job<'a>(id: &str, node: &'a Node, mut defaults: Defaults) -> Result<(Job, Needs<'a>), Problem> {
    let mut job = Job {
        name: id.to_owned(),
        needs: Vec::new(),
        timeout: None,
        continue_on_error: false,
        steps: Vec::new(),
    };
    let mut needs = Vec::new();
    let mut list = None;
    for (key, value) in node.map("a job")? {
        match key.text.as_str() {
            "name" => job.name = value.text("`name`")?.trim().to_owned(),
            "runs-on" | "permissions" | "concurrency" => {}
            "needs" => {
                needs = value.texts("`needs`")?;
                for (place, name) in &needs {
                    identifier(name, *place)?;
                }
            }
            "env" => value.env(&mut defaults.env)?,
            "defaults" => defaults.read(value)?,
            "timeout-minutes" => job.timeout = Some(value.minutes("`timeout-minutes`")?),
            "continue-on-error" => job.continue_on_error = value.flag("`continue-on-error`")?,
            "steps" => list = Some(value),
            _ => return Err(key.unknown("a job", JOB_KEYS, JOB_UNSUPPORTED)),
        }
    }
    let list = list.ok_or_else(|| node.problem(format!("the job `{id}` has no `steps`")))?;
    job.steps = steps(list, &defaults)?;
    Ok((job, needs))
}

#[cfg(test)]
mod tests;
