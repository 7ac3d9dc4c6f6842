//! What many live children of one guest cost: memory of the host for each, and
//! the time from killing one of them to knowing its end, beside what that takes
//! the engine alone, and the kernel alone: to it, too, a child of many is in no
//! cache.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use offspring_spawn::{Child, Program};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{
    Pid, PidfdFlags, Resource, Signal, WaitId, WaitIdOptions, getrlimit, pidfd_open,
    pidfd_send_signal, setrlimit, waitid,
};

use crate::condition::Condition;
use crate::host::{GuestWork, Host, How};
use crate::method::Method;
use crate::sample::{Block, Sample, Samples, Scene};
use crate::work::Work;
use crate::worker;

/// How many children there are. The first is what the others are compared with.
const COUNTS: [u32; 4] = [10, 100, 1000, 10_000];

/// How often each is measured; in each round in another process.
const ROUNDS: u32 = 5;

/// How many are ended one by one, at most, and in which order: as the guest does.
const WAKES: usize = 1000;
const STEP: usize = 7919;

/// Whose children they are: a guest's, the engine's without a guest, and those of
/// the kernel's calls alone.
const METHODS: [Method; 3] = [Method::Guest, Method::Engine, Method::Floor];

/// What waking one of so many is reported as.
pub fn sample(count: u32, method: Method) -> Sample {
    let scene = Scene { work: Work::Wake, condition: Condition::Children(count) };
    Sample { scene, method }
}

/// Measures all counts, interleaved, and prints them beside each other.
pub fn bench(directory: &Path) -> Result<()> {
    let mut samples = Samples::default();
    let mut peaks: [Vec<u64>; COUNTS.len()] = Default::default();
    for round in 0..ROUNDS {
        for (peaks, peak) in peaks.iter_mut().zip(measure(directory, round, &mut samples)?) {
            peaks.push(peak);
        }
    }
    print!("{:>8} {:>16}", "children", "bytes for each");
    for name in METHODS.map(Method::name) {
        print!(" {name:>9}, us {:>8}", "ratio");
    }
    println!(" {:>12}", "guest/floor");
    let alone = middle(peaks[0].clone())?;
    for (peaks, count) in peaks.into_iter().zip(COUNTS) {
        let each = match count - COUNTS[0] {
            0 => "-".to_owned(),
            more => (middle(peaks)?.saturating_sub(alone) / u64::from(more)).to_string(),
        };
        print!("{count:>8} {each:>16}");
        for method in METHODS {
            let of = |count| sample(count, method);
            let time = samples.spread(of(count)).context("figures")?.median / 1000.0;
            let ratio = samples.ratio_of_rounds(of(count), of(COUNTS[0])).context("figures")?;
            print!(" {time:>13.1} {:>8.2}", ratio.median);
        }
        let beside = [Method::Guest, Method::Floor].map(|method| sample(count, method));
        let ratio = samples.ratio_of_rounds(beside[0], beside[1]).context("figures")?;
        println!(" {:>12.2}", ratio.median);
    }
    Ok(())
}

/// Measures each count once, in a process of its own, and returns how much memory
/// each of them had with its guest's children.
pub fn measure(directory: &Path, round: u32, samples: &mut Samples) -> Result<Vec<u64>> {
    COUNTS.into_iter().map(|count| measure_one(directory, count, round, samples)).collect()
}

fn measure_one(directory: &Path, count: u32, round: u32, samples: &mut Samples) -> Result<u64> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--crowd", &count.to_string()])
        .arg(directory)
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let mut lines = text.lines();
    let peak = lines.next().context("a line for the memory")?.parse()?;
    for (method, line) in METHODS.into_iter().zip(lines) {
        let figures = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        samples.add(sample(count, method), Block { round, number: 0, figures });
    }
    Ok(peak)
}

/// Measures one count in this process: a line for its memory, and one for the
/// figures of each method.
pub fn run(count: u32, directory: &Path) -> Result<()> {
    let mut open = getrlimit(Resource::Nofile);
    open.current = open.maximum;
    setrlimit(Resource::Nofile, open)?;
    worker::pin(0)?;
    let idle = directory.join("idle");
    let mut host = Host::start(directory, &idle, How::default())?;
    let guest = host.measure(GuestWork::Crowd, &[], count)?;
    println!("{}", peak_memory()?);
    drop(host);
    for figures in [guest, engine(&idle, count)?, native(&idle, count)?] {
        let figures: Vec<String> = figures.iter().map(u64::to_string).collect();
        println!("{}", figures.join(" "));
    }
    Ok(())
}

fn middle(mut figures: Vec<u64>) -> Result<u64> {
    figures.sort_unstable();
    figures.get(figures.len() / 2).copied().context("a figure")
}

/// What the guest does, without a guest.
fn engine(idle: &Path, count: u32) -> Result<Vec<u64>> {
    let mut command = offspring_spawn::Command::new(&Program::open(idle)?);
    command.new_process_group(true);
    let spawned = (0..count).map(|_| command.spawn()).collect::<Result<Vec<Child>, _>>();
    let (children, count) = (spawned?, usize::try_from(count)?);
    let wake = |turn: usize| {
        let child = &children[turn * STEP % count];
        let start = Instant::now();
        child.kill()?;
        child.pidfd().poll(Duration::MAX)?;
        child.try_wait()?.context("it has ended")?;
        Ok(u64::try_from(start.elapsed().as_nanos())?)
    };
    (1..=count.min(WAKES)).map(wake).collect()
}

/// The same again, by pidfds alone.
fn native(idle: &Path, count: u32) -> Result<Vec<u64>> {
    let mut command = Command::new(idle);
    command.env_clear().process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let spawn = |_| {
        let child = command.spawn()?;
        let pid = Pid::from_child(&child);
        Ok(Idle(pidfd_open(pid, PidfdFlags::empty())?))
    };
    let children = (0..count).map(spawn).collect::<Result<Vec<Idle>>>()?;
    let count = children.len();
    let wake = |turn: usize| {
        let Idle(pidfd) = &children[turn * STEP % count];
        let start = Instant::now();
        pidfd_send_signal(pidfd, Signal::KILL)?;
        poll(&mut [PollFd::new(pidfd, PollFlags::IN)], None)?;
        waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED)?;
        Ok(u64::try_from(start.elapsed().as_nanos())?)
    };
    (1..=count.min(WAKES)).map(wake).collect()
}

/// A child that is not to survive us.
struct Idle(OwnedFd);

impl Drop for Idle {
    fn drop(&mut self) {
        let _ = pidfd_send_signal(&self.0, Signal::KILL);
        let _ = waitid(WaitId::PidFd(self.0.as_fd()), WaitIdOptions::EXITED);
    }
}

/// The most memory that this process ever had, in bytes.
fn peak_memory() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.context("VmHWM")?.trim().trim_end_matches(" kB").parse::<u64>()?;
    Ok(kib * 1024)
}
