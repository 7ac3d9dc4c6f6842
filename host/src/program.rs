//! Opening a program when its policy is loaded, so that what runs is what was
//! checked.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use offspring_spawn::{Errno, InterpreterError, Program, SpawnError, Stage};
use sha2::Digest;

use crate::policy::{Grant, Sha256};
use crate::preopen::Preopen;
use crate::written::replaceable;

/// Why a program cannot be granted.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// It cannot be opened, executed or copied.
    #[error("{}", not_opened(.path, .error))]
    Open {
        /// The program, as the policy names it.
        path: PathBuf,
        /// Why.
        error: SpawnError,
    },
    /// It is a script, and its interpreter cannot be pinned.
    #[error(transparent)]
    Interpreter(#[from] InterpreterError),
    /// Its content is not what the policy says.
    #[error(
        "{} has another content; its SHA-256 sum is {found}: if you trust that, write `sha256 = \
         \"{found}\"`",
        .path.display()
    )]
    Content {
        /// The program, as it was found.
        path: PathBuf,
        /// Its sum.
        found: Sha256,
    },
    /// The guest could put another one in its place.
    #[error(
        "the guest may write to {} through its directory `{guest}`, so it could change {}; give it \
         the directory only to read, or move the program out of it{}",
        .place.display(), .path.display(), if *.pinnable { ", or pin it with `sha256`" } else { "" }
    )]
    Writable {
        /// The program, or its interpreter.
        path: PathBuf,
        /// The file or the directory that the guest may write to.
        place: PathBuf,
        /// The guest's path for the directory that it lies beneath.
        guest: String,
        /// Whether a sum of its content would do.
        pinnable: bool,
    },
}

fn not_opened(path: &Path, error: &SpawnError) -> String {
    let shown = path.display();
    match (error.errno, path.components().count()) {
        (Errno::NOENT | Errno::ACCESS, 1) => {
            format!("no directory of $PATH has an executable file `{shown}`")
        }
        (Errno::ACCESS, _) if path.is_dir() => format!("{shown} is a directory, not a program"),
        (Errno::ACCESS, _) if path.is_file() => format!("{shown} may not be executed"),
        (errno, _) => format!("{shown}: {errno}"),
    }
}

/// Opens the program of a grant by its path, or looks for a bare name on `$PATH`,
/// once; pins its interpreters, and its content if the grant says so; and sees to
/// it that a guest with these directories cannot change any of it.
pub(crate) fn open(grant: &Grant, preopens: &[Preopen]) -> Result<Program, ProgramError> {
    let failed = |error| ProgramError::Open { path: grant.path().to_owned(), error };
    let directories = directories();
    let program = Program::search(grant.path(), &directories).map_err(failed)?;
    let executable = program.check_executable();
    executable.map_err(|errno| failed(SpawnError { stage: Stage::Program, errno }))?;
    let program = program.pin_interpreter(&directories)?;
    let files = [program.path()].into_iter().chain(program.interpreters());
    for (index, file) in files.enumerate() {
        let pinned = index == 0 && grant.get_sha256().is_some();
        let mut changed = preopens
            .iter()
            .filter(|_| !pinned)
            .filter_map(|preopen| Some((replaceable(file, preopen)?, preopen)));
        if let Some((place, preopen)) = changed.next() {
            let (path, guest) = (file.to_owned(), preopen.guest.clone());
            return Err(ProgramError::Writable { path, place, guest, pinnable: index == 0 });
        }
    }
    let Some(expected) = grant.get_sha256() else { return Ok(program) };
    let sealed = program.seal().map_err(failed)?;
    let found = sum(&sealed).map_err(failed)?;
    match found == expected {
        true => Ok(sealed),
        false => Err(ProgramError::Content { path: program.path().to_owned(), found }),
    }
}

/// Where programs are looked for.
fn directories() -> OsString {
    std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into())
}

/// The sum of what is executed.
fn sum(program: &Program) -> Result<Sha256, SpawnError> {
    let failed = |error: std::io::Error| SpawnError {
        stage: Stage::Program,
        errno: Errno::from_io_error(&error).unwrap_or(Errno::IO),
    };
    let mut contents = program.contents()?;
    let mut digest = sha2::Sha256::new();
    let mut block = vec![0; 1 << 16];
    loop {
        match contents.read(&mut block).map_err(failed)? {
            0 => return Ok(Sha256(digest.finalize().into())),
            count => digest.update(&block[..count]),
        }
    }
}
