//! One job on its way.

use crate::clean::clean;
use crate::host::Host;
use crate::limits::Used;
use crate::outcome::{Outcome, Row, Verdict};
use crate::process::{Event, Joints, Process};
use crate::screen::{Screen, name};
use crate::workflow::{Action, Job};
use offspring_guest::PipeReader;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State {
    /// For the jobs that it needs.
    Waiting,
    Running,
    Passed,
    Failed,
}

impl State {
    /// The state of a job by those of the jobs that it needs. One that is
    /// skipped counts as failed for those that need it in turn.
    pub fn after(needs: impl Iterator<Item = Self>) -> Self {
        needs.fold(Self::Running, |state, need| match (state, need) {
            (Self::Failed, _) | (_, Self::Failed) => Self::Failed,
            (_, Self::Waiting | Self::Running) => Self::Waiting,
            (state, Self::Passed) => state,
        })
    }
}

/// A job, the processes of its that live, and the steps that ended.
#[derive(Debug)]
pub struct JobRun<'a> {
    index: usize,
    job: &'a Job,
    state: State,
    started: Option<Instant>,
    /// How the screen calls the steps.
    names: Vec<String>,
    rows: Vec<Option<Row>>,
    /// The first step that was not begun.
    next: usize,
    live: Vec<Process>,
    /// Whether a step failed that must not.
    broken: bool,
}

impl<'a> JobRun<'a> {
    pub fn new((index, job): (usize, &'a Job)) -> Self {
        Self {
            index,
            job,
            state: State::Waiting,
            started: None,
            names: job.steps.iter().map(|step| name(&job.name, &step.name)).collect(),
            rows: job.steps.iter().map(|_| None).collect(),
            next: 0,
            live: Vec::new(),
            broken: false,
        }
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    pub fn state(&self) -> State {
        self.state
    }

    pub fn needs(&self) -> impl Iterator<Item = usize> {
        self.job.needs.iter().copied()
    }

    pub fn live(&self) -> &[Process] {
        &self.live
    }

    pub fn into_rows(self) -> impl Iterator<Item = Row> {
        self.rows.into_iter().flatten()
    }

    /// Whether it waits for nothing of its own.
    pub fn is_ready(&self) -> bool {
        self.state == State::Running && self.live.is_empty()
    }

    /// The programs that it runs now.
    pub fn live_programs(&self) -> Vec<&'a str> {
        self.live.iter().filter_map(|live| self.program(live.step)).collect()
    }

    /// The programs that the next call of `advance` starts.
    pub fn next_programs(&self) -> Vec<&'a str> {
        match self.is_over() {
            true => Vec::new(),
            false => self.pipeline().filter_map(|step| self.program(step)).collect(),
        }
    }

    /// Goes on from waiting, and says whether that changed anything.
    pub fn enter(&mut self, state: State) -> bool {
        self.state = state;
        if state == State::Failed {
            self.skip(self.next..self.job.steps.len());
        }
        state != State::Waiting
    }

    /// Begins the next step, with those that are joined to it, or ends the job.
    pub fn advance(&mut self, host: &Host, root: &Path, screen: &mut Screen) {
        self.started.get_or_insert_with(Instant::now);
        if self.is_over() {
            self.skip(self.next..self.job.steps.len());
            let failed = self.broken && !self.job.continue_on_error;
            self.state = if failed { State::Failed } else { State::Passed };
            return;
        }
        let pipeline = self.pipeline();
        self.next = pipeline.end;
        let mut stdin = None;
        for step in pipeline.clone() {
            if self.program(step).is_none() {
                let text = "skipped: the repository is there already";
                screen.note(self.index, &self.names[step], text);
                return self.skip(pipeline);
            }
            let joints = Joints { stdin: stdin.take(), feeds_next: self.job.feeds_next(step) };
            match self.begin(step, host, root, joints) {
                Ok(output) => {
                    let text = format!("$ {}", self.job.steps[step].script);
                    screen.note(self.index, &self.names[step], &clean(text.as_bytes(), false));
                    self.note_unlimited(step, screen);
                    stdin = output;
                }
                Err((outcome, text)) => {
                    self.end(step, outcome, None, &text, screen);
                    return self.skip(step + 1..pipeline.end);
                }
            }
        }
    }

