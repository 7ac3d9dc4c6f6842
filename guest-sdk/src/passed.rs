//! What a child starts with besides its standard streams.

use crate::bindings::spawn;
use crate::fs::{Dir, File};
use crate::{ErrorCode, PipeReader, PipeWriter, SpawnError};

/// Something that a child is [given](crate::Command::pass) under a number: a
/// file, a directory or the end of a pipe.
#[derive(Debug)]
pub struct Passed(Kind);

#[derive(Debug)]
enum Kind {
    Reader(PipeReader),
    Writer(PipeWriter),
    File(File),
    Dir(Dir),
    /// A pipe end that an earlier spawn gave away.
    Gone,
}

impl Passed {
    pub(crate) fn send(&self, number: u32, command: &spawn::Command) -> Result<(), SpawnError> {
        let pass = |what: spawn::Passed<'_>| {
            command.pass(number, &what).map_err(|code| {
                let code = ErrorCode::from(code);
                let message = format!("descriptor {number}: {code}");
                SpawnError::request(code, message)
            })
        };
        match &self.0 {
            Kind::Reader(reader) => reader.lend(|pipe| pass(spawn::Passed::Reader(pipe)))?,
            Kind::Writer(writer) => writer.lend(|pipe| pass(spawn::Passed::Writer(pipe)))?,
            Kind::File(file) => pass(spawn::Passed::Descriptor(&file.0)),
            Kind::Dir(dir) => pass(spawn::Passed::Descriptor(&dir.0)),
            Kind::Gone => Err(SpawnError::invalid(format!(
                "descriptor {number} is a pipe that an earlier spawn gave away; pass it again"
            ))),
        }
    }

    /// Lets go of a pipe end that a child has now.
    pub(crate) fn give_away(&mut self) {
        if matches!(self.0, Kind::Reader(_) | Kind::Writer(_)) {
            self.0 = Kind::Gone;
        }
    }
}

impl From<PipeReader> for Passed {
    fn from(reader: PipeReader) -> Self {
        Self(Kind::Reader(reader))
    }
}

impl From<PipeWriter> for Passed {
    fn from(writer: PipeWriter) -> Self {
        Self(Kind::Writer(writer))
    }
}

impl From<File> for Passed {
    fn from(file: File) -> Self {
        Self(Kind::File(file))
    }
}

impl From<Dir> for Passed {
    fn from(dir: Dir) -> Self {
        Self(Kind::Dir(dir))
    }
}
