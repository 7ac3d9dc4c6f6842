//! What it takes to start a worker.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use offspring::fork::{ExitStatus, Job, Launcher, Setup, Work};
use tokio::runtime::Builder;

use super::guest::{COMPILED, Pages, Program};
use super::{Spread, micro};

/// How often each.
const COUNT: usize = 200;

/// In the process of a worker or a zygote: loads the guest from its descriptor.
pub fn prepare(setup: Setup) -> Result<impl Fn(Work) -> u8> {
    let file = setup.files.first().context("no component")?;
    let program = Program::load(format!("/proc/self/fd/{}", file.as_raw_fd()).as_ref())?;
    Ok(move |_: Work| program.run(&[], Pages::Small).unwrap_or(1))
}

/// How long workers of a kind took, in nanoseconds.
pub struct Started {
    pub name: &'static str,
    /// Until it has its job.
    pub ready: Vec<u64>,
    /// Until it has run a guest that does nothing, and was waited for.
    pub ended: Vec<u64>,
}

/// Starts workers from an embedder with threads: executed anew, and of a zygote.
/// Prints and returns what that took.
pub fn bench(directory: &Path) -> Result<[Started; 2]> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let compiled = File::open(directory.join(COMPILED))?;
        let launcher = Launcher::this_program()?.setup_file(compiled);
        let zygote = launcher.zygote().await?;
        let mut all = ["worker, executed", "worker of a zygote"].map(|name| Started {
            name,
            ready: Vec::new(),
            ended: Vec::new(),
        });
        for _ in 0..COUNT {
            for (forked, started) in [false, true].into_iter().zip(&mut all) {
                let job = Job::new("").stdout(File::options().write(true).open("/dev/null")?);
                let start = Instant::now();
                let worker = match forked {
                    true => zygote.start(job).await?,
                    false => launcher.start(job).await?,
                };
                started.ready.push(u64::try_from(start.elapsed().as_nanos())?);
                let exit = worker.wait().await?;
                started.ended.push(u64::try_from(start.elapsed().as_nanos())?);
                ensure!(exit.status == ExitStatus::Exited(0), "{}", exit.status);
            }
        }
        println!("\n{:<26}{:>18}{:>24}", "microseconds", "has its job", "guest run, waited for");
        for Started { name, ready, ended } in &all {
            let cell = |figures| {
                let Spread { tenth, median } = Spread::of(Some(figures));
                format!("{:.0}, {:.0}", micro(tenth), micro(median))
            };
            println!("{name:<26}{:>18}{:>24}", cell(ready), cell(ended));
        }
        Ok(all)
    })
}
