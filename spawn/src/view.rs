//! What a child sees of the file system: a part of it, at places of our choice.

mod plan;
mod prepared;
mod system;

use std::ffi::{CString, OsStr};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, StatxFlags, statx};
use rustix::io::Errno;

use crate::command::Command;

use plan::Planned;
pub(crate) use plan::{Mount, Step, Steps};
pub(crate) use prepared::Joined;
pub use prepared::PreparedView;

/// How many files of `/proc` a view has from ours, at most.
pub(crate) const MACHINE_MAX: usize = 8;

pub(crate) const MOUNT_ATTR_RDONLY: u32 = 1;
pub(crate) const MOUNT_ATTR_NOSUID: u32 = 2;
pub(crate) const MOUNT_ATTR_NODEV: u32 = 4;
pub(crate) const MOUNT_ATTR_NOEXEC: u32 = 8;

/// A file system for children: directories of this process's, each at a place of
/// its own, and nothing else but what is added by [`system`](Self::system).
///
/// What is not in it has no name there: neither `..` nor an absolute path nor a
/// symbolic link leads to it. A link that a directory has is followed in the view,
/// whatever it would lead to outside. All is mounted without set-user-id programs
/// and devices, and with what is mounted below it at the time of a spawn.
///
/// Where two directories overlap, the one whose place is deeper counts there, of
/// two with the same place the later one. The place of one that lies in another
/// one must be a directory in that; everywhere else places are made.
///
/// ```no_run
/// use offspring_spawn::{ViewAccess, Command, Directory, Program, View};
///
/// let source = std::fs::File::open("/home/me/project")?;
/// let mut view = View::new();
/// view.directory(&source, "/home/me/project", "/src", ViewAccess::Write)?.system()?;
/// let mut command = Command::new(&Program::open("/usr/bin/make")?);
/// command.view(&view).current_dir(Directory::at("/src")?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct View {
    shown: Vec<Shown>,
    system: Vec<Entry>,
    processes: bool,
}

/// What may be done in a directory of a [`View`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ViewAccess {
    /// Reading, and executing what is there.
    Read,
    /// All that the files' permissions allow.
    Write,
}

/// A directory of ours, and its place.
#[derive(Debug, Clone)]
struct Shown {
    from: CString,
    inode: Inode,
    /// Without a leading `/`; empty for the root itself.
    at: PathBuf,
    access: ViewAccess,
}

/// A part of the run-time set, by its path here and there.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Directory(PathBuf),
    File(PathBuf),
    /// A device, which may be used as one.
    Device(PathBuf),
    Link {
        at: PathBuf,
        to: PathBuf,
    },
}

/// A file for sure, whatever becomes of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inode {
    pub(crate) device: [u32; 2],
    pub(crate) number: u64,
}

impl View {
    /// An empty root, which nobody can write to.
    pub fn new() -> View {
        View::default()
    }

    /// Shows a directory of this process, which is at `from` here, as `at`. `O_PATH`
    /// is enough for it. A spawn fails with `ESTALE` when another one is at `from`
    /// by then.
    ///
    /// # Errors
    /// `EINVAL` for a path with a NUL byte or, behind the view's root, with `..`;
    /// those of statx(2).
    pub fn directory(
        &mut self,
        directory: impl AsFd,
        from: impl AsRef<Path>,
        at: impl AsRef<Path>,
        access: ViewAccess,
    ) -> Result<&mut View, Errno> {
        let found = statx(directory, c"", AtFlags::EMPTY_PATH, StatxFlags::INO)?;
        let device = [found.stx_dev_major, found.stx_dev_minor];
        let inode = Inode { device, number: found.stx_ino };
        let (from, at) = (c_string(from.as_ref())?, place(at.as_ref())?);
        c_string(&at)?;
        self.shown.push(Shown { from, inode, at, access });
        Ok(self)
    }

    /// Adds what programs need to run, as far as this system has it and no
    /// directory has its place: `/usr` and what used to be beside it, some files
    /// of `/etc` and `/sys`, all of it read-only; a few devices, with `/dev/fd`; and `/proc`,
    /// read-only as well. These last two take the place of what a directory has
    /// there, too.
    ///
    /// `/proc` shows the child's own processes where it has a
    /// [process-id namespace](crate::Namespace::Pid), else those that it could
    /// trace, if this process has the right to make that; else what our own shows.
    /// What is there of the machine, such as `/proc/cpuinfo`, is the same file as in
    /// our own, so that a [sandbox](crate::Sandbox) allows it here as it does there.
    ///
    /// # Errors
    /// None yet.
    pub fn system(&mut self) -> Result<&mut View, Errno> {
        self.system = system::entries();
        self.processes = true;
        Ok(self)
    }

