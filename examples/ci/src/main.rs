//! A CI runner: reads a workflow file and runs its steps as real processes.
//!
//! The component holds no more than the repository's directory and what its
//! host's policy grants. Each step is a child of its own, with its own
//! deadline; jobs that do not need each other run at the same time, on one
//! thread, which waits for all of them at once.

mod clean;
mod fields;
mod graph;
mod host;
mod job;
mod limits;
mod nearest;
mod outcome;
mod parse;
mod process;
mod report;
mod run;
mod screen;
mod steps;
mod words;
mod workflow;
mod yaml;

use offspring_guest::exit;
use outcome::Verdict;
use screen::Screen;
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::time::Instant;
use std::{env, fs};

/// More than anybody writes by hand.
const MAX_FILE_BYTES: u64 = 1 << 18;

const USAGE: &str = "usage: ci WORKFLOW-FILE, such as ci /repo/.github/workflows/ci.yml";

fn main() {
    exit(match ci() {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(message) => {
            // It may quote the file, and what is in there.
            let message = message.replace(char::is_control, " ");
            eprintln!("ci: {message}");
            2
        }
    })
}

/// Runs the workflow, and says whether all of it passed. An error is what is
/// wrong with the input.
fn ci() -> Result<bool, String> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [path] = args.as_slice() else {
        return Err(USAGE.into());
    };
    let text = read(path).map_err(|error| format!("cannot read {path}: {error}"))?;
    let workflow = parse::parse(&text).map_err(|problem| {
        let place = problem.place;
        format!("{path}:{}:{}: {}", place.line, place.column, problem.message)
    })?;
    let root = host::root(Path::new(path));

    let no_colour = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = io::stdout().is_terminal() && !no_colour;
    let start = Instant::now();
    let mut screen = Screen::new(colour);
    let rows = run::run(&workflow, &root, &mut screen).and_then(|rows| {
        screen::print(&report::table(&rows, start.elapsed(), colour))?;
        Ok(rows)
    });
    match rows {
        Ok(rows) => Ok(rows.iter().all(|row| row.verdict() != Verdict::Failed)),
        Err(error) => {
            eprintln!("ci: cannot go on: {error}");
            Ok(false)
        }
    }
}

fn read(path: &str) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("longer than {} KiB", MAX_FILE_BYTES >> 10)));
    }
    Ok(text)
}
