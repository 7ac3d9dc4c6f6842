//! What to start and how.

use std::ffi::{CString, OsStr};
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;

use crate::abort::SpawnAbort;
use crate::action::{self, Directory, FileActions};
use crate::attributes::Attributes;
use crate::child::Child;
use crate::error::{SpawnError, Stage};
use crate::launch;
use crate::namespace::{Namespace, Namespaces};
use crate::program::Program;
use crate::sandbox::Sandbox;
use crate::stdio::Stdio;
use crate::view::{Joined, PreparedView};

/// What to start and how: the attributes and file actions of `posix_spawn`,
/// with nothing inherited unless asked for.
///
/// The child is born into its cgroup and its namespaces, and takes its view. It sets
/// its attributes in this order: scheduler, nice value, processors, session, process
/// group, terminal, effective ids, umask, limits, identity, parent death signal,
/// `no_new_privs`, working directory. Then come the file actions,
/// the sandbox, and last the signals. The first of them that fails ends the spawn with a
/// [`Stage`] of its own.
///
/// A child starts with
/// - the arguments given here, behind the path that the program was opened by;
/// - the environment given here, and no other variable;
/// - `/dev/null` as its standard streams, and no other descriptor;
/// - all signals unblocked, no handlers, SIGPIPE at its default action, and
///   what this process ignores ignored;
/// - this process's working directory, ids, limits, session, process group and
///   cgroup.
///
/// A command can be spawned any number of times.
///
/// ```
/// use offspring_spawn::{Command, Program, Stdio};
/// use std::io::Read;
///
/// let echo = Program::search("echo", "/bin:/usr/bin".as_ref())?;
/// let mut child = Command::new(&echo).arg("hello").stdout(Stdio::Piped).spawn()?;
/// let mut text = String::new();
/// std::fs::File::from(child.stdout.take().unwrap()).read_to_string(&mut text)?;
/// assert_eq!(text, "hello\n");
/// assert!(child.wait()?.status.success());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # References
/// - [posix_spawn(3)](https://man7.org/linux/man-pages/man3/posix_spawn.3.html)
/// - [clone(2)](https://man7.org/linux/man-pages/man2/clone.2.html)
#[derive(Debug, Clone)]
pub struct Command {
    pub(crate) program: Program,
    /// `None` for the program's name alone.
    pub(crate) argv: Option<Vec<CString>>,
    pub(crate) envp: Vec<CString>,
    pub(crate) nul: bool,
    pub(crate) stdio: [Stdio; 3],
    pub(crate) cwd: Option<Directory>,
    pub(crate) cgroup: Option<Arc<OwnedFd>>,
    pub(crate) passed: Vec<(Arc<OwnedFd>, RawFd)>,
    /// Directories of the child's, by their paths, and their numbers.
    pub(crate) opened: Vec<(CString, RawFd)>,
    pub(crate) actions: FileActions,
    pub(crate) attributes: Attributes,
    pub(crate) sandbox: Option<Sandbox>,
    pub(crate) view: Option<PreparedView>,
    pub(crate) patience: Duration,
}

