//! Measures from inside the sandbox: prints one duration in nanoseconds a line.

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::time::Instant;

use offspring_guest::{Command, Stdio, limits};

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [work, count] = &args[..] else {
        return Err(io::Error::other("usage: WORK COUNT"));
    };
    let count: usize = count.parse().map_err(io::Error::other)?;
    let mut nanoseconds = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        match &**work {
            "spawn" => spawn()?,
            "call" => calls(),
            "stdout" => stdout()?,
            _ => return Err(io::Error::other("unknown work")),
        }
        nanoseconds.push(start.elapsed().as_nanos());
    }
    let mut out = io::stdout().lock();
    for value in nanoseconds {
        writeln!(out, "{value}")?;
    }
    Ok(())
}

/// One program, started and waited for.
fn spawn() -> io::Result<()> {
    let mut command = Command::new("program");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status()?;
    match status.success() {
        true => Ok(()),
        false => Err(io::Error::other(status.to_string())),
    }
}

/// A thousand calls of the host that do next to nothing.
fn calls() {
    for _ in 0..1000 {
        black_box(limits());
    }
}

/// How much the writer writes.
const BYTES: &str = "268435456";

/// All that a program writes, read into the guest.
fn stdout() -> io::Result<()> {
    let mut command = Command::new("writer");
    command.args(["-c", BYTES, "/dev/zero"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let mut buffer = vec![0; 64 * 1024];
    if let Some(mut stdout) = child.stdout.take() {
        while stdout.read(&mut buffer)? > 0 {}
    }
    child.wait().map(drop)
}
