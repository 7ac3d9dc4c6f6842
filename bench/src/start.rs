//! How long `offspring run` takes to start a component.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::method::{Batch, Method, measure};

/// The component, in the directory of the run.
pub const COMPONENT: &str = "nothing.wasm";

/// The command line tool, if it was built with the benchmark.
pub fn tool() -> Option<PathBuf> {
    let tool = std::env::current_exe().ok()?.with_file_name("offspring");
    tool.exists().then_some(tool)
}

/// The tool, with the component as it is or compiled ahead of time.
pub fn prepare(method: Method, directory: &Path) -> Result<Batch> {
    let tool = tool().context("the command line tool is not there")?;
    let mut component = directory.join(COMPONENT);
    if method == Method::Cwasm {
        let compiled = component.with_extension("cwasm");
        let mut command = Command::new(&tool);
        command.arg("compile").arg(&component).arg("-o").arg(&compiled);
        ensure!(command.status()?.success(), "cannot compile the component");
        component = compiled;
    }
    Ok(Box::new(move |count| {
        measure(count, true, |_| {
            let mut command = Command::new(&tool);
            command.arg("run").arg(&component).stdin(Stdio::null()).stdout(Stdio::null());
            ensure!(command.status()?.success(), "it fails");
            Ok(())
        })
    }))
}
