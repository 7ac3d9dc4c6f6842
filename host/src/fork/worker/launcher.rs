//! How the programs of workers are started.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use offspring_spawn::{Child, Command, Program, Signal, Stdio};
use rustix::process::getpid;
use tokio::runtime::Handle;

use super::connection::Connection;
use super::entry::{ROLE, Role};
use super::error::StartError;
use super::handle::{Worker, ready};
use super::job::Job;
use super::message::{Kind, Message, pair};
use super::zygote::Zygote;
use crate::attributes::standard_signals;
use crate::cgroup::{OwnedCgroup, Place};

/// Starts workers: processes of a program whose `main` calls
/// [`worker_main`](super::worker_main), this one or another.
///
/// A worker dies when its [`Worker`] is dropped, and when this process ends,
/// however it does. So do its forks.
#[derive(Debug, Clone)]
pub struct Launcher {
    program: Program,
    argv: Vec<OsString>,
    envp: Vec<(OsString, OsString)>,
    setup: Vec<u8>,
    files: Vec<Arc<OwnedFd>>,
    pub(super) place: Option<Arc<Place>>,
    pub(super) patience: Duration,
}

/// How long a program may take to prepare itself, unless something else is said.
const PATIENCE: Duration = Duration::from_secs(30);

impl Launcher {
    /// The program of this process, executed again.
    ///
    /// # Errors
    /// [`StartError::Program`], where there is no `/proc`.
    pub fn this_program() -> Result<Launcher, StartError> {
        let launcher = Launcher::new("/proc/self/exe")?;
        Ok(match env::args_os().next() {
            Some(name) => Launcher { argv: vec![name], ..launcher },
            None => launcher,
        })
    }

    /// Another program. It is opened now; what is at the path later does not count.
    /// It has the environment of this process.
    ///
    /// # Errors
    /// [`StartError::Program`].
    pub fn new(path: impl AsRef<Path>) -> Result<Launcher, StartError> {
        let path = path.as_ref();
        Ok(Launcher {
            program: Program::open(path).map_err(StartError::Program)?,
            argv: vec![path.into()],
            envp: env::vars_os().filter(|(name, _)| name != ROLE).collect(),
            setup: Vec::new(),
            files: Vec::new(),
            place: None,
            patience: PATIENCE,
        })
    }

    /// Adds an argument. `worker_main` looks at none.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Launcher {
        self.argv.push(arg.into());
        self
    }

    /// Sets a variable of the program's environment.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl Into<OsString>) -> Launcher {
        self.envp.retain(|(known, _)| known != name.as_ref());
        self.envp.push((name.as_ref().to_owned(), value.into()));
        self
    }

    /// Removes all variables.
    pub fn env_clear(mut self) -> Launcher {
        self.envp.clear();
        self
    }

    /// Sets what the program prepares itself from, in a form of the embedder's
    /// own: 1 MiB at most.
    pub fn setup(mut self, bytes: impl Into<Vec<u8>>) -> Launcher {
        self.setup = bytes.into();
        self
    }

    /// Adds a descriptor to that, such as a compiled component's: 64 at most. All
    /// processes of the program have the same open file, with one position; to read
    /// it from its beginning they open `/proc/self/fd/NUMBER`.
    pub fn setup_file(mut self, file: impl Into<OwnedFd>) -> Launcher {
        self.files.push(Arc::new(file.into()));
        self
    }

    /// Gives each worker a cgroup of its own in this place. Then all that a
    /// worker's guest has started dies with the worker, also what has left its
    /// process group or its session. Default: none, and the worker's forks die
    /// with it, and what these have started if their policies say so, see
    /// [`die_with_thread`](crate::ProcessCtxBuilder::die_with_thread).
    pub fn own_groups(mut self, place: Arc<Place>) -> Launcher {
        self.place = Some(place);
        self
    }

    /// Sets how long a program may take to prepare itself, and a worker to take on
    /// its job. Default: 30 seconds.
    pub fn patience(mut self, patience: Duration) -> Launcher {
        self.patience = patience;
        self
    }

    /// Starts a worker by executing the program, and waits until it has its job.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(&self, job: Job) -> Result<Worker, StartError> {
        check_runtime()?;
        let (job, answer) = job.into_message()?;
        let tree = self.group()?;
        let (child, mut connection) = self.execute(Role::Worker, tree.as_ref()).await?;
        let mut worker = Worker::new(child, tree)?;
        let begin = async {
            // An error of sending is told better by what comes back.
            let _ = connection.send(&job).await;
            ready(&mut connection, &mut worker, StartError::Prepare).await
        };
        within(self.patience, begin).await?;
        drop(job);
        worker.serve(connection, answer);
        Ok(worker)
    }

    /// Starts a zygote: one process of the program that prepares itself once and
    /// is copied for each worker.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn zygote(&self) -> Result<Zygote, StartError> {
        check_runtime()?;
        let (child, mut connection) = self.execute(Role::Zygote, None).await?;
        let mut worker = Worker::new(child, None)?;
        let begin = ready(&mut connection, &mut worker, StartError::Prepare);
        within(self.patience, begin).await?;
        Ok(Zygote::new(worker, connection, self)?)
    }

    /// Executes the program and says what it is to prepare itself from.
    async fn execute(
        &self,
        role: Role,
        tree: Option<&OwnedCgroup>,
    ) -> Result<(Child, Connection), StartError> {
        let (ours, theirs) = pair().map_err(std::io::Error::from)?;
        let connection = Connection::new(ours)?;
        let mut command = Command::new(&self.program);
        command.argv(&self.argv).stdin(theirs).stdout(Stdio::Inherit).stderr(Stdio::Inherit);
        for (name, value) in &self.envp {
            command.env(name, value);
        }
        command
            .env(ROLE, role.words(getpid().as_raw_pid().unsigned_abs()))
            .new_process_group(true)
            .default_signals(standard_signals(Instant::now()))
            .parent_death_signal(Some(Signal::KILL));
        if let Some(tree) = tree {
            command.cgroup(tree.cgroup());
        }
        // By a thread that lives as long as this process, so that the signal above
        // comes when that ends.
        let child = command.spawn_async().await?;
        let mut setup = Message::new(Kind::Setup, self.setup.as_slice());
        for file in &self.files {
            setup.files.push(file.try_clone()?);
        }
        setup.check()?;
        // It may have ended; then what comes back tells.
        let _ = within(self.patience, async { Ok(connection.send(&setup).await?) }).await;
        Ok((child, connection))
    }

    /// A cgroup for one worker.
    pub(super) fn group(&self) -> Result<Option<OwnedCgroup>, StartError> {
        Ok(self.place.as_ref().map(Place::create).transpose()?)
    }
}

/// Whether what follows can wait.
pub(super) fn check_runtime() -> Result<Handle, StartError> {
    Handle::try_current().map_err(|_| StartError::NoRuntime)
}

/// Limits how long something may take.
pub(super) async fn within<T>(
    patience: Duration,
    what: impl Future<Output = Result<T, StartError>>,
) -> Result<T, StartError> {
    match tokio::time::timeout(patience, what).await {
        Ok(result) => result,
        Err(_) => Err(StartError::TimedOut(patience)),
    }
}
