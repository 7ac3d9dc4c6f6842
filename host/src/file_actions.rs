//! What a child does before it executes its program, as a guest builds it up:
//! the resource `file-actions`.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;

use offspring_spawn::{Directory, Errno, Mode, OFlags, Resource, SpawnError, Stage};
use rustix::process::getrlimit;

use crate::command::{NotTaken, duplicate};
use crate::guest_view::GuestView;
use crate::launch::LaunchError;
use crate::policy::FileAction;
use crate::quota::{Quota, Share};

/// How many actions a child does at most: its host waits until they are done.
const MAX: usize = 1000;

/// Actions, in order. Commands share what is in it when they are given it.
#[derive(Debug)]
pub struct FileActions {
    list: Arc<List>,
    memory: Quota,
}

/// Actions that change no more once they are shared.
#[derive(Debug, Default)]
pub(crate) struct List {
    actions: Vec<Action>,
    /// What they take of the memory for commands.
    share: Option<Share>,
}

/// One action, on the child's own numbers. Holds the directories that the guest
/// gave.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    Open { fd: i32, base: Arc<File>, path: String, flags: OFlags, mode: Mode },
    Close(i32),
    Dup2(i32, i32),
    Chdir { base: Arc<File>, path: String },
    Fchdir(i32),
    CloseFrom(i32),
    SetForeground(i32),
}

impl FileActions {
    /// No actions, of those that take their part of the memory for commands.
    pub(crate) fn new(memory: &Quota) -> FileActions {
        let share = memory.take_many(bytes(&[]));
        FileActions { list: Arc::new(List { actions: Vec::new(), share }), memory: memory.clone() }
    }

    /// Adds an action, unless there are too many.
    pub(crate) fn add(&mut self, action: Action) -> Result<(), NotTaken> {
        if self.list.actions.len() >= MAX {
            return Err(NotTaken::LimitReached);
        }
        if Arc::get_mut(&mut self.list).is_none() {
            let actions = self.list.actions.clone();
            let share = self.memory.take_many(bytes(&actions));
            self.list = Arc::new(List { actions, share });
        }
        let list = Arc::get_mut(&mut self.list).ok_or(NotTaken::LimitReached)?;
        list.actions.push(action);
        let bytes = bytes(&list.actions);
        if list.share.as_mut().is_some_and(|share| share.resize(bytes)) {
            return Ok(());
        }
        list.actions.pop();
        Err(NotTaken::LimitReached)
    }

    /// The actions as they are now.
    pub(crate) fn list(&self) -> Arc<List> {
        Arc::clone(&self.list)
    }
}

impl List {
    /// What a grant must allow of it.
    pub(crate) fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    pub(crate) fn kinds(&self) -> BTreeSet<FileAction> {
        self.actions.iter().map(Action::kind).collect()
    }

    /// The actions in the engine's words, for a child with this view.
    pub(crate) fn to_engine(
        &self,
        view: Option<&GuestView>,
    ) -> Result<offspring_spawn::FileActions, LaunchError> {
        let mut engine = offspring_spawn::FileActions::new();
        let mut directories = Directories { known: Vec::new(), view };
        for (index, action) in (0..).zip(&self.actions) {
            let added = match action {
                Action::Open { fd, base, path, flags, mode } => {
                    let base = directories.get(base)?;
                    engine.open_beneath(*fd, base, path, *flags, *mode)
                }
                Action::Close(fd) => engine.close(*fd),
                Action::Dup2(old, new) => engine.dup2(*old, *new),
                Action::Chdir { base, path } => engine.chdir_beneath(directories.get(base)?, path),
                Action::Fchdir(fd) => engine.fchdir(*fd),
                Action::CloseFrom(fd) => engine.close_from(*fd),
                Action::SetForeground(fd) => engine.set_foreground(*fd),
            };
            added.map_err(|errno| SpawnError { stage: Stage::FileAction(index), errno })?;
        }
        Ok(engine)
    }
}

