//! What a guest can write to, compared with what its children run: programs, what
//! their sandbox lets them execute, and libraries.

use std::fs::read_dir;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use offspring_spawn::{Access as SandboxAccess, Errno, Program, Sandbox};
use rustix::fs::{Access, AtFlags, CWD, FileType, Mode, OFlags, accessat, fstat, openat};

use crate::beneath::{self, Id};
use crate::error::BuildError;
use crate::guest_view::place;
use crate::policy::{Grant, Location, SandboxFiles, SandboxPath, View};
use crate::preopen::{Preopen, open_directory};

/// What children would run that was written by the guest or by themselves.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum WrittenError {
    /// The guest can write to what its children may execute.
    #[error(
        "its children may execute {}, and the guest may write to {} through its directory \
         `{guest}`; give it the directory only to read, execute less, or say {ALLOWED}",
        .path.display(), .place.display()
    )]
    ByGuest {
        /// What may be executed, as the policy names it.
        path: PathBuf,
        /// The file or the directory of it that the guest may write to.
        place: PathBuf,
        /// The guest's path for the directory that it lies beneath.
        guest: String,
    },
    /// Children, of this grant or of another one of the guest's, may write to it.
    #[error(
        "its children may execute {}, and those of `{grant}` may write to {}; execute or write \
         less, or say {ALLOWED}",
        .path.display(), .place.display()
    )]
    ByChildren {
        /// The name of the grant by which they may write.
        grant: String,
        /// What may be executed, as the policy names it.
        path: PathBuf,
        /// The file or the directory of it that may be written to.
        place: PathBuf,
    },
    /// The guest can write to where libraries come from, or the loader.
    #[error(
        "the guest may write to {} through its directory `{guest}`, and programs have their \
         libraries from there; give it the directory only to read{}",
        .place.display(), if *.sayable { format!(", or say {ALLOWED}") } else { String::new() }
    )]
    Libraries {
        /// The file or the directory that the guest may write to.
        place: PathBuf,
        /// The guest's path for the directory that it lies beneath.
        guest: String,
        /// Whether there is a sandbox whose words could allow it.
        sayable: bool,
    },
}

/// What a grant may say.
const ALLOWED: &str = "`sandbox.execute-written = \"allow\"`";

/// Variables of a host's by which a loader finds libraries.
const OF_LOADERS: &[&str] = &["LD_LIBRARY_PATH", "LD_PRELOAD", "LD_AUDIT"];

/// What one guest can write to, also by its children.
#[derive(Debug)]
pub(crate) struct Written<'c> {
    preopens: Vec<&'c Preopen>,
    grants: &'c [Grant],
    /// Where libraries of every program could be written to, once that was looked for.
    libraries: Option<Option<(PathBuf, &'c Preopen)>>,
}