impl Command {
    /// Starts a command for this program.
    pub fn new(program: &Program) -> Command {
        Command {
            argv: None,
            envp: Vec::new(),
            program: program.clone(),
            nul: false,
            stdio: [const { Stdio::Null }; 3],
            cwd: None,
            cgroup: None,
            passed: Vec::new(),
            opened: Vec::new(),
            actions: FileActions::new(),
            attributes: Attributes::default(),
            sandbox: None,
            view: None,
            patience: Duration::ZERO,
        }
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Command {
        let arg = self.c_string(arg.as_ref().as_bytes());
        let argv = self.argv.get_or_insert_with(|| vec![self.program.name().clone()]);
        argv.push(arg);
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Command {
        for arg in args {
            self.arg(arg);
        }
        self
    }

    /// Replaces all arguments, the program's own name included.
    pub fn argv(&mut self, argv: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Command {
        let argv = argv.into_iter().map(|arg| self.c_string(arg.as_ref().as_bytes())).collect();
        self.argv = Some(argv);
        self
    }

    /// Adds a variable to the environment, which starts empty.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Command {
        let variable = [name.as_ref().as_bytes(), b"=", value.as_ref().as_bytes()].concat();
        let variable = self.c_string(&variable);
        self.envp.push(variable);
        self
    }

    /// Sets what standard input is connected to.
    pub fn stdin(&mut self, stdio: impl Into<Stdio>) -> &mut Command {
        self.stdio[0] = stdio.into();
        self
    }

    /// Sets what standard output is connected to.
    pub fn stdout(&mut self, stdio: impl Into<Stdio>) -> &mut Command {
        self.stdio[1] = stdio.into();
        self
    }

    /// Sets what standard error is connected to.
    pub fn stderr(&mut self, stdio: impl Into<Stdio>) -> &mut Command {
        self.stdio[2] = stdio.into();
        self
    }

    /// Runs the child in this directory; of a descriptor `O_PATH` is enough.
    pub fn current_dir(&mut self, directory: impl Into<Directory>) -> &mut Command {
        self.cwd = Some(directory.into());
        self
    }

    /// Starts the child inside this cgroup (version 2): a
    /// [`Cgroup`](crate::Cgroup), or the descriptor of one's directory. The
    /// program never runs one instruction outside it.
    pub fn cgroup(&mut self, directory: impl Into<Arc<OwnedFd>>) -> &mut Command {
        self.cgroup = Some(directory.into());
        self
    }

    /// Starts the child in the cgroup that this process is in, which is the default.
    pub fn no_cgroup(&mut self) -> &mut Command {
        self.cgroup = None;
        self
    }

    /// Passes a descriptor to the child, as this number: a standard stream's
    /// too. A later one of the same number replaces it. It stays open here as
    /// long as the command lives.
    ///
    /// # Errors
    /// `EBADF` when the number is negative or not below the soft limit of open
    /// files.
    pub fn pass(
        &mut self,
        fd: impl Into<Arc<OwnedFd>>,
        number: RawFd,
    ) -> Result<&mut Command, Errno> {
        self.passed.push((fd.into(), action::check(number)?));
        Ok(self)
    }

    /// Passes the directory that is at this path for the child, in its
    /// [view](crate::View) if it has one, as this number, open for reading. The path
    /// must be trusted, as in [`Directory::at`].
    ///
    /// # Errors
    /// `EBADF` when the number is negative or not below the soft limit of open
    /// files, `EINVAL` for a path with a NUL byte. At a spawn, those of open(2), at
    /// [`Stage::Passed`].
    pub fn pass_directory(
        &mut self,
        path: impl AsRef<Path>,
        number: RawFd,
    ) -> Result<&mut Command, Errno> {
        let path = CString::new(path.as_ref().as_os_str().as_bytes()).map_err(|_| Errno::INVAL)?;
        self.opened.push((path, action::check(number)?));
        Ok(self)
    }

    /// Sets what the child does with its descriptors before it executes its
    /// program.
    pub fn file_actions(&mut self, actions: FileActions) -> &mut Command {
        self.actions = actions;
        self
    }

    /// Lets a spawn wait for the end of the process as well, so long at most, before it
    /// comes back; not where a stream is piped. Default: not at all. Up to 20 ms it may be
    /// twice as long: such times are counted by a timer that each thread that asks for
    /// them keeps, a descriptor, and that was set before.
    ///
    /// For programs that end soon: the thread that calls sleeps once, not twice, which
    /// makes spawn and wait of a small program as fast as the kernel alone is with two.
    /// [`Child::try_wait`] tells how it ended, or that it still runs. [`Duration::MAX`], for
    /// who will do nothing else, takes the least: no time is counted then. Such a spawn
    /// comes back when the process has ended, and no sooner: a [`SpawnAbort`] stops what
    /// has not executed its program yet.
    ///
    /// ```
    /// use offspring_spawn::{Command, Program};
    /// use std::time::Duration;
    ///
    /// let program = Program::search("true", "/bin:/usr/bin".as_ref())?;
    /// let child = Command::new(&program).patience(Duration::MAX).spawn()?;
    /// assert!(child.try_wait()?.unwrap().status.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn patience(&mut self, patience: Duration) -> &mut Command {
        self.patience = patience;
        self
    }

    /// Starts the process. On success its program is running.
    ///
    /// The calling thread sleeps until the program is executed: usually some
    /// tens of microseconds, longer when it must be read from a disk, and as
    /// long as a frozen cgroup stays frozen.
    ///
    /// # Errors
    /// Where it failed and why; nothing is left of the attempt.
    pub fn spawn(&self) -> Result<Child, SpawnError> {
        self.launch(None)
    }

    /// The same, to be stopped from another thread.
    ///
    /// # Errors
    /// Also `ECANCELED` in the stage [`Stage::Exec`], when it was stopped.
    pub fn spawn_abortable(&self, abort: &SpawnAbort) -> Result<Child, SpawnError> {
        self.launch(Some(abort))
    }

    fn launch(&self, abort: Option<&SpawnAbort>) -> Result<Child, SpawnError> {
        if self.nul {
            return Err(SpawnError { stage: Stage::Arguments, errno: Errno::INVAL });
        }
        launch::launch(self, abort)
    }

    /// All arguments, the program's own name included.
    pub(crate) fn all_args(&self) -> &[CString] {
        self.argv.as_deref().unwrap_or(slice::from_ref(self.program.name()))
    }

    /// Whether the child needs no descriptor at a number that was chosen, but for its
    /// standard streams.
    pub(crate) fn chooses_no_number(&self) -> bool {
        self.passed.is_empty() && self.opened.is_empty() && self.actions.is_empty()
    }

    /// Whether the child needs nothing of ours but its streams, its program and a directory,
    /// and is kept from nothing.
    pub(crate) fn is_plain(&self) -> bool {
        self.chooses_no_number()
            && self.program.executed().1.is_empty()
            && self.sandbox.is_none()
            && self.view.is_none()
            && self.attributes.is_plain()
    }

    /// Those that were asked for, and the one that a view needs.
    pub(crate) fn all_namespaces(&self) -> Namespaces {
        let mut namespaces = self.attributes.namespaces;
        if self.view.is_some() {
            namespaces.insert(Namespace::Mount);
        }
        namespaces
    }

    /// The view to join, if there is one that the child can.
    pub(crate) fn joined(&self) -> Option<Joined<'_>> {
        self.view.as_ref().and_then(|view| view.joined(self.attributes.namespaces))
    }

    /// A NUL in a string is remembered and reported by [`Command::spawn`].
    fn c_string(&mut self, bytes: &[u8]) -> CString {
        CString::new(bytes).unwrap_or_else(|_| {
            self.nul = true;
            CString::default()
        })
    }
}
