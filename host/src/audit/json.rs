//! A record as one line of JSON, as `docs/audit.md` describes it.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use offspring_spawn::{ExitStatus, PeakMemory, ResourceUsage};
use serde_json::{Value, json};

use super::{ChildName, Event, Exit, Record, Refusal};
use crate::plan::{Plan, PlanCwd};
use crate::policy::stdio_word;
use crate::request::{Request, StdioKind};

/// The version of what a line has. Fields may be added to a version; one that
/// goes, or comes to mean something else, makes another.
pub const VERSION: u32 = 1;

/// The most bytes of one text that a line has.
const TEXT: usize = 1024;

/// The most bytes of a list of texts that a line has, and the most elements.
const LIST: usize = 4096;
const ELEMENTS: usize = 256;

/// A record as one line of JSON, without the line's end. What is too long is
/// clipped, and the line says so; values of variables are not in it.
pub fn to_json(record: &Record<'_>) -> String {
    let mut line = Line::begin(record.time);
    line.text("guest", record.guest);
    if !record.fork.is_empty() {
        line.text("fork", record.fork);
    }
    match &record.event {
        Event::Spawned { child, plan } => {
            line.text("event", "spawn").text("decision", "allowed").child(child).plan(plan);
        }
        Event::Forked { child } => {
            line.text("event", "fork").text("decision", "allowed").child(child);
        }
        Event::NotSpawned { request, refusal } => {
            line.text("event", "spawn").refusal(refusal).request(request);
        }
        Event::Signaled { child, signal, group, refusal } => {
            line.text("event", "signal");
            match refusal {
                Some(refusal) => line.refusal(refusal),
                None => line.text("decision", "allowed"),
            };
            let scope = if *group { "group" } else { "process" };
            line.child(child).text("signal", &signal.to_string()).text("scope", scope);
        }
        Event::Limited { function, refusal } => {
            line.text("event", "call").refusal(refusal).text("function", function);
        }
        Event::Exited { child, exit, lived } => {
            line.text("event", "exit").child(child).exit(*exit).time("lived_ns", *lived);
            if let Some(usage) = exit.usage {
                line.value("usage", usage_of(usage));
            }
        }
        Event::Omitted { count } => {
            line.text("event", "omitted").value("count", *count);
        }
    }
    line.end()
}

/// The line that says how many could not be written.
pub(super) fn lost(time: SystemTime, lines: u64) -> String {
    let mut line = Line::begin(time);
    line.text("event", "lost").value("count", lines);
    line.end()
}

/// An object whose fields stand in the order that they are given in, so that
/// people can read it.
struct Line(String);

impl Line {
    fn begin(time: SystemTime) -> Line {
        let mut line = Line("{".to_owned());
        line.value("v", VERSION);
        line.text("time", &humantime::format_rfc3339_micros(time).to_string());
        line
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn value(&mut self, key: &str, value: impl Into<Value>) -> &mut Line {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        // Writing to a string does not fail.
        let _ = write!(self.0, "\"{key}\":{}", value.into());
        self
    }

    fn text(&mut self, key: &str, text: &str) -> &mut Line {
        self.value(key, clip(text))
    }

    fn time(&mut self, key: &str, time: Duration) -> &mut Line {
        self.value(key, nanoseconds(time))
    }

    fn list<'a>(&mut self, key: &str, texts: impl Iterator<Item = &'a str>) -> &mut Line {
        let (kept, missing) = list(texts);
        self.value(key, kept);
        if let Some(Clipped { elements, bytes }) = missing {
            let clipped = json!({ "elements": elements, "bytes": bytes });
            self.value(&format!("{key}_clipped"), clipped);
        }
        self
    }

    fn child(&mut self, child: &ChildName<'_>) -> &mut Line {
        self.value("child", child.number);
        if !child.grant.is_empty() {
            self.text("grant", child.grant);
        }
        if let Some(pid) = child.pid {
            self.value("pid", pid);
        }
        self
    }

