//! Programs, by descriptor: what was opened is what runs.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::io::Errno;
use smallvec::{SmallVec, smallvec};

use crate::error::{SpawnError, Stage};
use crate::executable::Executable;
use crate::script::{self, Interpreter, InterpreterError};

/// A program that was opened once and is executed by its descriptor, so that
/// replacing, renaming or relinking the path afterwards changes nothing.
///
/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Program(Arc<Opened>);

#[derive(Debug)]
struct Opened {
    file: Executable,
    /// What interprets it, and what interprets that, once it is pinned.
    interpreters: Vec<Interpreter>,
}

impl Program {
    /// Opens a program. Symbolic links are followed now and never again.
    ///
    /// A script, whose first two bytes are `#!`, is given to its interpreter
    /// as `/dev/fd/3`, because that is what was opened; when 3 is passed or named
    /// by a file action, as the next number that is not. The kernel looks for the
    /// interpreter at every spawn, unless it is pinned by
    /// [`pin_interpreter`](Program::pin_interpreter).
    ///
    /// # Errors
    /// Those of open(2), and at stage [`Stage::Program`] `EACCES` for what is
    /// not a regular file, as execve(2) has it. Whether the file may be
    /// executed, and has a format that can be, is found out by a spawn.
    pub fn open(path: impl AsRef<Path>) -> Result<Program, SpawnError> {
        let file = Executable::open(path.as_ref()).map_err(SpawnError::at(Stage::Program))?;
        Ok(file.into())
    }

    fn new(file: Executable, interpreters: Vec<Interpreter>) -> Program {
        Program(Arc::new(Opened { file, interpreters }))
    }

    /// Opens the interpreter of a script too, and that one's if it is a script
    /// itself, and so on. From then on they are executed by descriptor as well.
    /// What is no script stays as it is.
    ///
    /// For `#!/usr/bin/env NAME`, which has `env` look for the interpreter each
    /// time, it is looked for now, in these directories; `env` has no part in it.
    ///
    /// The kernel then asks only whether the last interpreter may be executed, no
    /// longer whether the script may: that is what
    /// [`check_executable`](Program::check_executable) is for.
    ///
    /// The dynamic [loader](Program::loader) of a program and its libraries are not
    /// pinned: the kernel and the loader look for them by path.
    ///
    /// # Errors
    /// Those of each interpreter, and what cannot be pinned: a relative path, and
    /// `env` with options or variables.
    pub fn pin_interpreter(&self, directories: &OsStr) -> Result<Program, InterpreterError> {
        let interpreters = script::interpreters(&self.0.file, directories)?;
        Ok(Program::new(self.0.file.clone(), interpreters))
    }

    /// The same program from a copy in memory that nothing can change any more,
    /// and so its pinned interpreters: writing into the files changes nothing
    /// either. The copies are held as long as the program is.
    ///
    /// To the program its own file is `/memfd:NAME (deleted)`: what it looks for
    /// beside that (`$ORIGIN` of its libraries) is not found.
    ///
    /// # Errors
    /// At stage [`Stage::Program`]: those of memfd_create(2) and of reading the
    /// files.
    pub fn seal(&self) -> Result<Program, SpawnError> {
        let seal = |file: &Executable| file.seal().map_err(SpawnError::at(Stage::Program));
        let interpreters = self.0.interpreters.iter().map(|interpreter| {
            Ok(Interpreter { file: seal(&interpreter.file)?, ..interpreter.clone() })
        });
        let interpreters = interpreters.collect::<Result<_, SpawnError>>()?;
        Ok(Program::new(seal(&self.0.file)?, interpreters))
    }

    /// Opens what is executed, to read it from the start: the copy of a program
    /// that is sealed.
    ///
    /// # Errors
    /// Those of open(2), and `ESTALE` when another file has the path now.
    pub fn contents(&self) -> Result<File, SpawnError> {
        self.0.file.read().map_err(SpawnError::at(Stage::Program))
    }

    /// The path that was opened.
    pub fn path(&self) -> &Path {
        self.0.file.path()
    }

    /// The paths of the interpreters that are pinned, the script's own first.
    pub fn interpreters(&self) -> impl Iterator<Item = &Path> {
        self.0.interpreters.iter().map(|interpreter| interpreter.file.path())
    }

    /// Whether the program is a script that another program interprets.
    pub fn is_script(&self) -> bool {
        self.0.file.script().is_some()
    }

    /// Whether it is executed from a copy that nothing can change.
    pub fn is_sealed(&self) -> bool {
        self.0.file.is_sealed()
    }

    /// Whether nobody has written to it, or to an interpreter of it that is pinned,
    /// since they were opened; as far as their sizes and times of modification tell,
    /// which whoever owns them can set. To what is sealed nobody can write.
    ///
    /// # Errors
    /// At stage [`Stage::Program`]: those of fstat(2).
    pub fn is_as_opened(&self) -> Result<bool, SpawnError> {
        for file in self.files() {
            if !file.is_as_opened().map_err(SpawnError::at(Stage::Program))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the file may be executed with our rights, as far as its
    /// permissions say.
    ///
    /// # Errors
    /// `EACCES` when it may not.
    pub fn check_executable(&self) -> Result<(), Errno> {
        self.0.file.check_executable()
    }

    pub(crate) fn name(&self) -> &CString {
        self.0.file.name()
    }

    /// Every file of it, the script and its interpreters.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Executable> {
        let interpreters = self.0.interpreters.iter().map(|interpreter| &interpreter.file);
        [&self.0.file].into_iter().chain(interpreters)
    }

    /// What the kernel executes, and the scripts that are read behind it: the
    /// last of them is read by it, the first is the program.
    pub(crate) fn executed(&self) -> (BorrowedFd<'_>, SmallVec<[BorrowedFd<'_>; 2]>) {
        if self.0.interpreters.is_empty() && !self.is_script() {
            return (self.as_fd(), SmallVec::new());
        }
        let mut files: SmallVec<_> = self.files().map(AsFd::as_fd).collect();
        match files.pop() {
            // Left to the kernel.
            Some(file) if files.is_empty() && self.is_script() => (file, smallvec![file]),
            Some(file) => (file, files),
            None => (self.as_fd(), files),
        }
    }

    /// What stands in front of the arguments, in place of the program's own name,
    /// with the scripts at these numbers; `None` where the kernel sees to it.
    pub(crate) fn interpreted(&self, scripts: &[i32]) -> Option<Vec<CString>> {
        let last = self.0.interpreters.last()?;
        let mut argv = vec![last.name.clone()];
        for (interpreter, number) in self.0.interpreters.iter().zip(scripts).rev() {
            argv.extend(interpreter.argument.clone());
            argv.extend(CString::new(format!("/dev/fd/{number}")));
        }
        Some(argv)
    }
}

impl From<Executable> for Program {
    fn from(file: Executable) -> Program {
        Program::new(file, Vec::new())
    }
}

/// What the kernel executes, or reads first.
impl AsFd for Program {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.file.as_fd()
    }
}