    /// Takes note of what happened to a process.
    pub fn handle(&mut self, process: usize, event: Event, screen: &mut Screen) -> io::Result<()> {
        let live = &mut self.live[process];
        let name = &self.names[live.step];
        let bytes = live.handle(event, self.job.feeds_next(live.step))?;
        live.lines.feed(&bytes, |line| {
            screen.line(self.index, name, &clean(line, screen.colour));
        });
        Ok(())
    }

    /// Makes rows of the processes that have ended.
    pub fn collect(&mut self, screen: &mut Screen) {
        let mut ended = Vec::new();
        self.live.retain_mut(|live| {
            let Some(end) = live.ended() else { return true };
            live.lines.finish(|line| {
                screen.line(self.index, &self.names[live.step], &clean(line, screen.colour));
            });
            ended.push((live.step, end));
            false
        });
        for (step, end) in ended {
            let text = end.outcome.to_string();
            self.end(step, end.outcome, Some((end.wall, end.used)), &text, screen);
        }
    }

    /// Starts the process of one step. Returns the end of its output, if that
    /// feeds the next one.
    fn begin(
        &mut self,
        step: usize,
        host: &Host,
        root: &Path,
        joints: Joints,
    ) -> Result<Option<PipeReader>, (Outcome, String)> {
        let job = self.job;
        let elapsed = self.started.map_or(Duration::ZERO, |started| started.elapsed());
        let left = job.timeout.map(|timeout| timeout.saturating_sub(elapsed));
        if left == Some(Duration::ZERO) {
            return Err((Outcome::Deadline, "the time of the job is up".into()));
        }
        let begun = &job.steps[step];
        let deadline = begun.timeout.into_iter().chain(left).min();
        let (process, output) = Process::start((step, begun), host, root, joints, deadline)
            .map_err(|error| (Outcome::refused(&error), format!("not started: {error}")))?;
        self.live.push(process);
        Ok(output)
    }

    /// Says which limits the step runs without.
    fn note_unlimited(&self, step: usize, screen: &mut Screen) {
        let begun = &self.job.steps[step];
        let unlimited = self.live.last().map(|live| live.unlimited(begun)).unwrap_or_default();
        if !unlimited.is_empty() {
            let text = format!("without limits of {}: not on this host", unlimited.join(", "));
            screen.note(self.index, &self.names[step], &text);
        }
    }

    fn end(
        &mut self,
        step: usize,
        outcome: Outcome,
        figures: Option<(Duration, Option<Used>)>,
        text: &str,
        screen: &mut Screen,
    ) {
        let may_fail = self.job.steps[step].continue_on_error;
        let row = Row {
            step: self.names[step].clone(),
            outcome,
            allowed: may_fail || self.job.continue_on_error,
            wall: figures.map(|(wall, _)| wall),
            used: figures.and_then(|(_, used)| used),
        };
        if matches!(row.verdict(), Verdict::Failed | Verdict::Allowed) {
            self.broken |= !may_fail;
            screen.end(self.index, &row.step, row.verdict(), text);
        }
        self.rows[step] = Some(row);
    }

    fn skip(&mut self, steps: std::ops::Range<usize>) {
        for step in steps {
            self.rows[step] = Some(Row {
                step: self.names[step].clone(),
                outcome: Outcome::Skipped,
                allowed: true,
                wall: None,
                used: None,
            });
        }
    }

    fn is_over(&self) -> bool {
        self.broken || self.next == self.job.steps.len()
    }

    fn pipeline(&self) -> std::ops::Range<usize> {
        self.next..self.job.pipeline_end(self.next)
    }

    fn program(&self, step: usize) -> Option<&'a str> {
        match &self.job.steps[step].action {
            Action::Run { program, .. } => Some(program),
            Action::Checkout => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::State::{self, Failed, Passed, Running, Waiting};

    #[test]
    fn a_job_goes_by_those_that_it_needs() {
        let cases: &[(&[State], State)] = &[
            (&[], Running),
            (&[Passed, Passed], Running),
            (&[Passed, Running], Waiting),
            (&[Waiting, Passed], Waiting),
            (&[Running, Failed], Failed),
            (&[Failed, Waiting], Failed),
        ];
        for (needs, state) in cases {
            assert_eq!(State::after(needs.iter().copied()), *state, "{needs:?}");
        }
    }
}
