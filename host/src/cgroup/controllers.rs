//! The controllers of our place: what can be limited and measured there.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use offspring_spawn::{Cgroup, CgroupError, CgroupErrorKind, CgroupMount, Controller};

/// The controllers that can be used in a [`Place`](super::Place), and why not
/// more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controllers {
    enabled: BTreeSet<Controller>,
    lack: Option<Lack>,
    moved: bool,
}

/// Why controllers are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lack {
    /// The root of all cgroups of version 2 does not have them: those of version
    /// 1 use them, or the kernel was built without.
    NotOffered,
    /// The cgroup that we are in does not have them: those above it have not
    /// enabled them.
    NotGiven {
        /// Its directory.
        path: PathBuf,
    },
    /// The cgroup that we are in has other processes than ours too, and so can
    /// enable none for those beneath it.
    Shared {
        /// Its directory.
        path: PathBuf,
    },
    /// The cgroup that we are in belongs to somebody else, who has not enabled
    /// them for those beneath it.
    NotOwned {
        /// Its directory.
        path: PathBuf,
    },
}

/// Where we go when we have to leave the cgroup that we are in.
const LEAF: &str = "host";

impl Controllers {
    /// Those that are enabled.
    pub fn enabled(&self) -> &BTreeSet<Controller> {
        &self.enabled
    }

    /// Why not all.
    pub fn lack(&self) -> Option<&Lack> {
        self.lack.as_ref()
    }

    /// Whether this process had to move into a leaf of the place for their
    /// sake.
    pub fn moved(&self) -> bool {
        self.moved
    }

    /// Enables what can be enabled, from the cgroup that we are in through to
    /// those that we make in our place.
    pub(super) fn enable(mount: &CgroupMount, own: &Cgroup, place: &Cgroup) -> Controllers {
        let path = mount.path();
        let (mut lack, mut moved) = (None, false);
        match open_up(own) {
            Ok(()) => {}
            Err(CgroupErrorKind::Busy) if !is_given(mount) => lack = Some(Lack::not_owned(path)),
            Err(CgroupErrorKind::Busy) => {
                moved = is_alone(own) && leave(own, place).is_ok();
                if moved {
                    tracing::info!(from = %path.display(), "moved into a cgroup of our own");
                }
                if !moved || open_up(own).is_err() {
                    lack = Some(Lack::Shared { path: path.to_owned() });
                }
            }
            Err(_) => lack = Some(Lack::not_owned(path)),
        }
        // Each that we have is one that its children may have.
        let _ = open_up(place);
        let enabled = place.enabled_controllers().unwrap_or_default();
        if enabled.len() < Controller::ALL.len() && lack.is_none() {
            lack = Some(match own.is_root() {
                true => Lack::NotOffered,
                false => Lack::NotGiven { path: path.to_owned() },
            });
        }
        Controllers { enabled, lack, moved }
    }
}

/// Enables every controller that a cgroup has for those beneath it.
pub(super) fn open_up(cgroup: &Cgroup) -> Result<(), CgroupErrorKind> {
    let of = |error: CgroupError| error.kind();
    let have = cgroup.controllers().map_err(of)?;
    let enabled = cgroup.enabled_controllers().map_err(of)?;
    let mut result = Ok(());
    for controller in have.difference(&enabled) {
        // One that cannot be had, as cpu where there are processes in real
        // time, is no reason to go without the others.
        result = cgroup.enable([*controller]).map_err(of).and(result);
    }
    result
}

/// Whether there is no process in it but us and those that keep us: our
/// ancestors that run the same program, see [`supervise`](crate::supervise).
fn is_alone(own: &Cgroup) -> bool {
    let program = |pid: &str| fs::read_link(format!("/proc/{pid}/exe")).ok();
    let ours: Vec<u32> = std::iter::successors(Some(std::process::id()), |pid| parent_of(*pid))
        .take_while(|pid| program(&pid.to_string()) == program("self"))
        .collect();
    own.processes().is_ok_and(|processes| processes.iter().all(|pid| ours.contains(pid)))
}

fn parent_of(pid: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
}

/// Moves all that are in our cgroup into a leaf of the place.
fn leave(own: &Cgroup, place: &Cgroup) -> Result<(), CgroupError> {
    let leaf = place.create(LEAF)?;
    own.processes()?.into_iter().try_for_each(|pid| leaf.attach(pid))
}

/// Whether the cgroup that we are in was given to us, so that nobody minds what
/// we do with it: an ordinary user has no rights in others, and the root of a
/// namespace is its container's. Root may write everywhere, so systemd marks
/// what it delegates.
fn is_given(mount: &CgroupMount) -> bool {
    let is_marked = |name| {
        let mut mark = [0; 1];
        rustix::fs::getxattr(mount.path(), name, &mut mark).is_ok() && mark == *b"1"
    };
    !rustix::process::geteuid().is_root()
        || mount.name() == "/"
        || !Path::new("/run/systemd/system").exists()
        || is_marked("user.delegate")
        || is_marked("trusted.delegate")
}

impl Lack {
    fn not_owned(path: &Path) -> Lack {
        Lack::NotOwned { path: path.to_owned() }
    }

    /// What would mend it: a sentence with a command for people.
    pub fn remedy(&self) -> String {
        match self {
            Lack::NotOffered => {
                "boot with `cgroup_no_v1=all`, which leaves them to version 2; with \
                 systemd, `systemd.unified_cgroup_hierarchy=1`"
                    .to_owned()
            }
            Lack::NotGiven { path } => {
                let above = path.parent().unwrap_or(path).display();
                format!(
                    "enable them above, as root: `echo \"+memory +pids +cpu +cpuset +io\" > \
                     {above}/cgroup.subtree_control`"
                )
            }
            Lack::Shared { .. } | Lack::NotOwned { .. } => {
                "run it in a scope of its own: `systemd-run --user --scope -p Delegate=yes \
                 offspring ...` (without --user as root), or as the only process of a container"
                    .to_owned()
            }
        }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lack::NotOffered => f.write_str("they are not offered to cgroups of version 2"),
            Lack::NotGiven { path } => {
                write!(f, "the cgroup {} does not have them", path.display())
            }
            Lack::Shared { path } => {
                write!(f, "the cgroup {} has other processes in it too", path.display())
            }
            Lack::NotOwned { path } => {
                write!(f, "the cgroup {} is not delegated to this user", path.display())
            }
        }
    }
}
