//! One running step.

use crate::clean::Lines;
use crate::host::Host;
use crate::limits::{StepGroup, Used};
use crate::outcome::Outcome;
use crate::workflow::{Action, Step};
use offspring_guest::{Child, Command, PipeReader, Pollable, Stdio, pipe};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, Instant};
use wasip2::clocks::monotonic_clock;

/// How long a step's output is read after its end, when something that it left
/// running still holds it. What is left is killed then.
const LAST_WORDS: Duration = Duration::from_millis(250);

const CHUNK: usize = 64 << 10;

/// The process of one step.
#[derive(Debug)]
pub struct Process {
    /// The step's index in its job.
    pub step: usize,
    pub lines: Lines,
    child: Child,
    output: Option<PipeReader>,
    started: Instant,
    end: Option<End>,
    /// Dropped last: it kills what the process left running.
    group: Option<StepGroup>,
}

/// What is known when a process has ended.
#[derive(Debug)]
pub struct End {
    pub outcome: Outcome,
    pub wall: Duration,
    pub used: Option<Used>,
    at: Instant,
}

/// What a process can be waited for.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    Output,
    Exit,
    LastWords,
}

/// Between the steps of a pipeline: what the one before writes to, and whether
/// there is one behind.
#[derive(Debug, Default)]
pub struct Joints {
    pub stdin: Option<PipeReader>,
    pub feeds_next: bool,
}

impl Process {
    /// Starts a step's process. Returns the end of its output as well, when
    /// that feeds the next step.
    pub fn start(
        (index, step): (usize, &Step),
        host: &Host,
        root: &Path,
        joints: Joints,
        deadline: Option<Duration>,
    ) -> io::Result<(Self, Option<PipeReader>)> {
        let started = Instant::now();
        let Action::Run { program, args } = &step.action else {
            unreachable!("only programs are started");
        };
        let mut command = Command::new(program);
        command.args(args).envs(&step.env);
        if let Some(directory) = &step.directory {
            command.current_dir(root.join(directory));
        } else if host.chooses_directory(program) {
            command.current_dir(root);
        }
        if let Some(deadline) = deadline {
            command.deadline(deadline);
        }
        let group = StepGroup::make(step.limits, program, host)?;
        if let Some(own) = &group {
            command.group(&own.group);
        }
        command.stdin(joints.stdin.map_or(Stdio::null(), Stdio::from));

        let (mut child, output) = if joints.feeds_next {
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
            let errors = child.stderr.take();
            (child, errors)
        } else {
            // One pipe for both keeps them in the order they were written in.
            let (reader, writer) = pipe()?;
            (command.stdout(&writer).stderr(writer).spawn()?, Some(reader))
        };
        let next = child.stdout.take();
        let process =
            Self { step: index, lines: Lines::default(), child, output, started, end: None, group };
        Ok((process, next))
    }

    /// What to wait for.
    pub fn events(&self) -> impl Iterator<Item = (Event, Pollable)> {
        let output = self.output.as_ref().map(|output| (Event::Output, output.pollable()));
        let end = match &self.end {
            None => (Event::Exit, self.child.pidfd().pollable()),
            Some(end) => {
                let left = LAST_WORDS.saturating_sub(end.at.elapsed());
                let left = u64::try_from(left.as_nanos()).unwrap_or(u64::MAX);
                (Event::LastWords, monotonic_clock::subscribe_duration(left))
            }
        };
        output.into_iter().chain([end])
    }

    /// The limits of the step that this host cannot set.
    pub fn unlimited(&self, step: &Step) -> Vec<&'static str> {
        match &self.group {
            Some(group) => group.missing.clone(),
            None => step.limits.names(),
        }
    }

    /// Takes note of what happened. Returns what was written.
    pub fn handle(&mut self, event: Event, feeds_next: bool) -> io::Result<Vec<u8>> {
        match event {
            Event::Output => return self.read(),
            Event::Exit => {
                if let Some(status) = self.child.try_wait()? {
                    let own = self.child.usage();
                    let own = own.map(|own| (own.user_time + own.system_time, own.peak_memory));
                    let used = self.group.as_ref().and_then(|group| group.used(own));
                    let alone = own.map(|(cpu, memory)| Used {
                        cpu,
                        memory,
                        throttled: None,
                        oom_kills: None,
                    });
                    self.end = Some(End {
                        outcome: Outcome::ended(status, feeds_next),
                        wall: self.started.elapsed(),
                        used: used.or(alone),
                        at: Instant::now(),
                    });
                }
            }
            Event::LastWords => self.output = None,
        }
        Ok(Vec::new())
    }

    /// Gives the end, when there is nothing more to come.
    pub fn ended(&mut self) -> Option<End> {
        if self.output.is_some() { None } else { self.end.take() }
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        let Some(output) = &self.output else {
            return Ok(Vec::new());
        };
        let mut chunk = vec![0; CHUNK];
        match output.try_read(&mut chunk) {
            Ok(0) => self.output = None,
            Ok(length) => {
                chunk.truncate(length);
                return Ok(chunk);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(Vec::new())
    }
}