    fn refusal(&mut self, refusal: &Refusal<'_>) -> &mut Line {
        let (decision, key) = match refusal.is_denial() {
            true => ("denied", "rule"),
            false => ("failed", "detail"),
        };
        self.text("decision", decision);
        if let Some(detail) = &refusal.detail {
            self.text(key, detail);
        }
        self.text("stage", refusal.stage);
        if let Some(errno) = refusal.errno {
            self.text("errno", errno);
        }
        self.text("message", refusal.message)
    }

    fn plan(&mut self, plan: &Plan) -> &mut Line {
        self.command(&plan.argv, &plan.env, [plan.stdin, plan.stdout, plan.stderr], plan.deadline);
        match &plan.cwd {
            PlanCwd::Guest => self.text("cwd", "guest"),
            PlanCwd::Fixed(path) => self.text("cwd", &path.to_string_lossy()),
            PlanCwd::Initial => self.text("cwd", "initial"),
        }
    }

    fn request(&mut self, request: &Request) -> &mut Line {
        let stdio = [request.stdin, request.stdout, request.stderr];
        self.text("grant", &request.program).command(
            &request.args,
            &request.env,
            stdio,
            request.deadline,
        )
    }

    fn command(
        &mut self,
        argv: &[String],
        env: &[(String, String)],
        stdio: [StdioKind; 3],
        deadline: Option<Duration>,
    ) -> &mut Line {
        self.list("argv", argv.iter().map(String::as_str));
        self.list("env", env.iter().map(|(name, _)| name.as_str()));
        self.value("stdio", stdio.map(stdio_word).to_vec());
        if let Some(deadline) = deadline {
            self.time("deadline_ns", deadline);
        }
        self
    }

    fn exit(&mut self, exit: Exit) -> &mut Line {
        match exit.status {
            ExitStatus::Exited(code) => self.value("exit_code", code),
            ExitStatus::Signaled { signal, core_dumped } => {
                self.text("signal", &signal.to_string()).value("core_dumped", core_dumped)
            }
            ExitStatus::Lost => self,
        };
        if let Some(cause) = exit.cause {
            self.text("cause", cause.as_str());
        }
        self
    }
}

fn usage_of(usage: ResourceUsage) -> Value {
    let (peak, bytes) = match usage.peak_memory {
        PeakMemory::Exact(bytes) => ("peak_memory_bytes", bytes),
        PeakMemory::AtMost(bytes) => ("peak_memory_at_most_bytes", bytes),
    };
    json!({
        "user_time_ns": nanoseconds(usage.user_time),
        "system_time_ns": nanoseconds(usage.system_time),
        peak: bytes,
        "minor_faults": usage.minor_faults,
        "major_faults": usage.major_faults,
        "input_blocks": usage.input_blocks,
        "output_blocks": usage.output_blocks,
        "voluntary_switches": usage.voluntary_switches,
        "involuntary_switches": usage.involuntary_switches,
    })
}

/// What a list has not, though the guest gave it.
#[derive(Debug, PartialEq, Eq)]
struct Clipped {
    /// How many elements are missing at the end.
    elements: usize,
    /// How many bytes are missing, of these and of those that are there.
    bytes: usize,
}

/// A text, as far as a line has room for it.
fn clip(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT)]
}

/// A list of texts, as far as a line has room for it.
fn list<'a>(texts: impl Iterator<Item = &'a str>) -> (Vec<&'a str>, Option<Clipped>) {
    let (mut kept, mut room) = (Vec::new(), LIST);
    let mut missing = Clipped { elements: 0, bytes: 0 };
    for text in texts {
        let part = clip(text);
        if missing.elements > 0 || part.len() > room || kept.len() == ELEMENTS {
            missing.elements += 1;
            missing.bytes += text.len();
            continue;
        }
        room -= part.len();
        missing.bytes += text.len() - part.len();
        kept.push(part);
    }
    let is_whole = missing == Clipped { elements: 0, bytes: 0 };
    (kept, (!is_whole).then_some(missing))
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
