//! A worker, as its embedder has it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use offspring_spawn::{Child, Errno, Exit, ExitStatus, PidFd};
use tokio::io::Interest;
use tokio::task::AbortHandle;

use super::answer::{Answer, serve};
use super::connection::Connection;
use super::error::StartError;
use super::message::{Kind, nonsense};
use crate::cgroup::OwnedCgroup;
use crate::readiness::Readiness;

/// How long a process may still take to end that has closed its end of the socket.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// A worker process, owned: dropping this kills it with its forks, and waits for
/// it for a moment.
#[derive(Debug)]
pub struct Worker {
    // Killed before its group is removed and its calls are no longer answered.
    child: Child,
    pidfd: Arc<OwnedFd>,
    tree: Option<OwnedCgroup>,
    serving: Option<AbortHandle>,
}

impl Worker {
    pub(super) fn new(child: Child, tree: Option<OwnedCgroup>) -> io::Result<Worker> {
        let pidfd = Arc::new(child.pidfd().try_clone()?.into());
        Ok(Worker { child, pidfd, tree, serving: None })
    }

    /// Answers its calls from now on, and those of its forks.
    pub(super) fn serve(&mut self, connection: Connection, answer: Option<Arc<dyn Answer>>) {
        if let Some(answer) = answer {
            self.serving = Some(tokio::spawn(serve(connection, answer)).abort_handle());
        }
    }

    /// The descriptor of the process: to send it signals, or to pass it on.
    pub fn pidfd(&self) -> &PidFd {
        self.child.pidfd()
    }

    /// Asks, without blocking, whether it has ended.
    ///
    /// # Errors
    /// Those of waitid(2), of which none is expected.
    pub fn try_wait(&self) -> io::Result<Option<Exit>> {
        self.child.try_wait()
    }

    /// Waits until it has ended. Its status is the code of its work. Any number may
    /// wait, and each is told the same.
    ///
    /// # Errors
    /// Those of waitid(2), of which none is expected.
    pub async fn wait(&self) -> io::Result<Exit> {
        let mut readiness = Readiness::default();
        loop {
            readiness.ready(&self.pidfd, Interest::READABLE).await;
            if let Some(exit) = self.try_wait()? {
                return Ok(exit);
            }
            // Dead, but something traces it, and it is not ours to wait for yet.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Kills it with its forks. Succeeds also when it has ended.
    ///
    /// # Errors
    /// `EPERM` when it has taken on other rights than ours.
    pub fn kill(&self) -> io::Result<()> {
        let tree = self.tree.as_ref().map(|tree| tree.cgroup().kill());
        self.child.kill()?;
        tree.transpose().map(drop).map_err(|error| error.errno().into())
    }

    /// How it ended, that says nothing more: by itself, or killed a moment later.
    pub(super) async fn end(&self) -> io::Result<ExitStatus> {
        let exit = match tokio::time::timeout(LAST_MOMENT, self.wait()).await {
            Ok(exit) => exit?,
            Err(_) => {
                self.child.kill()?;
                self.wait().await?
            }
        };
        Ok(exit.status)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The group goes with it; a group that has another one above it is killed
        // here, before the process is waited for.
        if let Some(tree) = &self.tree {
            let _ = tree.cgroup().kill();
        }
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

/// Waits until a process says that it is ready.
pub(super) async fn ready(
    connection: &mut Connection,
    worker: &mut Worker,
    failed: impl Fn(String) -> StartError,
) -> Result<(), StartError> {
    match connection.receive().await? {
        None => Err(StartError::Ended(worker.end().await?)),
        Some(message) => match message.kind {
            Kind::Ready => Ok(()),
            Kind::Failed => Err(failed(String::from_utf8_lossy(&message.bytes).into_owned())),
            _ => Err(nonsense().into()),
        },
    }
}

/// What a new process is owned by, from its descriptor.
pub(super) fn adopt(pidfd: PidFd, tree: Option<OwnedCgroup>) -> Result<Worker, StartError> {
    match Child::adopt(pidfd, true) {
        Ok(child) => Ok(Worker::new(child, tree)?),
        Err(error) if Errno::from_io_error(&error) == Some(Errno::CHILD) => Err(nonsense().into()),
        Err(error) => Err(error.into()),
    }
}
