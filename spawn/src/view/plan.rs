//! How a child makes a view, step by step.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::path::{Path, PathBuf};

use super::{
    Entry, Inode, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY,
    c_string,
};

/// The root, if that is no new one, and then the rest in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Steps {
    pub(crate) root: Option<Mount>,
    pub(crate) steps: Vec<Step>,
    /// What is the same in every `/proc`, and so ours in that of the view, which comes
    /// last: a sandbox knows it as that. Empty if the view has no `/proc`.
    pub(crate) machine: Vec<(Mount, CString)>,
}

impl Steps {
    /// Whether the view shows processes.
    pub(crate) fn has_processes(&self) -> bool {
        matches!(self.steps.last(), Some(Step::Proc { .. }))
    }
}

/// One step. Places are relative to the new root.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Directory {
        at: CString,
    },
    File {
        at: CString,
    },
    Link {
        to: CString,
        at: CString,
    },
    Mount {
        mount: Mount,
        at: CString,
    },
    /// An empty file system, for what cannot be made elsewhere.
    Empty {
        at: CString,
    },
    Proc {
        at: CString,
    },
}

/// What is at a path here, with these attributes besides those that it has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) from: CString,
    pub(crate) inode: Option<Inode>,
    pub(crate) set: u32,
}

/// Steps, and what they have made so far.
#[derive(Debug, Default)]
pub(super) struct Planned {
    steps: Vec<Step>,
    made: BTreeSet<PathBuf>,
    /// Where something of ours is, in which nothing may be made.
    taken: Vec<PathBuf>,
    machine: Vec<(Mount, CString)>,
}

impl Planned {
    fn is_taken(&self, at: &Path) -> bool {
        self.taken.iter().any(|taken| at.starts_with(taken))
    }

    /// Makes the directories that lead to a place.
    fn lead_to(&mut self, at: &Path) {
        if let Some(parent) = at.parent() {
            self.place(parent);
        }
    }

    /// Makes a directory, unless it is there or must be.
    pub(super) fn place(&mut self, at: &Path) {
        if at.as_os_str().is_empty() || self.made.contains(at) || self.is_taken(at) {
            return;
        }
        self.lead_to(at);
        self.made.insert(at.to_owned());
        self.steps.push(Step::Directory { at: text(at) });
    }

    pub(super) fn mount(&mut self, mount: Mount, at: &Path) {
        self.steps.push(Step::Mount { mount, at: text(at) });
        self.take(at);
    }

    /// Says that something of ours is there.
    pub(super) fn take(&mut self, at: &Path) {
        self.taken.push(at.to_owned());
    }

    pub(super) fn add(&mut self, entry: &Entry) {
        let read_only = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
        self.lead_to(entry.at());
        let set = match entry {
            Entry::Link { at, to } => {
                return self.steps.push(Step::Link { to: text(to), at: text(at) });
            }
            Entry::Directory(at) => {
                self.place(at);
                read_only
            }
            Entry::File(at) => {
                self.steps.push(Step::File { at: text(at) });
                read_only
            }
            Entry::Device(at) => {
                self.steps.push(Step::File { at: text(at) });
                MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC
            }
        };
        let from = text(&Path::new("/").join(entry.at()));
        self.mount(Mount { from, inode: None, set }, entry.at());
    }

    /// Makes a directory in which more can be made, whatever it is in.
    pub(super) fn own(&mut self, name: &str) {
        let at = Path::new(name);
        self.place(at);
        if self.is_taken(at) {
            self.steps.push(Step::Empty { at: text(at) });
            self.made.insert(at.to_owned());
        }
    }

    /// Shows processes, and the machine by these paths.
    pub(super) fn proc(&mut self, machine: impl IntoIterator<Item = PathBuf>) {
        let at = Path::new("proc");
        self.place(at);
        self.steps.push(Step::Proc { at: text(at) });
        let set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
        self.machine.extend(machine.into_iter().map(|path| {
            let at = text(path.strip_prefix("/").unwrap_or(&path));
            (Mount { from: text(&path), inode: None, set }, at)
        }));
    }

    pub(super) fn steps(self, root: Option<Mount>) -> Steps {
        Steps { root, steps: self.steps, machine: self.machine }
    }
}

/// What has no NUL byte, as was checked or comes from the kernel. The root is the
/// directory that it is looked for in.
fn text(path: &Path) -> CString {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    c_string(path).unwrap_or_default()
}
