//! The sandbox of a grant's children: its words, the guest's directories and
//! the program, put together for the engine.

use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use offspring_spawn::{Access, CallGroup, Part, Program, Sandbox, SandboxBuilder, SandboxError};
use wasmtime_wasi::FsPerms;

use crate::error::BuildError;
use crate::policy::{Grant, Location, SandboxFiles};
use crate::preopen::Preopen;

/// The sandboxes of one grant.
#[derive(Debug)]
pub(crate) struct Sandboxes {
    /// That of a child that shares the host's terminal, if there is one.
    plain: Sandbox,
    /// That of a child in a terminal of the guest's, which it may open.
    in_terminal: Option<Sandbox>,
    /// How many children there have been.
    children: AtomicU32,
}

/// How many children a thread that is in the sandbox has to serve to be worth its making,
/// which takes as long as two of them.
const BEFORE: u32 = 3;

/// What opens the terminal of whoever opens it.
const TERMINAL: &str = "/dev/tty";

impl Sandboxes {
    /// Makes them, if the grant has any.
    pub(crate) fn make(
        grant: &Grant,
        program: &Program,
        preopens: &[Preopen],
    ) -> Result<Option<Sandboxes>, BuildError> {
        if grant.get_sandbox().is_none() {
            return Ok(None);
        }
        let builder = builder(grant, program, preopens)?;
        let build = |builder: SandboxBuilder| builder.build().map_err(failed(grant, None));
        let in_terminal = match grant.get_stdio().terminal {
            true => {
                let terminal = builder.clone().path(Path::new(TERMINAL), Access::Write);
                // Where it is not there, nobody can open it.
                Some(build(terminal.unwrap_or_else(|_| builder.clone()))?)
            }
            false => None,
        };
        let children = AtomicU32::new(0);
        Ok(Some(Sandboxes { plain: build(builder)?, in_terminal, children }))
    }

    /// The one for a child that is about to be started. From a certain number on it is
    /// made by a thread that is in the sandbox, if the host may have such threads.
    pub(crate) fn for_child(&self, terminal: bool, carried: bool) -> &Sandbox {
        let sandbox = self.of(terminal);
        if carried && self.children.fetch_add(1, Ordering::Relaxed) == BEFORE {
            let most = thread::available_parallelism().map_or(1, NonZero::get);
            // Where there can be none, children are made as before.
            let _ = sandbox.carry(most);
        }
        sandbox
    }

    /// The one for a child in a terminal or without.
    pub(crate) fn of(&self, terminal: bool) -> &Sandbox {
        match &self.in_terminal {
            Some(sandbox) if terminal => sandbox,
            Some(_) | None => &self.plain,
        }
    }
}

fn failed(
    grant: &Grant,
    location: Option<&Location>,
) -> impl FnOnce(SandboxError) -> BuildError + use<> {
    let location = location.or(grant.sandbox_location()).or(grant.location()).cloned();
    let grant = grant.name().to_owned();
    move |error| BuildError::Sandbox { grant, location, error }
}

/// All that the words say, ready to be built.
fn builder(
    grant: &Grant,
    program: &Program,
    preopens: &[Preopen],
) -> Result<SandboxBuilder, BuildError> {
    let words = grant.get_sandbox();
    let mut builder = Sandbox::builder()
        .program(program)
        .run_time(words.get_run_time())
        .network(words.get_network());
    builder = match words.get_files() {
        SandboxFiles::Host => builder.without(Part::Files),
        SandboxFiles::None => builder,
        SandboxFiles::Preopens => preopens.iter().fold(builder, preopen),
    };
    for named in words.get_paths() {
        let built = builder.path(&named.path, named.access);
        builder = built.map_err(failed(grant, named.location.as_ref()))?;
    }
    builder = match words.get_metadata() {
        Some(true) => builder.let_through(CallGroup::Metadata),
        Some(false) => builder.refuse_metadata(),
        None => builder,
    };
    builder = words.get_system_calls().fold(builder, SandboxBuilder::let_through);
    builder = words.get_without().fold(builder, SandboxBuilder::without);
    Ok(words.get_best_effort().fold(builder, SandboxBuilder::best_effort))
}

/// Lets a child use a directory as its guest may.
fn preopen(builder: SandboxBuilder, preopen: &Preopen) -> SandboxBuilder {
    let access = match preopen.perms {
        FsPerms::ReadOnly => Access::Read,
        FsPerms::ReadWrite => Access::Write,
    };
    builder.file(preopen.dir.clone(), access)
}
