//! Measures from inside the sandbox.

use std::hint::black_box;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use offspring_guest::{Command, ExitStatus, Stdio, limits};

use bindings::Work;

mod bindings {
    wit_bindgen::generate!({ path: "../wit", world: "measure" });
    use super::Measurer;
    export!(Measurer);
}

struct Measurer;

impl bindings::Guest for Measurer {
    fn measure(work: Work, args: Vec<String>, count: u32) -> Result<Vec<u64>, String> {
        if matches!(work, Work::Crowd) {
            return crowd(count as usize).map_err(|error| error.to_string());
        }
        let mut figures = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let start = Instant::now();
            let started = do_once(work, &args).map_err(|error| error.to_string())?;
            let end = started.unwrap_or_else(Instant::now);
            figures.push(u64::try_from((end - start).as_nanos()).unwrap_or(u64::MAX));
        }
        Ok(figures)
    }
}

/// Does the work, and returns when what counts of it was done, if that is not
/// all of it.
fn do_once(work: Work, args: &[String]) -> io::Result<Option<Instant>> {
    match work {
        Work::Spawn => succeed(program("program").args(args)).map(|()| None),
        Work::Handle => {
            let status = program("program").args(args).spawn()?.wait()?;
            succeeded(status).map(|()| None)
        }
        Work::Policed => succeed(&mut eloquent("policed")).map(|()| None),
        Work::Unpoliced => succeed(&mut eloquent("program")).map(|()| None),
        Work::Start => {
            let mut child = program("program").args(args).spawn()?;
            let started = Instant::now();
            child.wait()?;
            Ok(Some(started))
        }
        Work::Call => {
            for _ in 0..1000 {
                black_box(limits());
            }
            Ok(None)
        }
        Work::Stdout => stdout().map(|()| None),
        Work::Crowd => crowd(1).map(|_| None),
        Work::Pipeline => pipeline().map(|()| None),
    }
}

/// How many of a crowd are ended one by one, at most.
const WAKES: usize = 1000;

/// A prime number, so that its multiples come by every place.
const STEP: usize = 7919;

/// So many children that live at once, and the nanoseconds from killing one of
/// them, each time in another place, to knowing its end.
fn crowd(count: usize) -> io::Result<Vec<u64>> {
    let mut idle = program("program");
    let children = (0..count).map(|_| idle.spawn()).collect::<io::Result<Vec<_>>>()?;
    let mut figures = Vec::new();
    for turn in 1..=count.min(WAKES) {
        let pidfd = children[turn * STEP % count].pidfd();
        let start = Instant::now();
        pidfd.kill()?;
        pidfd.wait()?;
        figures.push(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    Ok(figures)
}

fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// A command that the policy has something to say about in every respect.
fn eloquent(name: &str) -> Command {
    let mut command = program(name);
    command.args(["one", "two", "three"]).env("CHOSEN", "value").env("LANG", "C.UTF-8");
    command.deadline(Duration::from_secs(60));
    command
}

fn succeed(command: &mut Command) -> io::Result<()> {
    succeeded(command.status()?)
}

fn succeeded(status: ExitStatus) -> io::Result<()> {
    match status.success() {
        true => Ok(()),
        false => Err(io::Error::other(status.to_string())),
    }
}

/// How much the writer writes, and how.
const WRITES: [&str; 3] = ["-c", "268435456", "/dev/zero"];

/// All that a program writes, read into the guest.
fn stdout() -> io::Result<()> {
    let mut command = program("writer");
    let mut child = command.args(WRITES).stdout(Stdio::piped()).spawn()?;
    let mut buffer = vec![0; 64 * 1024];
    if let Some(mut stdout) = child.stdout.take() {
        while stdout.read(&mut buffer)? > 0 {}
    }
    child.wait().map(drop)
}

/// Three programs whose bytes never come here.
fn pipeline() -> io::Result<()> {
    let mut writer = program("writer");
    let mut writer = writer.args(WRITES).stdout(Stdio::piped()).spawn()?;
    let mut second = program("filter");
    let mut second = second.stdin(taken(&mut writer.stdout)?).stdout(Stdio::piped()).spawn()?;
    let mut third = program("filter");
    let mut third = third.stdin(taken(&mut second.stdout)?).spawn()?;
    for child in [&mut writer, &mut second, &mut third] {
        child.wait()?;
    }
    Ok(())
}

fn taken<T>(end: &mut Option<T>) -> io::Result<T> {
    end.take().ok_or_else(|| io::Error::other("it is piped"))
}
