//! Processes that measure in turn: each waits until it is told to measure a block.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;

use crate::method::Method;
use crate::sample::{Block, Sample, Samples, Scene};

/// What stands behind the figures of a block.
pub const END: &str = "end";

/// A process that measures one scene.
pub struct Measuring {
    scene: Scene,
    round: u32,
    child: Child,
    orders: ChildStdin,
    figures: BufReader<ChildStdout>,
}

impl Measuring {
    /// Starts it with these methods.
    pub fn start(scene: Scene, team: &[Method], round: u32, directory: &Path) -> Result<Measuring> {
        let team: Vec<String> = team.iter().copied().map(Method::name).collect();
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--worker", &scene.work.name(), &scene.condition.to_string(), &team.join(",")])
            .arg(round.to_string())
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take().context("its input")?;
        let figures = BufReader::new(child.stdout.take().context("its output")?);
        Ok(Measuring { scene, round, child, orders, figures })
    }

    /// Lets it measure a block, and takes the figures.
    pub fn measure(&mut self, samples: &mut Samples) -> Result<()> {
        // One that has failed says why at its end.
        if self.orders.write_all(b"\n").is_err() {
            return self.fail();
        }
        loop {
            let mut line = String::new();
            if self.figures.read_line(&mut line)? == 0 {
                return self.fail();
            }
            if line.trim_end() == END {
                return Ok(());
            }
            let mut words = line.split_whitespace();
            let method = words.next().context("a method")?;
            let method = Method::from_str(method, false).map_err(anyhow::Error::msg)?;
            let number = words.next().context("a number")?.parse()?;
            let figures = words.map(str::parse).collect::<Result<_, _>>()?;
            let sample = Sample { scene: self.scene, method };
            samples.add(sample, Block { round: self.round, number, figures });
        }
    }

    /// Waits for its end.
    pub fn end(self) -> Result<()> {
        let Measuring { scene, child, orders, .. } = self;
        drop(orders);
        let ended = child.wait_with_output()?;
        ensure!(ended.status.success(), "{scene}: {}", String::from_utf8_lossy(&ended.stderr));
        Ok(())
    }

    fn fail(&mut self) -> Result<()> {
        let mut text = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            stderr.read_to_string(&mut text)?;
        }
        let status = self.child.wait()?;
        write!(text, " ({status})")?;
        bail!("{}: {text}", self.scene)
    }
}
