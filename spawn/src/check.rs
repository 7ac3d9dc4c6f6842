//! What a command cannot ask for, whatever the kernel says to it.

use rustix::fs::{FileType, fstat};
use rustix::io::Errno;

use crate::action::Directory;
use crate::command::Command;
use crate::error::{SpawnError, Stage};
use crate::identity::Identity;
use crate::namespace::Namespace;
use crate::stdio::Stream;

/// Refuses ids that could not mean what they say.
pub(crate) fn identity(command: &Command) -> Result<(), SpawnError> {
    // To the kernel this means to leave it as it is.
    const UNCHANGED: u32 = u32::MAX;
    let refuse = |stage| Err(SpawnError { stage, errno: Errno::INVAL });
    let Some(Identity { uid, gid, groups }) = &command.attributes.identity else {
        return Ok(());
    };
    if groups.contains(&UNCHANGED) {
        return refuse(Stage::SupplementaryGroups);
    }
    if *gid == UNCHANGED {
        return refuse(Stage::GroupId);
    }
    if *uid == UNCHANGED || command.attributes.namespaces.contains(Namespace::User) {
        return refuse(Stage::UserId);
    }
    Ok(())
}

/// Refuses directories of ours for a child that has a view: `..` leads out of it
/// from there.
pub(crate) fn leads_nowhere(command: &Command, stdio: &[Stream; 3]) -> Result<(), SpawnError> {
    let refuse = |stage| Err(SpawnError { stage, errno: Errno::XDEV });
    if command.cwd.as_ref().and_then(Directory::held).is_some() {
        return refuse(Stage::WorkingDirectory);
    }
    for (index, action) in (0..).zip(command.actions.iter()) {
        if action.source().is_some() {
            return refuse(Stage::FileAction(index));
        }
    }
    let streams = (0..).map(Stage::StandardStream).zip(stdio.iter().map(|stream| &stream.child));
    let passed = command.passed.iter();
    let passed = passed.map(|(fd, number)| (Stage::Passed(number.cast_unsigned()), fd));
    for (stage, fd) in streams.chain(passed) {
        let stat = fstat(fd).map_err(SpawnError::at(stage))?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return refuse(stage);
        }
    }
    Ok(())
}
