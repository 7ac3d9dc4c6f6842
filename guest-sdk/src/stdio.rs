//! What a child has as its standard streams.

use crate::bindings::spawn::{Command, Input, Output, Stdio as Plain};
use crate::bindings::types::ErrorCode;
use crate::fs::File;
use crate::{PipeReader, PipeWriter, SpawnError};

/// What one of a child's standard streams is.
///
/// The end of a pipe turns into one, so that children can be joined by the
/// kernel, and nothing of what they exchange passes through the component:
///
/// ```no_run
/// # use offspring_guest::{Command, Stdio};
/// # fn main() -> std::io::Result<()> {
/// let mut list = Command::new("git").arg("ls-files").stdout(Stdio::piped()).spawn()?;
/// let count = Command::new("wc").stdin(list.stdout.take().unwrap()).output()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Stdio(Kind);

#[derive(Debug)]
enum Kind {
    Null,
    Inherit,
    Piped,
    Reader(PipeReader),
    Writer(PipeWriter),
    File(File),
    /// A pipe end that an earlier spawn gave away.
    Gone,
}

impl Stdio {
    /// Nothing: reading is at its end at once, and what is written is lost.
    pub const fn null() -> Self {
        Self(Kind::Null)
    }

    /// The host's own stream of the same name. Its grant must allow it.
    ///
    /// This is the stream of the *host's* process: what the component itself
    /// was given as its standard output may be something else.
    pub const fn inherit() -> Self {
        Self(Kind::Inherit)
    }

    /// A new pipe. [`Child`](crate::Child) has its other end.
    pub const fn piped() -> Self {
        Self(Kind::Piped)
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.0, Kind::Null)
    }

    /// What it is if the component gives nothing.
    pub(crate) fn plain(&self) -> Option<Plain> {
        match &self.0 {
            Kind::Null => Some(Plain::Null),
            Kind::Inherit => Some(Plain::Inherit),
            Kind::Piped => Some(Plain::Piped),
            Kind::Reader(_) | Kind::Writer(_) | Kind::File(_) | Kind::Gone => None,
        }
    }

    pub(crate) fn set_stdin(&self, command: &Command) -> Result<(), SpawnError> {
        let set = |input: Input<'_>| command.stdin(&input).map_err(|code| refused("stdin", code));
        match &self.0 {
            Kind::Null => set(Input::Null),
            Kind::Inherit => set(Input::Inherit),
            Kind::Piped => set(Input::Piped),
            Kind::Reader(reader) => reader.lend(|pipe| set(Input::Pipe(pipe)))?,
            Kind::Writer(_) => Err(SpawnError::invalid("stdin is the end of a pipe to write to")),
            Kind::File(file) => set(Input::File(&file.0)),
            Kind::Gone => Err(gone("stdin")),
        }
    }

    pub(crate) fn set_output(
        &self,
        name: &str,
        set: impl Fn(&Output<'_>) -> Result<(), ErrorCode>,
    ) -> Result<(), SpawnError> {
        let set = |output: Output<'_>| set(&output).map_err(|code| refused(name, code));
        match &self.0 {
            Kind::Null => set(Output::Null),
            Kind::Inherit => set(Output::Inherit),
            Kind::Piped => set(Output::Piped),
            Kind::Reader(_) => {
                Err(SpawnError::invalid(format!("{name} is the end of a pipe to read from")))
            }
            Kind::Writer(writer) => writer.lend(|pipe| set(Output::Pipe(pipe)))?,
            Kind::File(file) => set(Output::File(&file.0)),
            Kind::Gone => Err(gone(name)),
        }
    }

    /// Lets go of a pipe end that a child has now.
    pub(crate) fn give_away(&mut self) {
        if matches!(self.0, Kind::Reader(_) | Kind::Writer(_)) {
            self.0 = Kind::Gone;
        }
    }
}

fn refused(name: &str, code: ErrorCode) -> SpawnError {
    let code = crate::ErrorCode::from(code);
    let message = match code {
        crate::ErrorCode::AccessDenied => format!("{name}: the file was not opened for that"),
        _ => format!("{name}: {code}"),
    };
    SpawnError::request(code, message)
}

fn gone(name: &str) -> SpawnError {
    SpawnError::invalid(format!("{name} is a pipe that an earlier spawn gave away; set it again"))
}

impl From<PipeReader> for Stdio {
    fn from(reader: PipeReader) -> Self {
        Self(Kind::Reader(reader))
    }
}

impl From<PipeWriter> for Stdio {
    fn from(writer: PipeWriter) -> Self {
        Self(Kind::Writer(writer))
    }
}

/// For one end as both output and error, which keeps the two in order. The
/// reader sees the end only when the component's own end is dropped too.
impl From<&PipeWriter> for Stdio {
    fn from(writer: &PipeWriter) -> Self {
        Self(Kind::Writer(writer.share()))
    }
}

impl From<File> for Stdio {
    fn from(file: File) -> Self {
        Self(Kind::File(file))
    }
}
