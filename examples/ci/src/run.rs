//! Runs a workflow: one thread that waits for everything at once.

use crate::host::Host;
use crate::job::{JobRun, State};
use crate::outcome::Row;
use crate::process::Event;
use crate::screen::Screen;
use crate::workflow::Workflow;
use offspring_guest::{Pollable, poll};
use std::io;
use std::path::Path;

/// Runs every job, and returns a row for each step, in the file's order.
pub fn run(workflow: &Workflow, root: &Path, screen: &mut Screen) -> io::Result<Vec<Row>> {
    let mut runs: Vec<JobRun<'_>> = workflow.jobs.iter().enumerate().map(JobRun::new).collect();
    for run in &runs {
        run.names().for_each(|name| screen.fit(name));
    }
    let host = Host::ask();
    loop {
        schedule(&mut runs, &host, root, screen);
        screen.flush()?;
        if runs.iter().all(|run| run.live().is_empty()) {
            return Ok(runs.into_iter().flat_map(JobRun::into_rows).collect());
        }
        for (job, process, event) in wait(&runs) {
            runs[job].handle(process, event, screen)?;
        }
        runs.iter_mut().for_each(|run| run.collect(screen));
    }
}

/// Starts and ends what can be, until nothing changes any more.
fn schedule(runs: &mut [JobRun<'_>], host: &Host, root: &Path, screen: &mut Screen) {
    let mut changed = true;
    while changed {
        changed = false;
        for index in 0..runs.len() {
            if runs[index].state() == State::Waiting {
                let needs = runs[index].needs().map(|need| runs[need].state());
                let state = State::after(needs);
                changed |= runs[index].enter(state);
            }
            let live: Vec<&str> = runs.iter().flat_map(JobRun::live_programs).collect();
            let run = &mut runs[index];
            if run.is_ready() && host.has_room(&run.next_programs(), &live) {
                run.advance(host, root, screen);
                changed = true;
            }
        }
    }
}

/// Waits until something happens: the job, its process, and what.
fn wait(runs: &[JobRun<'_>]) -> Vec<(usize, usize, Event)> {
    let mut events = Vec::new();
    let mut pollables: Vec<Pollable> = Vec::new();
    for (job, run) in runs.iter().enumerate() {
        for (process, live) in run.live().iter().enumerate() {
            for (event, pollable) in live.events() {
                events.push((job, process, event));
                pollables.push(pollable);
            }
        }
    }
    let ready = poll(&pollables.iter().collect::<Vec<_>>());
    ready.into_iter().map(|index| events[index as usize]).collect()
}
