//! Paths of the guest's among arguments, which become paths of the host's, or of the
//! view that the child has.
//!
//! A path that starts with `/`, or any path where the guest chose no directory
//! to run in, is one of the guest's tree: it lies beneath the directory with the
//! longest path that fits, and becomes that one's path on the host with the rest
//! behind it. Where the guest chose a directory, a relative path lies beneath
//! that one, and stays as it is: the child runs there.
//!
//! Everything is looked up before there is a child. What a guest changes after
//! that, such as a directory for a symbolic link, the child sees changed: what
//! holds then is the child's sandbox.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use offspring_spawn::Errno;
use rustix::fs::OFlags;

use crate::beneath;
use crate::command::Directory;
use crate::guest_view;
use crate::plan::{PathArgument, Plan};
use crate::policy::text::quoted;
use crate::policy::{Access, FileAction};
use crate::preopen::Preopen;

/// A path among the arguments that a child does not get.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("argument {}, {}, {why}", .argument + 1, quoted(.word))]
pub(crate) struct PathRefused {
    /// The argument, counted from 0, without `argv[0]`.
    pub(crate) argument: usize,
    word: String,
    pub(crate) why: Why,
}

/// What is wrong with it. It says nothing of the host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Why {
    #[error("lies outside of the guest's directories")]
    Outside,
    #[error("does not lie beneath {}", quoted(.0))]
    NotUnder(String),
    #[error("lies where the guest may only read")]
    ReadOnly,
    #[error("must start with `/`, because the child changes its directory")]
    Relative,
    #[error("cannot be looked up: {0}")]
    Errno(Errno),
}

impl Why {
    pub(crate) fn errno(&self) -> Errno {
        match self {
            Why::Outside | Why::NotUnder(_) => Errno::XDEV,
            Why::ReadOnly => Errno::ROFS,
            Why::Relative => Errno::INVAL,
            Why::Errno(errno) => *errno,
        }
    }
}

impl From<Errno> for Why {
    fn from(errno: Errno) -> Why {
        match errno {
            Errno::XDEV => Why::Outside,
            errno => Why::Errno(errno),
        }
    }
}

/// The arguments of a plan that are other ones for the child, by their indices in `argv`.
#[derive(Debug)]
pub(crate) struct Resolved(BTreeMap<usize, OsString>);

impl Resolved {
    /// The child's arguments: its paths, those of the host or of the guest's view, in
    /// place of the guest's.
    pub(crate) fn argv<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = &'a OsStr> {
        plan.argv.iter().enumerate().map(|(index, word)| match self.0.get(&index) {
            Some(path) => path.as_os_str(),
            None => OsStr::new(word),
        })
    }
}

/// Looks up the paths of the guest's among the arguments of a plan.
pub(crate) fn resolve(
    plan: &Plan,
    preopens: &[Preopen],
    cwd: Option<&Directory>,
    in_view: bool,
) -> Result<Resolved, PathRefused> {
    let mut argv = BTreeMap::new();
    let moves = |action| matches!(action, FileAction::Chdir | FileAction::Fchdir);
    let mut places = Places {
        preopens,
        cwd,
        in_view,
        moves: plan.file_actions.iter().copied().any(moves),
        opened: None,
        under: BTreeSet::new(),
    };
    let mut replaced = BTreeSet::new();
    for rule in &plan.paths {
        let PathArgument { index, start, .. } = *rule;
        let (prefix, path) = plan.argv[index].split_at(start);
        let resolved = places.resolve(path, rule).map_err(|why| PathRefused {
            argument: index.saturating_sub(1),
            word: plan.argv[index].clone(),
            why,
        })?;
        // Of several rules for one argument the host's is the first, and says what
        // becomes of it; the others are a guest's, and only refuse.
        let is_first = replaced.insert(index);
        if let Some(path) = resolved.filter(|_| is_first) {
            let mut word = OsString::from(prefix);
            word.push(path);
            argv.insert(index, word);
        }
    }
    Ok(Resolved(argv))
}

/// Where paths can lie.
struct Places<'a> {
    preopens: &'a [Preopen],
    cwd: Option<&'a Directory>,
    /// Whether the child changes its directory by itself.
    moves: bool,
    /// Whether the child sees the guest's directories at the guest's paths.
    in_view: bool,
    /// The directory to run in, once it was needed.
    opened: Option<OwnedFd>,
    /// What it was found to lie beneath.
    under: BTreeSet<&'a str>,
}