/// The guest's directories for the engine, each found once.
#[derive(Debug)]
struct Directories<'v> {
    known: Vec<(Arc<File>, Directory)>,
    view: Option<&'v GuestView>,
}

impl Directories<'_> {
    fn get(&mut self, base: &Arc<File>) -> Result<Directory, LaunchError> {
        if let Some((_, directory)) = self.known.iter().find(|(known, _)| Arc::ptr_eq(known, base))
        {
            return Ok(directory.clone());
        }
        let directory = match self.view {
            Some(view) => view.directory(base).map_err(LaunchError::not_in_view)?,
            None => duplicate(base).map_err(LaunchError::Descriptors)?.into(),
        };
        self.known.push((Arc::clone(base), directory.clone()));
        Ok(directory)
    }
}

impl Action {
    fn kind(&self) -> FileAction {
        match self {
            Action::Open { .. } => FileAction::Open,
            Action::Close(_) => FileAction::Close,
            Action::Dup2(..) => FileAction::Dup2,
            Action::Chdir { .. } => FileAction::Chdir,
            Action::Fchdir(_) => FileAction::Fchdir,
            Action::CloseFrom(_) => FileAction::Closefrom,
            Action::SetForeground(_) => FileAction::Tcsetpgrp,
        }
    }

    fn path(&self) -> &str {
        match self {
            Action::Open { path, .. } | Action::Chdir { path, .. } => path,
            Action::Close(_)
            | Action::Dup2(..)
            | Action::Fchdir(_)
            | Action::CloseFrom(_)
            | Action::SetForeground(_) => "",
        }
    }
}

/// How many bytes a list of these takes, about.
fn bytes(actions: &[Action]) -> u32 {
    let paths: usize = actions.iter().map(|action| action.path().len()).sum();
    let all = size_of::<FileActions>() + size_of::<List>() + size_of_val(actions) + paths;
    u32::try_from(all).unwrap_or(u32::MAX)
}

/// The number of a descriptor that a child could have.
pub(crate) fn number(fd: u32) -> Result<i32, Errno> {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let number = i32::try_from(fd).map_err(|_| Errno::BADF)?;
    if u64::from(fd) < limit { Ok(number) } else { Err(Errno::BADF) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_was_given_does_not_change() {
        let memory = Quota::new(4096);
        let mut actions = FileActions::new(&memory);
        actions.add(Action::Close(3)).unwrap();
        let given = actions.list();
        actions.add(Action::Fchdir(4)).unwrap();
        assert_eq!(given.kinds(), [FileAction::Close].into());
        assert_eq!(actions.list().kinds(), [FileAction::Close, FileAction::Fchdir].into());
    }

    #[test]
    fn actions_are_counted_as_long_as_somebody_has_them() {
        let memory = Quota::new(1 << 14);
        let mut actions = FileActions::new(&memory);
        let base = Arc::new(File::open("/").unwrap());
        let chdir = || Action::Chdir { base: Arc::clone(&base), path: "x".repeat(1000) };
        let taken = (0..).take_while(|_| actions.add(chdir()).is_ok()).count();
        assert!((8..16).contains(&taken), "{taken}");
        let given = actions.list();
        drop(actions);
        let mut others = FileActions::new(&memory);
        assert!((0..8).any(|_| others.add(chdir()).is_err()));
        drop((given, others));
        assert!(memory.take_many(1 << 14).is_some());
    }

    #[test]
    fn a_thousand_and_no_more() {
        let mut actions = FileActions::new(&Quota::new(u32::MAX));
        for _ in 0..MAX {
            actions.add(Action::Close(3)).unwrap();
        }
        assert_eq!(actions.add(Action::Close(3)), Err(NotTaken::LimitReached));
        assert!(actions.list().to_engine(None).is_ok());
    }

    #[test]
    fn numbers_that_a_child_could_have() {
        let limit = getrlimit(Resource::Nofile).current.unwrap();
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        assert_eq!(number(0), Ok(0));
        assert_eq!(number(limit), Err(Errno::BADF));
        assert_eq!(number(u32::MAX), Err(Errno::BADF));
    }
}
