//! What an embedder answers its workers.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use tokio::task::JoinSet;

use super::connection::Connection;
use super::message::{Kind, MAX, Message};

/// Answers the calls that a worker makes with its [`Channel`](super::Channel).
/// Any function from a [`Call`] to a future of bytes is one.
///
/// It runs on the embedder's runtime. Calls of one process come one after the
/// other; those of a worker and its forks, each a process, at the same time.
#[async_trait]
pub trait Answer: Send + Sync + 'static {
    /// Answers a call. What is longer than
    /// [`Channel::MAX`](super::Channel::MAX) is an error there, and so is a panic.
    async fn answer(&self, call: Call) -> Vec<u8>;
}

#[async_trait]
impl<F, A> Answer for F
where
    F: Fn(Call) -> A + Send + Sync + 'static,
    A: Future<Output = Vec<u8>> + Send + 'static,
{
    async fn answer(&self, call: Call) -> Vec<u8> {
        self(call).await
    }
}

/// A call of a worker's.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// Which process of the worker's tree calls: 0 is the worker itself, and each
    /// fork has a number of its own.
    pub process: u64,
    /// What it says.
    pub request: Vec<u8>,
}

/// Answers one worker and all its forks, until the last of them has gone.
pub(super) async fn serve(connection: Connection, answer: Arc<dyn Answer>) {
    Serving { answer, processes: Arc::default() }.process(connection).await;
}

#[derive(Clone)]
struct Serving {
    answer: Arc<dyn Answer>,
    processes: Arc<AtomicU64>,
}

impl Serving {
    fn process(self, mut connection: Connection) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let process = self.processes.fetch_add(1, Ordering::Relaxed);
            // Dropped with this.
            let mut forks = JoinSet::new();
            // What goes wrong with one process is no concern of another.
            while let Ok(Some(mut message)) = connection.receive().await {
                match message.kind {
                    Kind::Call => {
                        let answer = self.answered(Call { process, request: message.bytes }).await;
                        if connection.send(&answer).await.is_err() {
                            break;
                        }
                    }
                    Kind::Channel => {
                        while forks.try_join_next().is_some() {}
                        if let Some(Ok(fork)) = message.files.pop().map(Connection::new) {
                            forks.spawn(self.clone().process(fork));
                        }
                    }
                    _ => break,
                }
            }
            drop(connection);
            while forks.join_next().await.is_some() {}
        })
    }

    async fn answered(&self, call: Call) -> Message {
        let answer = Arc::clone(&self.answer);
        // A task by itself, whose panic is its own; dropped with this.
        let mut task = JoinSet::new();
        task.spawn(async move { answer.answer(call).await });
        match task.join_next().await {
            Some(Ok(bytes)) if bytes.len() <= MAX => Message::new(Kind::Answer, bytes),
            Some(Ok(bytes)) => {
                let why = format!("the embedder's answer of {} bytes is too long", bytes.len());
                Message::new(Kind::Unanswered, why)
            }
            Some(Err(_)) | None => Message::new(Kind::Unanswered, "the embedder has no answer"),
        }
    }
}
