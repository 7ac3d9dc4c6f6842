//! The ways to start a program, and what is started.

use std::ffi::CString;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use crate::floor;

/// A way to start a program and wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Method {
    /// clone3, execve, waitid.
    Floor,
    /// `offspring-spawn`.
    Engine,
    /// A guest, through the SDK, the contract and the policy.
    Guest,
    /// `posix_spawn` of the C library.
    PosixSpawn,
    /// `std::process::Command`.
    Std,
    /// `tokio::process::Command`.
    Tokio,
    /// `fork` and `execve`.
    Fork,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Work {
    /// A program of one page that exits at once.
    Tiny,
    /// `/bin/true`.
    True,
    /// Reading 256 MiB that a program writes.
    Stdout,
    /// A thousand calls of the host.
    Call,
}

impl Method {
    pub const SPAWN: [Method; 7] = [
        Method::Floor,
        Method::Engine,
        Method::Guest,
        Method::PosixSpawn,
        Method::Std,
        Method::Tokio,
        Method::Fork,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Method::Floor => "floor",
            Method::Engine => "engine",
            Method::Guest => "guest",
            Method::PosixSpawn => "posix-spawn",
            Method::Std => "std",
            Method::Tokio => "tokio",
            Method::Fork => "fork",
        }
    }

    /// Prepares the method for a program; what is returned starts it and waits
    /// for it. Not for [`Method::Guest`], which measures itself.
    pub fn prepare(self, program: &Path) -> Result<Box<dyn Fn() -> Result<()> + Send + Sync>> {
        let path = CString::new(program.to_str().context("a path in UTF-8")?)?;
        let program = program.to_owned();
        Ok(match self {
            Method::Floor => Box::new(move || floor::clone3(&path)),
            Method::PosixSpawn => Box::new(move || floor::posix_spawn(&path)),
            Method::Fork => Box::new(move || floor::fork(&path)),
            Method::Engine => {
                let program = offspring_spawn::Program::open(program)?;
                let command = offspring_spawn::Command::new(&program);
                Box::new(move || {
                    ensure!(command.spawn()?.wait()?.status.success(), "it fails");
                    Ok(())
                })
            }
            Method::Std => Box::new(move || {
                use std::process::{Command, Stdio};
                let mut command = Command::new(&program);
                command.env_clear().stdin(Stdio::null()).stdout(Stdio::null());
                ensure!(command.stderr(Stdio::null()).status()?.success(), "it fails");
                Ok(())
            }),
            Method::Tokio => {
                use std::process::Stdio;
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                let runtime = std::sync::Mutex::new(runtime);
                Box::new(move || {
                    let runtime = runtime.lock().map_err(|_| anyhow::anyhow!("poisoned"))?;
                    runtime.block_on(async {
                        let mut command = tokio::process::Command::new(&program);
                        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null());
                        ensure!(
                            command.stderr(Stdio::null()).status().await?.success(),
                            "it fails"
                        );
                        Ok(())
                    })
                })
            }
            Method::Guest => anyhow::bail!("a guest measures itself"),
        })
    }
}

impl Work {
    pub fn name(self) -> &'static str {
        match self {
            Work::Tiny => "tiny",
            Work::True => "true",
            Work::Stdout => "stdout",
            Work::Call => "call",
        }
    }
}
