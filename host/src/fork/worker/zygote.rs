//! A process that is kept to be copied.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::panic::resume_unwind;
use std::sync::Arc;

use offspring_spawn::PidFd;
use rustix::net::sockopt::{Timeout, set_socket_timeout};

use super::connection::Connection;
use super::error::StartError;
use super::handle::{Worker, adopt, ready};
use super::job::Job;
use super::launcher::{Launcher, check_runtime, within};
use super::message::{Kind, Message, nonsense, pair};

/// A process that has prepared what all its workers have in common, and is forked
/// for each of them. Dropping it ends it; its workers go on.
///
/// A worker of it is a child of this process like any other: it is waited for by
/// its own descriptor, and dies with its handle and with this process.
#[derive(Debug, Clone)]
pub struct Zygote(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    process: Worker,
    control: OwnedFd,
    launcher: Launcher,
}

impl Zygote {
    pub(super) fn new(
        process: Worker,
        control: Connection,
        launcher: &Launcher,
    ) -> io::Result<Zygote> {
        let control = control.into_blocking()?;
        set_socket_timeout(&control, Timeout::Send, Some(launcher.patience))?;
        Ok(Zygote(Arc::new(Shared { process, control, launcher: launcher.clone() })))
    }

    /// The descriptor of the process.
    pub fn pidfd(&self) -> &PidFd {
        self.0.process.pidfd()
    }

    /// Forks a worker, and waits until it has its job.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(&self, job: Job) -> Result<Worker, StartError> {
        let runtime = check_runtime()?;
        let (job, answer) = job.into_message()?;
        let shared = Arc::clone(&self.0);
        // On a thread that nobody can stop on its way: a process whose descriptor is
        // lost would not be waited for.
        let forked = runtime.spawn_blocking(move || shared.fork()).await;
        let (mut worker, socket) = match forked {
            Ok(forked) => match forked? {
                Some(forked) => forked,
                None => return Err(StartError::ZygoteEnded(self.0.process.end().await?)),
            },
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // The runtime is ending.
                Err(_) => return Err(StartError::NoRuntime),
            },
        };
        let mut connection = Connection::new(socket)?;
        let begin = async {
            let _ = connection.send(&job).await;
            ready(&mut connection, &mut worker, StartError::Prepare).await
        };
        within(self.0.launcher.patience, begin).await?;
        drop(job);
        worker.serve(connection, answer);
        Ok(worker)
    }
}

impl Shared {
    /// Asks for a worker, and waits until there is one: with the socket at whose other
    /// end it waits for its job. `None` when the zygote has gone.
    fn fork(&self) -> Result<Option<(Worker, OwnedFd)>, StartError> {
        let patience = self.launcher.patience;
        let tree = self.launcher.group()?;
        let (ours, theirs) = pair().map_err(io::Error::from)?;
        set_socket_timeout(&ours, Timeout::Recv, Some(patience)).map_err(io::Error::from)?;
        let mut start = Message::new(Kind::Start, []);
        start.files.push(theirs);
        if let Some(tree) = &tree {
            let directory = rustix::io::fcntl_dupfd_cloexec(tree.cgroup(), 3);
            start.files.push(directory.map_err(io::Error::from)?);
        }
        use ErrorKind::{BrokenPipe, ConnectionReset};
        let late = |error: io::Error| match error.kind() {
            ErrorKind::WouldBlock => StartError::TimedOut(patience),
            _ => error.into(),
        };
        match start.send(&self.control) {
            Err(error) if matches!(error.kind(), BrokenPipe | ConnectionReset) => {
                return Ok(None);
            }
            sent => sent.map_err(late)?,
        }
        // Only the zygote has that end now; when it goes, this one is told.
        drop(start);
        let Some(mut made) = Message::receive(&ours).map_err(late)? else {
            return Ok(None);
        };
        match (made.kind, made.files.pop()) {
            (Kind::Made, Some(pidfd)) => Ok(Some((adopt(pidfd.into(), tree)?, ours))),
            (Kind::Failed, _) => {
                Err(StartError::Fork(String::from_utf8_lossy(&made.bytes).into_owned()))
            }
            _ => Err(nonsense().into()),
        }
    }
}