impl<'a> Places<'a> {
    /// The path for the child; `None` for one that stays as it is.
    fn resolve(&mut self, path: &str, rule: &'a PathArgument) -> Result<Option<PathBuf>, Why> {
        match self.cwd.filter(|_| !path.starts_with('/')) {
            Some(_) if self.moves => Err(Why::Relative),
            Some(cwd) => self.beneath_cwd(cwd, path, rule).map(|()| None),
            None => self.beneath_preopen(path, rule).map(Some),
        }
    }

    fn beneath_preopen(&self, path: &str, rule: &PathArgument) -> Result<PathBuf, Why> {
        let (path, slash) = (components(path), if path.ends_with('/') { "/" } else { "" });
        let (preopen, guest) = preopen_of(self.preopens, &path).ok_or(Why::Outside)?;
        let under = rule.under.as_deref().map(components).unwrap_or_default();
        if !under.starts_with(&guest) && !guest.starts_with(&under) || !path.starts_with(&under) {
            return Err(Why::NotUnder(rule.under.clone().unwrap_or_default()));
        }
        let perms = preopen.perms;
        if rule.access == Access::Write && perms.write_not_permitted() {
            return Err(Why::ReadOnly);
        }
        let from = guest.len().max(under.len());
        let between = under.get(guest.len()..).unwrap_or_default().join("/");
        let rest = format!("{}{slash}", path[from..].join("/"));
        match between.is_empty() {
            true => check(preopen.dir.as_fd(), &rest)?,
            false => {
                let base = beneath::open(&preopen.dir, &between, OFlags::DIRECTORY)?;
                check(base.as_fd(), &rest).map_err(|why| match why {
                    Why::Outside => Why::NotUnder(rule.under.clone().unwrap_or_default()),
                    why => why,
                })?;
            }
        }
        let mut childs = match self.in_view {
            true => guest_view::place(&preopen.guest),
            false => preopen.host.clone(),
        };
        for part in [between, rest].iter().filter(|part| !part.is_empty() && *part != "/") {
            childs.push(part);
        }
        Ok(childs)
    }

    fn beneath_cwd(
        &mut self,
        cwd: &Directory,
        path: &str,
        rule: &'a PathArgument,
    ) -> Result<(), Why> {
        if rule.access == Access::Write && cwd.perms.write_not_permitted() {
            return Err(Why::ReadOnly);
        }
        let directory = match self.opened.take() {
            Some(opened) => opened,
            None => cwd.open()?,
        };
        let directory: &OwnedFd = self.opened.insert(directory);
        let directory = directory.as_fd();
        if let Some(under) = rule.under.as_deref().filter(|under| !self.under.contains(under)) {
            let parts = components(under);
            let outside = || Why::NotUnder(under.to_owned());
            let (preopen, guest) = preopen_of(self.preopens, &parts).ok_or_else(outside)?;
            let rest = parts[guest.len()..].join("/");
            let base = beneath::open(&preopen.dir, &rest, OFlags::DIRECTORY)?;
            if !beneath::is_beneath(directory, base.as_fd())? {
                return Err(outside());
            }
            self.under.insert(under);
        }
        check(directory, path)
    }
}

/// The directory of the guest's with the longest path that this one starts with,
/// and that path.
pub(crate) fn preopen_of<'p>(
    preopens: &'p [Preopen],
    path: &[&str],
) -> Option<(&'p Preopen, Vec<&'p str>)> {
    let all = preopens.iter().map(|preopen| (preopen, components(&preopen.guest)));
    // Of two with one path the later, as libraries of guests and views have it.
    all.filter(|(_, guest)| path.starts_with(guest)).max_by_key(|(_, guest)| guest.len())
}

/// The names in a path. Libraries of guests take `/`, `.` and nothing for the
/// same place, too.
pub(crate) fn components(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !matches!(*part, "" | ".")).collect()
}

/// Checks that a path lies beneath this directory; of one that is not there, the
/// directory that it would be in.
fn check(base: BorrowedFd<'_>, path: &str) -> Result<(), Why> {
    match beneath::open(base, path, OFlags::empty()) {
        Ok(_) => Ok(()),
        Err(Errno::NOENT) => {
            let path = path.trim_end_matches('/');
            let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
            beneath::open(base, parent, OFlags::DIRECTORY)?;
            Ok(())
        }
        Err(errno) => Err(errno.into()),
    }
}
