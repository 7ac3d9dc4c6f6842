//! The interface `spawn`.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{Resource, ResourceTable, ResourceTableError};
use wasmtime_wasi::filesystem::{Descriptor, OpenMode};

use super::convert::{launch_error, too_many_resources};
use crate::bindings::spawn::{self, Input, Output, Spawned};
use crate::bindings::types::ErrorCode;
use crate::command::{Command, Directory, Given, NotTaken, PATH_MAX, Stream};
use crate::error::{ErrorCodeFailure, Failure, SpawnFailure};
use crate::request::StdioKind;
use crate::view::ProcessCtxView;

impl spawn::HostCommand for ProcessCtxView<'_> {
    fn new(&mut self, program: String) -> wasmtime::Result<Resource<Command>> {
        self.limit_handles();
        Ok(self.table.push(Command::new(program, &self.ctx.command_bytes))?)
    }

    fn args(&mut self, this: Resource<Command>, args: Vec<String>) -> Result<(), ErrorCodeFailure> {
        let max = self.ctx.policy.get_limits().max_argument_bytes;
        let command = self.table.get_mut(&this)?;
        Ok(command.set_args(args, max).map_err(not_taken)?)
    }

    fn env(
        &mut self,
        this: Resource<Command>,
        vars: Vec<(String, String)>,
    ) -> Result<(), ErrorCodeFailure> {
        let max = self.ctx.policy.get_limits().max_argument_bytes;
        let command = self.table.get_mut(&this)?;
        Ok(command.set_env(vars, max).map_err(not_taken)?)
    }

    fn cwd(
        &mut self,
        this: Resource<Command>,
        dir: Resource<Descriptor>,
        path: String,
    ) -> Result<(), ErrorCodeFailure> {
        if path.len() > PATH_MAX {
            return Err(ErrorCode::NameTooLong.into());
        }
        let base = match self.table.get(&dir)? {
            Descriptor::Dir(dir) => Arc::clone(&dir.dir),
            Descriptor::File(_) => return Err(ErrorCode::NotDirectory.into()),
        };
        let command = self.table.get_mut(&this)?;
        command.cwd = Some(Directory { base, path });
        command.request.cwd = true;
        Ok(())
    }

    fn stdin(&mut self, this: Resource<Command>, source: Input) -> Result<(), ErrorCodeFailure> {
        let (kind, given) = match source {
            Input::Null => (StdioKind::Null, None),
            Input::Inherit => (StdioKind::Inherit, None),
            Input::Piped => (StdioKind::Piped, None),
            Input::Pipe(reader) => {
                let pipe = self.table.get_mut(&reader)?.give();
                (StdioKind::Pipe, Some(Given::Pipe(pipe)))
            }
            Input::File(file) => (StdioKind::File, Some(self.file(&file, OpenMode::READ)?)),
        };
        self.table.get_mut(&this)?.set_stdio(Stream::In, kind, given);
        Ok(())
    }

    fn stdout(&mut self, this: Resource<Command>, target: Output) -> Result<(), ErrorCodeFailure> {
        self.set_output(&this, Stream::Out, target)
    }

    fn stderr(&mut self, this: Resource<Command>, target: Output) -> Result<(), ErrorCodeFailure> {
        self.set_output(&this, Stream::Err, target)
    }

    fn deadline(&mut self, this: Resource<Command>, after: u64) -> wasmtime::Result<()> {
        self.table.get_mut(&this)?.request.deadline = Some(Duration::from_nanos(after));
        Ok(())
    }

    fn spawn(&mut self, this: Resource<Command>) -> Result<Spawned, SpawnFailure> {
        let command = self.table.get(&this)?;
        let launched = self.ctx.launch(command).map_err(|error| {
            self.ctx.refusals.log(&command.request.program, &error);
            launch_error(error)
        })?;
        // Only a full table can fail from here on: the guest's own limit. Then
        // all that was started goes again.
        let full = |_| Failure::Guest(too_many_resources());
        let pidfd = self.table.push(launched.child).map_err(full)?;
        let stdin = push(self.table, launched.stdin);
        let stdout = push(self.table, launched.stdout);
        let stderr = push(self.table, launched.stderr);
        match (stdin, stdout, stderr) {
            (Ok(stdin), Ok(stdout), Ok(stderr)) => Ok(Spawned { pidfd, stdin, stdout, stderr }),
            (stdin, stdout, stderr) => {
                self.table.delete(pidfd)?;
                take_back(self.table, stdin)?;
                take_back(self.table, stdout)?;
                take_back(self.table, stderr)?;
                Err(Failure::Guest(too_many_resources()))
            }
        }
    }

    fn drop(&mut self, this: Resource<Command>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl ProcessCtxView<'_> {
    fn set_output(
        &mut self,
        this: &Resource<Command>,
        stream: Stream,
        target: Output,
    ) -> Result<(), ErrorCodeFailure> {
        let (kind, given) = match target {
            Output::Null => (StdioKind::Null, None),
            Output::Inherit => (StdioKind::Inherit, None),
            Output::Piped => (StdioKind::Piped, None),
            Output::Pipe(writer) => {
                let pipe = self.table.get_mut(&writer)?.give();
                (StdioKind::Pipe, Some(Given::Pipe(pipe)))
            }
            Output::File(file) => (StdioKind::File, Some(self.file(&file, OpenMode::WRITE)?)),
        };
        self.table.get_mut(this)?.set_stdio(stream, kind, given);
        Ok(())
    }

    /// A file that the guest opened in this mode, for a child to share.
    fn file(
        &self,
        descriptor: &Resource<Descriptor>,
        mode: OpenMode,
    ) -> Result<Given, ErrorCodeFailure> {
        let file = match self.table.get(descriptor)? {
            Descriptor::File(file) => file,
            Descriptor::Dir(_) => return Err(ErrorCode::InvalidArgument.into()),
        };
        let writes = mode.contains(OpenMode::WRITE);
        if !file.open_mode.contains(mode) || (writes && file.perms.write_not_permitted()) {
            return Err(ErrorCode::AccessDenied.into());
        }
        Ok(Given::File(Arc::clone(&file.file)))
    }
}

/// An end of a pipe that there may be, in the table.
type Pushed<T> = Result<Option<Resource<T>>, ResourceTableError>;

fn push<T: Send + 'static>(table: &mut ResourceTable, end: Option<T>) -> Pushed<T> {
    end.map(|end| table.push(end)).transpose()
}

fn take_back<T: 'static>(
    table: &mut ResourceTable,
    end: Pushed<T>,
) -> Result<(), ResourceTableError> {
    if let Ok(Some(end)) = end {
        table.delete(end)?;
    }
    Ok(())
}

fn not_taken(reason: NotTaken) -> ErrorCode {
    match reason {
        NotTaken::TooLong => ErrorCode::ArgumentListTooLong,
        NotTaken::LimitReached => ErrorCode::LimitReached,
    }
}
