//! What a worker gets from its embedder.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::answer::Answer;
use super::channel::Channel;
use super::message::{Kind, MAX_FILES, Message, nonsense};
use super::settings::Settings;

/// What a worker is to do, as its embedder says it: what its guest is given, and
/// whatever else the embedder's part in it has to know, bytes in a form of the
/// embedder's own and descriptors.
///
/// Its standard input is `/dev/null` unless another is given, its other streams
/// are the embedder's.
#[derive(Default)]
pub struct Job {
    bytes: Vec<u8>,
    files: Vec<OwnedFd>,
    settings: Settings,
    stdio: [Option<OwnedFd>; 3],
    answer: Option<Arc<dyn Answer>>,
}

impl Job {
    /// The most descriptors, besides the standard streams: 61.
    pub const MAX_FILES: usize = MAX_FILES - 3;

    /// Starts with these bytes. With the settings they are less than 1 MiB; what is
    /// longer is passed as a file.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Job {
        Job { bytes: bytes.into(), ..Job::default() }
    }

    /// Sets what the guest is given.
    pub fn settings(mut self, settings: Settings) -> Job {
        self.settings = settings;
        self
    }

    /// Adds a descriptor: a component, a socket.
    pub fn file(mut self, file: impl Into<OwnedFd>) -> Job {
        self.files.push(file.into());
        self
    }

    /// Sets the worker's standard input. A worker leads a process group of its
    /// own, so that it cannot read from the embedder's terminal.
    pub fn stdin(mut self, file: impl Into<OwnedFd>) -> Job {
        self.stdio[0] = Some(file.into());
        self
    }

    /// Sets the worker's standard output.
    pub fn stdout(mut self, file: impl Into<OwnedFd>) -> Job {
        self.stdio[1] = Some(file.into());
        self
    }

    /// Sets the worker's standard error.
    pub fn stderr(mut self, file: impl Into<OwnedFd>) -> Job {
        self.stdio[2] = Some(file.into());
        self
    }

    /// Sets who answers the calls of the worker and its forks.
    pub fn answer(mut self, answer: impl Answer) -> Job {
        self.answer = Some(Arc::new(answer));
        self
    }

    /// The message that it is, and who answers.
    pub(super) fn into_message(self) -> io::Result<(Message, Option<Arc<dyn Answer>>)> {
        let [stdin, stdout, stderr] = self.stdio;
        let ours = |file: Option<OwnedFd>, own: rustix::fd::BorrowedFd<'_>| match file {
            Some(file) => Ok(file),
            None => rustix::io::fcntl_dupfd_cloexec(own, 3).map_err(io::Error::from),
        };
        let stdin = match stdin {
            Some(file) => file,
            None => File::open("/dev/null")?.into(),
        };
        let stdio =
            [stdin, ours(stdout, rustix::stdio::stdout())?, ours(stderr, rustix::stdio::stderr())?];
        let (settings, directories) = self.settings.into_parts();
        let mut bytes = self.bytes;
        bytes.extend_from_slice(&settings);
        // What is too long is refused below.
        bytes.extend_from_slice(&u32::try_from(settings.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.push(u8::from(self.answer.is_some()));
        let files = stdio.into_iter().chain(directories).chain(self.files).collect();
        let message = Message { kind: Kind::Job, bytes, files };
        message.check()?;
        Ok((message, self.answer))
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// What a program of workers prepares itself from, once for all its workers.
#[derive(Debug)]
#[non_exhaustive]
pub struct Setup {
    /// The bytes of [`Launcher::setup`](super::Launcher::setup).
    pub bytes: Vec<u8>,
    /// The descriptors of [`Launcher::setup_file`](super::Launcher::setup_file).
    pub files: Vec<OwnedFd>,
}

/// A [`Job`] as its worker sees it. The standard streams are in their places.
#[derive(Debug)]
#[non_exhaustive]
pub struct Work {
    /// What its guest is given.
    pub settings: Settings,
    /// The bytes of the job.
    pub bytes: Vec<u8>,
    /// Its descriptors, in the order in which they were added.
    pub files: Vec<OwnedFd>,
    /// Calls the embedder.
    pub channel: Channel,
}

impl Work {
    /// Takes on a job: puts the streams in their places, says so, and stays
    /// connected if somebody answers.
    pub(super) fn begin(message: Message, socket: OwnedFd) -> io::Result<Work> {
        let Message { mut bytes, files, .. } = message;
        let answers = bytes.pop().ok_or_else(nonsense)?;
        let length = bytes.split_off(bytes.len().checked_sub(4).ok_or_else(nonsense)?);
        let length = u32::from_le_bytes(length.try_into().map_err(|_| nonsense())?) as usize;
        let settings = bytes.split_off(bytes.len().checked_sub(length).ok_or_else(nonsense)?);
        let mut files = files.into_iter();
        let (Some(stdin), Some(stdout), Some(stderr)) = (files.next(), files.next(), files.next())
        else {
            return Err(nonsense());
        };
        let settings = Settings::from_parts(&settings, &mut files)?;
        rustix::stdio::dup2_stdin(stdin)?;
        rustix::stdio::dup2_stdout(stdout)?;
        rustix::stdio::dup2_stderr(stderr)?;
        Message::new(Kind::Ready, []).send(&socket)?;
        let channel = Channel::begin((answers != 0).then_some(socket));
        Ok(Work { settings, bytes, files: files.collect(), channel })
    }
}
