//! `offspring`: runs components that start real processes.

#![deny(unsafe_code)]

mod args;
mod audit;
mod component;
mod doctor;
mod grants;
mod policy;
mod run;
mod stop;

use std::process::ExitCode;

use clap::Parser;

use args::{Action, Args, PolicyAction};

/// What this tool exits with when it fails itself, as `env` and `timeout` do:
/// every other code is the guest's.
const FAILURE: u8 = 125;

fn main() -> ExitCode {
    let action = Args::parse().action;
    let failure = match action {
        Action::Policy(_) => policy::FAILED,
        Action::Run(_) | Action::Compile(_) | Action::Doctor => FAILURE,
    };
    let done = match action {
        Action::Run(args) => run::run(&args),
        Action::Compile(args) => component::compile(&args).map(|()| ExitCode::SUCCESS),
        Action::Doctor => doctor::doctor().map(|()| ExitCode::SUCCESS),
        Action::Policy(PolicyAction::Check(args)) => policy::check(&args),
    };
    done.unwrap_or_else(|error| {
        eprintln!("offspring: {}", one_line(&error));
        ExitCode::from(failure)
    })
}

/// An error with all its causes in one line.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        let cause = cause.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        // An error that repeats its cause says it once.
        if line.ends_with(&cause) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&cause);
    }
    line
}
