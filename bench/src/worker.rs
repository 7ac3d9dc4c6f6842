//! Measuring one scene, in a process that is as its condition says.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::ValueEnum;
use rustix::io::fcntl_dupfd_cloexec;
use rustix::stdio::{dup2_stdout, stdout};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::condition::Condition;
use crate::method::{Batch, Method};
use crate::sample::Scene;
use crate::turn::END;
use crate::work::Work;
use crate::{bytes, shuffle, start};

/// A line of figures for every block and method: the method, the number of the
/// block, nanoseconds.
pub fn run(words: &[String]) -> Result<()> {
    let [work, condition, methods, seed, directory] = words else {
        bail!("five words");
    };
    let work = Work::from_str(work, false).map_err(anyhow::Error::msg)?;
    let scene = Scene { work, condition: condition.parse()? };
    let (seed, directory) = (seed.parse::<u64>()?, Path::new(directory));
    // A child starts on the processor of its parent or on another one, and
    // takes quite different times there. So all stay on one.
    if scene.condition != Condition::Threads {
        pin(usize::try_from(seed)?)?;
    }
    // Those that inherit it write to their standard output.
    let mut figures = File::from(fcntl_dupfd_cloexec(stdout(), 3)?);
    dup2_stdout(File::options().write(true).open("/dev/null")?)?;
    let methods = methods.split(',').map(|method| Method::from_str(method, false));
    let mut methods: Vec<Method> = methods.collect::<Result<_, _>>().map_err(anyhow::Error::msg)?;
    let mut batches: Vec<(Method, Batch)> = Vec::new();
    for method in &methods {
        batches.push((*method, prepare(*method, scene, directory)?));
    }
    // A server loads its policy first, and has its thousands of clients later.
    let _condition = scene.condition.prepare(directory)?;
    let mut orders = std::io::stdin().lines();
    // The first block is for warming up.
    for block in 0..=scene.blocks() {
        // Others have their turn.
        if orders.next().transpose()?.is_none() {
            break;
        }
        shuffle(&mut methods, seed.wrapping_mul(1000) + u64::from(block));
        for method in &methods {
            let batch = batches.iter_mut().find(|(other, _)| other == method);
            let Some((_, batch)) = batch else { continue };
            let count = match (method, scene.condition) {
                // Some tens of milliseconds each.
                (Method::Fork, Condition::Memory(_)) => 1,
                _ => work.count(),
            };
            let nanoseconds = batch(count)?;
            if block > 0 {
                let words: Vec<String> = nanoseconds.iter().map(u64::to_string).collect();
                writeln!(figures, "{} {block} {}", method.name(), words.join(" "))?;
            }
        }
        writeln!(figures, "{END}")?;
    }
    Ok(())
}

fn prepare(method: Method, scene: Scene, directory: &Path) -> Result<Batch> {
    let one = || match scene.work {
        Work::Stdout => bytes::stdout(method, directory),
        Work::Pipeline => bytes::pipeline(method, directory),
        Work::Run => start::prepare(method, directory),
        _ => method.prepare(scene.work, directory),
    };
    match scene.condition {
        Condition::Threads => Ok(on_two_threads(one()?, one()?)),
        _ => one(),
    }
}

/// How often each thread does it at a time: much longer than a thread takes to
/// start.
const OF_A_THREAD: u32 = 50;

/// Two figures: what one thread takes that works alone, and what one of two
/// takes.
fn on_two_threads(mut one: Batch, mut other: Batch) -> Batch {
    Box::new(move |_| {
        let alone = timed(|| thread::scope(|scope| done(scope.spawn(|| on(0, &mut one)))))?;
        let both = timed(|| {
            thread::scope(|scope| {
                let second = scope.spawn(|| on(1, &mut other));
                let first = scope.spawn(|| on(0, &mut one));
                done(first).and(done(second))
            })
        })?;
        Ok(vec![alone / u64::from(OF_A_THREAD), both / u64::from(OF_A_THREAD)])
    })
}

fn on(processor: usize, batch: &mut Batch) -> Result<()> {
    pin(processor)?;
    batch(OF_A_THREAD).map(drop)
}

fn done(thread: thread::ScopedJoinHandle<'_, Result<()>>) -> Result<()> {
    thread.join().unwrap_or_else(|_| bail!("a thread panicked"))
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<u64> {
    let start = Instant::now();
    work()?;
    Ok(u64::try_from(start.elapsed().as_nanos())?)
}

/// Keeps this thread and its children on one processor, counted around.
pub fn pin(number: usize) -> Result<()> {
    let allowed = rustix::thread::sched_getaffinity(None)?;
    let allowed: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect();
    let mut one = CpuSet::new();
    one.set(allowed[number % allowed.len()]);
    sched_setaffinity(None, &one)?;
    Ok(())
}
