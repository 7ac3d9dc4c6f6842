//! Bytes from a program and between programs.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail, ensure};

use crate::host::How;
use crate::method::{Batch, Method, guest, measure};
use crate::work::{BYTES, Work};

/// The program that writes.
const WRITER: &str = "/usr/bin/head";

/// How much is read at once.
const BUFFER: usize = 64 * 1024;

/// Reading what a program writes, by all with the same buffer.
pub fn stdout(method: Method, directory: &Path) -> Result<Batch> {
    let mut buffer = vec![0; BUFFER];
    Ok(match method {
        Method::Guest => {
            let program = Work::Stdout.program(directory);
            return guest(directory, program, Work::Stdout.of_guest(), How::default());
        }
        Method::Std => Box::new(move |count| {
            measure(count, true, |_| {
                let mut command = Command::new(WRITER);
                let mut child = command.args(writes()).stdout(Stdio::piped()).spawn()?;
                if let Some(mut stdout) = child.stdout.take() {
                    while stdout.read(&mut buffer)? > 0 {}
                }
                ensure!(child.wait()?.success(), "it fails");
                Ok(())
            })
        }),
        Method::Tokio => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Box::new(move |count| {
                measure(count, true, |_| {
                    runtime.block_on(async {
                        use tokio::io::AsyncReadExt;
                        let mut command = tokio::process::Command::new(WRITER);
                        let mut child = command.args(writes()).stdout(Stdio::piped()).spawn()?;
                        if let Some(mut stdout) = child.stdout.take() {
                            while stdout.read(&mut buffer).await? > 0 {}
                        }
                        ensure!(child.wait().await?.success(), "it fails");
                        Ok(())
                    })
                })
            })
        }
        other => bail!("{} reads nothing here", other.name()),
    })
}

/// Three programs joined by pipes.
pub fn pipeline(method: Method, directory: &Path) -> Result<Batch> {
    Ok(match method {
        Method::Guest => {
            let program = Work::Pipeline.program(directory);
            return guest(directory, program, Work::Pipeline.of_guest(), How::default());
        }
        Method::Shell => Box::new(move |count| {
            let script =
                format!("{WRITER} {} | /bin/cat | /bin/cat > /dev/null", writes().join(" "));
            measure(count, true, |_| {
                let status = Command::new("/bin/sh").args(["-c", &script]).status()?;
                ensure!(status.success(), "it fails");
                Ok(())
            })
        }),
        other => bail!("{} joins nothing here", other.name()),
    })
}

fn writes() -> [&'static str; 3] {
    ["-c", BYTES, "/dev/zero"]
}