    /// Where the view has what is at `from` in this process, a path without symbolic
    /// links; `None` if nowhere.
    pub fn find(&self, from: impl AsRef<Path>) -> Option<PathBuf> {
        let places = self.shown.iter().filter_map(|shown| {
            let rest = from.as_ref().strip_prefix(OsStr::from_bytes(shown.from.to_bytes())).ok()?;
            let at = shown.at.join(rest);
            // Nothing else may be there.
            let is_there = self.at(&at).is_some_and(|other| std::ptr::eq(other, shown));
            is_there.then(|| Path::new("/").join(at))
        });
        places.min_by_key(|at| at.components().count())
    }

    /// Which directory a place is in.
    fn at(&self, at: &Path) -> Option<&Shown> {
        let around = self.shown.iter().filter(|shown| at.starts_with(&shown.at));
        around.max_by_key(|shown| shown.depth())
    }

    /// What a child does to have it.
    pub(crate) fn steps(&self) -> Steps {
        let mut plan = Planned::default();
        let root = self.at(Path::new(""));
        if root.is_some() {
            plan.take(Path::new(""));
        }
        let is_free = |entry: &&Entry| self.at(entry.at()).is_none();
        let is_device = |entry: &&Entry| entry.at().starts_with("dev");
        for entry in self.system.iter().filter(is_free).filter(|entry| !is_device(entry)) {
            plan.add(entry);
        }
        let mut shown: Vec<&Shown> = self.shown.iter().filter(|shown| shown.depth() > 0).collect();
        shown.sort_by_key(|shown| shown.depth());
        for shown in shown {
            plan.place(&shown.at);
            plan.mount(shown.mount(), &shown.at);
        }
        let mut devices = self.system.iter().filter(is_device).peekable();
        if devices.peek().is_some() && self.has_place_for("dev") {
            plan.own("dev");
            devices.for_each(|device| plan.add(device));
        }
        if self.processes && self.has_place_for("proc") {
            plan.proc(system::of_machine());
        }
        plan.steps(root.map(Shown::mount))
    }

    /// Whether there is such a directory in the root, or one can be made.
    fn has_place_for(&self, name: &str) -> bool {
        self.at(Path::new(name)).is_none_or(|shown| match shown.depth() {
            0 => Path::new(OsStr::from_bytes(shown.from.to_bytes())).join(name).is_dir(),
            _ => true,
        })
    }
}

impl Shown {
    fn depth(&self) -> usize {
        self.at.components().count()
    }

    fn mount(&self) -> Mount {
        let read_only = match self.access {
            ViewAccess::Read => MOUNT_ATTR_RDONLY,
            ViewAccess::Write => 0,
        };
        let set = read_only | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
        Mount { from: self.from.clone(), inode: Some(self.inode), set }
    }
}

impl Command {
    /// Shows the child this file system and no other. It starts in its root, or in
    /// a [directory of the view](crate::Directory::at); from one of this process
    /// it would find its way out, so a spawn that is given one, or that passes
    /// one, fails with `EXDEV`. The program itself is executed by its descriptor,
    /// wherever it is; what it needs to run must be in the view.
    ///
    /// Needs a mount namespace, which is added to the [others](Self::namespaces),
    /// and so the right to make one. A spawn fails at
    /// [`Stage::View`](crate::Stage::View) with the index of what could not be
    /// shown, or at [`Stage::Root`](crate::Stage::Root).
    pub fn view(&mut self, view: impl Into<PreparedView>) -> &mut Command {
        self.view = Some(view.into());
        self
    }
}

impl Entry {
    fn at(&self) -> &Path {
        match self {
            Entry::Directory(at) | Entry::File(at) | Entry::Device(at) | Entry::Link { at, .. } => {
                at
            }
        }
    }
}

/// A place as a path from the root.
fn place(at: &Path) -> Result<PathBuf, Errno> {
    at.components()
        .filter_map(|component| match component {
            Component::RootDir | Component::CurDir => None,
            Component::Normal(name) => Some(Ok(name)),
            Component::ParentDir | Component::Prefix(_) => Some(Err(Errno::INVAL)),
        })
        .collect()
}

fn c_string(path: &Path) -> Result<CString, Errno> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::INVAL)
}