impl<'c> Written<'c> {
    pub(crate) fn by_guest(preopens: &'c [Preopen], grants: &'c [Grant]) -> Written<'c> {
        let writable = |preopen: &&Preopen| !preopen.perms.write_not_permitted();
        let preopens = preopens.iter().filter(writable).collect();
        Written { preopens, grants, libraries: None }
    }

    /// Sees to it that children of this grant run nothing that was written by the
    /// guest or by themselves, unless the grant says so.
    pub(crate) fn check(&mut self, grant: &Grant, program: &Program) -> Result<(), BuildError> {
        if grant.get_sandbox().get_execute_written() {
            return Ok(());
        }
        self.check_executed(grant)?;
        self.check_libraries(grant, program)
    }

    /// Looks for what may be executed and written, as the sandbox names it.
    fn check_executed(&self, grant: &Grant) -> Result<(), BuildError> {
        let words = grant.get_sandbox();
        if words.is_none() || words.get_files() == SandboxFiles::Host {
            return Ok(());
        }
        for executed in named(grant, SandboxAccess::Execute) {
            // What is not there is another error.
            let Some(tree) = Tree::open(&executed.path) else { continue };
            let path = || executed.path.clone();
            let refuse = |error| Err(refused(grant, executed.location.as_ref(), error));
            for preopen in &self.preopens {
                if let Some(place) = tree.common(&Tree::of(preopen)).and_then(Tree::writable) {
                    let guest = preopen.guest.clone();
                    return refuse(WrittenError::ByGuest { path: path(), place, guest });
                }
            }
            for (writer, written) in self.grants.iter().flat_map(|writer| {
                named(writer, SandboxAccess::Write).map(move |written| (writer, written))
            }) {
                let written = Tree::open(&written.path);
                let common = written.as_ref().and_then(|written| tree.common(written));
                if let Some(place) = common.and_then(Tree::writable) {
                    let grant = writer.name().to_owned();
                    return refuse(WrittenError::ByChildren { grant, path: path(), place });
                }
            }
        }
        Ok(())
    }

    /// Looks at the loader and at where it finds libraries, if there is one.
    fn check_libraries(&mut self, grant: &Grant, program: &Program) -> Result<(), BuildError> {
        // What cannot be read could have one.
        let loader = program.loader();
        if self.preopens.is_empty() || matches!(loader, Ok(None)) {
            return Ok(());
        }
        let own = loader.ok().flatten().into_iter().chain(by_variables(grant));
        let own = own.filter_map(|path| self.library(&path)).next();
        let found = own.or_else(|| self.in_view(grant)).or_else(|| self.libraries());
        let Some((place, preopen)) = found else { return Ok(()) };
        let (guest, sayable) = (preopen.guest.clone(), !grant.get_sandbox().is_none());
        Err(refused(grant, None, WrittenError::Libraries { place, guest, sayable }))
    }

    /// What the guest could write to of what every loader looks for.
    fn libraries(&mut self) -> Option<(PathBuf, &'c Preopen)> {
        if let Some(known) = &self.libraries {
            return known.clone();
        }
        let found = Sandbox::run_time_libraries().filter_map(|path| self.library(path)).next();
        self.libraries.insert(found).clone()
    }

    /// What the guest could write to of this library, or in this directory of some.
    fn library(&self, path: &Path) -> Option<(PathBuf, &'c Preopen)> {
        let replaced = self.preopens.iter().filter_map(|preopen| {
            let place = replaceable(path, preopen)?;
            Some((place, *preopen))
        });
        let tree = Tree::open(path);
        let written = self.preopens.iter().filter_map(|preopen| {
            let place = tree.as_ref()?.common(&Tree::of(preopen))?.writable()?;
            Some((place, *preopen))
        });
        replaced.chain(written).next()
    }

    /// A directory of the guest's that children see where others have libraries.
    fn in_view(&self, grant: &Grant) -> Option<(PathBuf, &'c Preopen)> {
        let is_seen = grant.get_apart().get_view() == View::Guest;
        let covers = |preopen: &&&Preopen| {
            let place = place(&preopen.guest);
            let mut libraries = Sandbox::run_time_libraries();
            libraries.any(|path| path.starts_with(&place) || place.starts_with(path))
        };
        let preopen = self.preopens.iter().filter(|_| is_seen).find(covers)?;
        Some((preopen.host.clone(), *preopen))
    }
}

/// The paths of a grant's sandbox that are named for this.
fn named(grant: &Grant, access: SandboxAccess) -> impl Iterator<Item = &SandboxPath> {
    grant.get_sandbox().get_paths().iter().filter(move |path| path.access == access)
}

fn refused(grant: &Grant, location: Option<&Location>, error: WrittenError) -> BuildError {
    let location = location.or(grant.location()).cloned();
    BuildError::Written { grant: grant.name().to_owned(), location, error: Box::new(error) }
}

/// Where the host has loaders look by variables that it fixes.
fn by_variables(grant: &Grant) -> impl Iterator<Item = PathBuf> {
    let inherited = grant.get_env_inherit().filter_map(|(name, value)| Some((name, value?)));
    let fixed = grant.get_env().chain(inherited);
    let fixed = fixed.filter(|(name, _)| OF_LOADERS.contains(name));
    let places = fixed.flat_map(|(_, value)| value.split([':', ';', ' ']));
    places.map(PathBuf::from).filter(|path| path.is_absolute())
}

