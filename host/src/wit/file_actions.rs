//! The interface `file-actions`.

use std::fs::File;
use std::sync::Arc;

use offspring_spawn::{Mode, OFlags};
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::filesystem::Descriptor;

use super::convert::error_code;
use super::spawn::{not_given, not_taken};
use crate::bindings::file_actions::{self, Access, OpenFlags};
use crate::bindings::types::ErrorCode;
use crate::command::PATH_MAX;
use crate::error::ErrorCodeFailure;
use crate::file_actions::{Action, FileActions, number};
use crate::view::ProcessCtxView;

/// The permission bits that a guest may give to a file that it makes.
const PERMISSIONS: u32 = 0o777;

impl file_actions::Host for ProcessCtxView<'_> {}

impl file_actions::HostFileActions for ProcessCtxView<'_> {
    fn new(&mut self) -> wasmtime::Result<Resource<FileActions>> {
        self.limit_handles();
        Ok(self.table.push(FileActions::new(&self.ctx.command_bytes))?)
    }

    fn open(
        &mut self,
        this: Resource<FileActions>,
        fd: u32,
        dir: Resource<Descriptor>,
        path: String,
        access: Access,
        open_flags: OpenFlags,
        mode: u32,
    ) -> Result<(), ErrorCodeFailure> {
        let fd = number(fd).map_err(error_code)?;
        let flags = flags(access, open_flags);
        let writes = flags.intersects(WRITES);
        let (base, may_write) = directory(self.table, &dir)?;
        if writes && !may_write {
            return Err(not_given(&self.ctx.recorder, "file-actions.open").into());
        }
        let path = checked(path)?;
        let mode = Mode::from_bits_truncate(mode & PERMISSIONS);
        self.add(&this, Action::Open { fd, base, path, flags, mode })
    }

    fn close(&mut self, this: Resource<FileActions>, fd: u32) -> Result<(), ErrorCodeFailure> {
        self.add(&this, Action::Close(number(fd).map_err(error_code)?))
    }

    fn dup2(
        &mut self,
        this: Resource<FileActions>,
        old: u32,
        new: u32,
    ) -> Result<(), ErrorCodeFailure> {
        let (old, new) = (number(old).map_err(error_code)?, number(new).map_err(error_code)?);
        self.add(&this, Action::Dup2(old, new))
    }

    fn chdir(
        &mut self,
        this: Resource<FileActions>,
        dir: Resource<Descriptor>,
        path: String,
    ) -> Result<(), ErrorCodeFailure> {
        let (base, _) = directory(self.table, &dir)?;
        let path = checked(path)?;
        self.add(&this, Action::Chdir { base, path })
    }

    fn fchdir(&mut self, this: Resource<FileActions>, fd: u32) -> Result<(), ErrorCodeFailure> {
        self.add(&this, Action::Fchdir(number(fd).map_err(error_code)?))
    }

    fn closefrom(&mut self, this: Resource<FileActions>, fd: u32) -> Result<(), ErrorCodeFailure> {
        self.add(&this, Action::CloseFrom(number(fd).map_err(error_code)?))
    }

    fn tcsetpgrp(&mut self, this: Resource<FileActions>, fd: u32) -> Result<(), ErrorCodeFailure> {
        self.add(&this, Action::SetForeground(number(fd).map_err(error_code)?))
    }

    fn drop(&mut self, this: Resource<FileActions>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl ProcessCtxView<'_> {
    fn add(
        &mut self,
        this: &Resource<FileActions>,
        action: Action,
    ) -> Result<(), ErrorCodeFailure> {
        let added = self.table.get_mut(this)?.add(action);
        Ok(added.map_err(|reason| not_taken(&self.ctx.recorder, "file-actions", reason))?)
    }
}

/// A directory of the guest's, and whether it may write in it.
fn directory(
    table: &ResourceTable,
    dir: &Resource<Descriptor>,
) -> Result<(Arc<File>, bool), ErrorCodeFailure> {
    match table.get(dir)? {
        Descriptor::Dir(dir) => Ok((Arc::clone(&dir.dir), !dir.perms.write_not_permitted())),
        Descriptor::File(_) => Err(ErrorCode::NotDirectory.into()),
    }
}

/// A path as the kernel takes it. An empty one is the directory itself.
fn checked(path: String) -> Result<String, ErrorCode> {
    match path.len() {
        0 => Ok(".".to_owned()),
        _ if path.contains('\0') => Err(ErrorCode::InvalidArgument),
        1..=PATH_MAX => Ok(path),
        _ => Err(ErrorCode::NameTooLong),
    }
}

/// What a guest that may only read must not ask for.
const WRITES: OFlags =
    OFlags::WRONLY.union(OFlags::RDWR).union(OFlags::CREATE).union(OFlags::TRUNC);

fn flags(access: Access, flags: OpenFlags) -> OFlags {
    let access = match access {
        Access::Read => OFlags::RDONLY,
        Access::Write => OFlags::WRONLY,
        Access::ReadWrite => OFlags::RDWR,
    };
    let all = [
        (OpenFlags::CREATE, OFlags::CREATE),
        (OpenFlags::EXCLUSIVE, OFlags::EXCL),
        (OpenFlags::TRUNCATE, OFlags::TRUNC),
        (OpenFlags::APPEND, OFlags::APPEND),
        (OpenFlags::DIRECTORY, OFlags::DIRECTORY),
        (OpenFlags::NO_FOLLOW, OFlags::NOFOLLOW),
        (OpenFlags::CLOSE_ON_EXEC, OFlags::CLOEXEC),
    ];
    all.into_iter()
        .filter(|(flag, _)| flags.contains(*flag))
        .fold(access, |all, (_, flag)| all | flag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_writes() {
        let none = OpenFlags::empty();
        assert!(!flags(Access::Read, none).intersects(WRITES));
        let harmless = OpenFlags::EXCLUSIVE
            | OpenFlags::APPEND
            | OpenFlags::DIRECTORY
            | OpenFlags::NO_FOLLOW
            | OpenFlags::CLOSE_ON_EXEC;
        assert!(!flags(Access::Read, harmless).intersects(WRITES));
        assert!(flags(Access::Write, none).intersects(WRITES));
        assert!(flags(Access::ReadWrite, none).intersects(WRITES));
        assert!(flags(Access::Read, OpenFlags::CREATE).intersects(WRITES));
        assert!(flags(Access::Read, OpenFlags::TRUNCATE).intersects(WRITES));
    }

    #[test]
    fn paths() {
        assert!(matches!(checked(String::new()), Ok(path) if path == "."));
        assert!(matches!(checked("a\0".into()), Err(ErrorCode::InvalidArgument)));
        assert!(checked("x".repeat(PATH_MAX)).is_ok());
        assert!(matches!(checked("x".repeat(PATH_MAX + 1)), Err(ErrorCode::NameTooLong)));
    }
}
