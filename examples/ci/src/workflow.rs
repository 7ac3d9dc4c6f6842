//! What a workflow file says, resolved: environments merged, defaults filled
//! in, names turned into indices. Nothing here was run.

use crate::limits::Limits;
use std::collections::BTreeMap;
use std::time::Duration;

/// A whole file.
#[derive(Debug)]
pub struct Workflow {
    pub jobs: Vec<Job>,
}

/// Steps that run one after the other.
#[derive(Debug)]
pub struct Job {
    pub name: String,
    /// The jobs that must have passed before, by index.
    pub needs: Vec<usize>,
    pub timeout: Option<Duration>,
    pub continue_on_error: bool,
    pub steps: Vec<Step>,
}

/// One process, or something that is only shown.
#[derive(Debug)]
pub struct Step {
    pub name: String,
    /// The first line of what it runs, to be shown.
    pub script: String,
    pub action: Action,
    pub env: BTreeMap<String, String>,
    /// Relative to the repository.
    pub directory: Option<String>,
    pub timeout: Option<Duration>,
    pub continue_on_error: bool,
    pub limits: Limits,
    /// Whether it reads what the step before it writes, at the same time.
    pub piped: bool,
}

/// What a step does.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Runs the program granted under this name.
    Run { program: String, args: Vec<String> },
    /// Nothing: the repository is there already.
    Checkout,
}

impl Job {
    /// The end of the pipeline that starts at this step: the steps of a
    /// pipeline run at the same time.
    pub fn pipeline_end(&self, start: usize) -> usize {
        let more = self.steps[start + 1..].iter().take_while(|step| step.piped);
        start + 1 + more.count()
    }

    /// Whether the step's output goes to the next one instead of the screen.
    pub fn feeds_next(&self, step: usize) -> bool {
        self.steps.get(step + 1).is_some_and(|next| next.piped)
    }
}

/// A workflow file that cannot be run, and where.
#[derive(Debug, PartialEq)]
pub struct Problem {
    pub place: Place,
    pub message: String,
}

/// A place in a file, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

impl Place {
    pub fn problem(self, message: impl Into<String>) -> Problem {
        Problem { place: self, message: message.into() }
    }
}
