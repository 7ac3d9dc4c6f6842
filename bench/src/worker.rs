//! Taking one sample, in a process that is as its condition says.

use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, bail};
use clap::ValueEnum;
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::host;
use crate::method::{Method, Work};
use crate::sample::Condition;

/// How much the writer writes.
const BYTES: &str = "268435456";

/// Prints one figure in nanoseconds a line.
pub fn run(words: &[String]) -> Result<()> {
    let [method, work, condition, count, directory] = words else {
        bail!("five words");
    };
    let directory = Path::new(directory);
    let method = Method::from_str(method, false).map_err(anyhow::Error::msg)?;
    let work = Work::from_str(work, false).map_err(anyhow::Error::msg)?;
    let condition = Condition::from_str(condition, false).map_err(anyhow::Error::msg)?;
    let count: usize = count.parse()?;

    let _condition = prepare(condition)?;
    let program = match work {
        Work::True => Path::new("/bin/true").to_owned(),
        Work::Tiny | Work::Stdout | Work::Call => directory.join("tiny"),
    };
    let values = match (method, work) {
        (Method::Guest, _) => host::run(directory, &program, work, count)?,
        (_, Work::Stdout) => native_stdout(method, count)?,
        (_, _) => spawn(method, &program, condition, count)?,
    };
    let lines: Vec<String> = values.iter().map(u64::to_string).collect();
    println!("{}", lines.join("\n"));
    Ok(())
}

/// What makes the process as its condition says, as long as it is held.
#[derive(Debug)]
struct Prepared {
    _memory: Vec<u8>,
    _files: Vec<File>,
}

fn prepare(condition: Condition) -> Result<Prepared> {
    let mut memory = Vec::new();
    let mut files = Vec::new();
    match condition {
        Condition::Small | Condition::Threads => {}
        Condition::Memory => memory = black_box(vec![1; 1 << 30]),
        Condition::Descriptors => {
            let mut limit = getrlimit(Resource::Nofile);
            limit.current = limit.maximum;
            setrlimit(Resource::Nofile, limit)?;
            for _ in 0..10_000 {
                files.push(File::open("/dev/null")?);
            }
        }
    }
    Ok(Prepared { _memory: memory, _files: files })
}

fn spawn(method: Method, program: &Path, condition: Condition, count: usize) -> Result<Vec<u64>> {
    let one = method.prepare(program)?;
    let measure = |start: &(dyn Fn() -> Result<()> + Send + Sync)| {
        (0..count).map(|_| timed(start)).collect::<Result<Vec<u64>>>()
    };
    if condition != Condition::Threads {
        return measure(&*one);
    }
    let other = method.prepare(program)?;
    std::thread::scope(|scope| {
        let second = scope.spawn(|| measure(&*other));
        let mut values = measure(&*one)?;
        match second.join() {
            Ok(more) => values.extend(more?),
            Err(_) => bail!("a thread panicked"),
        }
        Ok(values)
    })
}

/// Reading what a program writes, natively and with the same buffer.
fn native_stdout(method: Method, count: usize) -> Result<Vec<u64>> {
    if method == Method::Tokio {
        return tokio_stdout(count);
    }
    let mut buffer = vec![0; 64 * 1024];
    (0..count)
        .map(|_| {
            timed_mut(|| {
                let mut command = Command::new("/usr/bin/head");
                command.args(["-c", BYTES, "/dev/zero"]).stdout(Stdio::piped());
                let mut child = command.spawn()?;
                if let Some(mut stdout) = child.stdout.take() {
                    while stdout.read(&mut buffer)? > 0 {}
                }
                child.wait()?;
                Ok(())
            })
        })
        .collect()
}

fn tokio_stdout(count: usize) -> Result<Vec<u64>> {
    use tokio::io::AsyncReadExt;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut buffer = vec![0; 64 * 1024];
    (0..count)
        .map(|_| {
            timed_mut(|| {
                runtime.block_on(async {
                    let mut command = tokio::process::Command::new("/usr/bin/head");
                    command.args(["-c", BYTES, "/dev/zero"]).stdout(Stdio::piped());
                    let mut child = command.spawn()?;
                    if let Some(mut stdout) = child.stdout.take() {
                        while stdout.read(&mut buffer).await? > 0 {}
                    }
                    child.wait().await?;
                    Ok(())
                })
            })
        })
        .collect()
}

fn timed(work: impl Fn() -> Result<()>) -> Result<u64> {
    timed_mut(work)
}

fn timed_mut(mut work: impl FnMut() -> Result<()>) -> Result<u64> {
    let start = Instant::now();
    work()?;
    Ok(u64::try_from(start.elapsed().as_nanos())?)
}