/// What of a file a guest with this directory could change, so that its path leads to
/// something else: the file, the directory that it is in, or one above that is still
/// the guest's.
pub(crate) fn replaceable(file: &Path, preopen: &Preopen) -> Option<PathBuf> {
    if preopen.perms.write_not_permitted() {
        return None;
    }
    // Where it was found, and where it is.
    let real = file.canonicalize().ok();
    for place in [Some(file), real.as_deref()].into_iter().flatten() {
        let Some(parent) = place.parent() else { continue };
        let Ok(directory) = open_directory(parent) else { continue };
        let Ok(root) = beneath::id(preopen.dir.as_fd()) else { continue };
        let may_write = |access: Result<(), Errno>| access.is_ok();
        let mut changes = may_write(accessat(CWD, place, Access::WRITE_OK, AtFlags::EACCESS));
        let mut changed = changes.then(|| place.to_owned());
        let reached = beneath::any_above(directory.as_fd(), |above, id| {
            changes |= may_write(accessat(above, ".", Access::WRITE_OK, AtFlags::EACCESS));
            if changes && changed.is_none() {
                changed = Some(parent.to_owned());
            }
            id == root
        });
        if let (Ok(true) | Err(_), Some(changed)) = (reached, changed) {
            return Some(changed);
        }
    }
    None
}

/// A file, or a directory and all beneath it.
#[derive(Debug)]
struct Tree {
    fd: Arc<OwnedFd>,
    path: PathBuf,
}

impl Tree {
    /// What is at this path now, if anything is.
    fn open(path: &Path) -> Option<Tree> {
        let path = path.canonicalize().ok()?;
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let fd = openat(CWD, &path, flags, Mode::empty()).ok()?;
        Some(Tree { fd: Arc::new(fd), path })
    }

    fn of(preopen: &Preopen) -> Tree {
        Tree { fd: Arc::clone(&preopen.dir), path: preopen.host.clone() }
    }

    /// What lies beneath both, which is one of the two.
    fn common<'t>(&'t self, other: &'t Tree) -> Option<&'t Tree> {
        match (other.has(self), self.has(other)) {
            (true, _) => Some(self),
            (false, true) => Some(other),
            (false, false) => None,
        }
    }

    /// Whether this has all of another one. If that cannot be told, it has.
    fn has(&self, other: &Tree) -> bool {
        let told = || -> Result<bool, Errno> {
            let id: Id = beneath::id(self.fd.as_fd())?;
            if beneath::id(other.fd.as_fd())? == id {
                return Ok(true);
            }
            if other.is_directory() {
                return beneath::any_above(other.fd.as_fd(), |_, above| above == id);
            }
            let above = open_directory(other.path.parent().unwrap_or(Path::new("/")))?;
            beneath::any_above(above.as_fd(), |_, above| above == id)
        };
        told().unwrap_or(true)
    }

    fn is_directory(&self) -> bool {
        let kind = fstat(&self.fd).map(|stat| FileType::from_raw_mode(stat.st_mode));
        kind == Ok(FileType::Directory)
    }

    /// Something in it that the host's user may write to, and so the guest: mostly
    /// itself. Only where it is not, all that is in it is looked at.
    fn writable(&self) -> Option<PathBuf> {
        let may = |path: &Path, access| accessat(CWD, path, access, AtFlags::EACCESS).is_ok();
        let mut left = vec![self.path.clone()];
        while let Some(path) = left.pop() {
            if may(&path, Access::WRITE_OK) {
                return Some(path);
            }
            match read_dir(&path) {
                // A link leads elsewhere, and its permissions are nobody's.
                Ok(entries) => left.extend(entries.flatten().filter_map(|entry| {
                    let kind = entry.file_type().ok()?;
                    (kind.is_dir() || kind.is_file()).then(|| entry.path())
                })),
                // What is in it can be used by whoever knows its name.
                Err(_) if path.is_dir() && may(&path, Access::EXEC_OK) => return Some(path),
                Err(_) => {}
            }
        }
        None
    }
}
