//! The controllers of our place: what can be limited and measured there.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use offspring_spawn::{Cgroup, CgroupError, CgroupErrorKind, CgroupMount, Controller};
use rustix::fs::{Access, AtFlags};

/// The controllers that can be used in a [`Place`](super::Place), and why not
/// more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controllers {
    enabled: BTreeSet<Controller>,
    lack: Option<Lack>,
    /// What the cgroup that we were in had enabled before we left it, if we did.
    left: Option<BTreeSet<Controller>>,
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
        /// The cgroups above it, from the lowest one that has them downwards.
        above: Vec<PathBuf>,
    },
    /// We are in a container, whose cgroup does not have them.
    NotGivenToContainer {
        /// The directory of the cgroup that we are in.
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

/// The name, in our place, of the cgroup that we go to when we have to leave the
/// one that we are in.
pub const LEAF: &str = "host";

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
        self.left.is_some()
    }

    /// Enables what can be enabled, from the cgroup that we are in through to
    /// those that we make in our place.
    pub(super) fn enable(mount: &CgroupMount, own: &Cgroup, place: &Cgroup) -> Controllers {
        let path = mount.path();
        let (mut lack, mut left) = (None, None);
        match lacks(own) {
            Ok(false) => {}
            // The only one that may have processes and controllers.
            Ok(true) if own.is_root() => {
                if open_up(own) == Err(CgroupErrorKind::NotDelegated) {
                    lack = Some(Lack::not_owned(path));
                }
            }
            Ok(true) => match leave_and_open(mount, own, place) {
                Ok(before) => {
                    tracing::info!(from = %path.display(), "moved into a cgroup of our own");
                    left = Some(before);
                }
                Err(reason) => lack = Some(reason),
            },
            Err(_) => lack = Some(Lack::not_owned(path)),
        }
        // Each that we have is one that its children may have.
        let _ = open_up(place);
        let enabled = place.enabled_controllers().unwrap_or_default();
        if enabled.len() < Controller::ALL.len() && lack.is_none() {
            lack = Some(Lack::above(path, own));
        }
        Controllers { enabled, lack, left }
    }

    /// Goes back to where we were, and leaves that as it was, when nothing in the
    /// place is used any more.
    pub(super) fn undo(&self, own: &Cgroup, place: &Cgroup) {
        let Some(before) = &self.left else {
            return;
        };
        let _ = place.disable(place.enabled_controllers().unwrap_or_default());
        let now = own.enabled_controllers().unwrap_or_default();
        let _ = own.disable(now.difference(before).copied());
        come_back(own, place);
    }
}

/// Whether a cgroup has a controller that it has not enabled for those beneath
/// it.
fn lacks(cgroup: &Cgroup) -> Result<bool, CgroupError> {
    Ok(!cgroup.controllers()?.is_subset(&cgroup.enabled_controllers()?))
}

/// Leaves the cgroup that we are in and enables its controllers. Returns those that
/// it had enabled before.
///
/// Never while there are processes in it: the kernel would refuse some, such as
/// `memory`, and with others, such as `cpu`, make it a threaded one, beneath
/// which no process can be started any more.
fn leave_and_open(
    mount: &CgroupMount,
    own: &Cgroup,
    place: &Cgroup,
) -> Result<BTreeSet<Controller>, Lack> {
    let path = mount.path();
    let before = own.enabled_controllers().map_err(|_| Lack::not_owned(path))?;
    if !is_given(mount) || !may_enable(own) {
        return Err(Lack::not_owned(path));
    }
    if !is_alone(own) {
        return Err(Lack::Shared { path: path.to_owned() });
    }
    let left = leave(own, place).and_then(|()| own.processes());
    let done = match left {
        Ok(others) if others.is_empty() => {
            let _ = open_up(own);
            let has_some = own.enabled_controllers().is_ok_and(|enabled| !enabled.is_empty());
            if has_some { Ok(before) } else { Err(Lack::not_owned(path)) }
        }
        // Somebody came meanwhile.
        Ok(_) => Err(Lack::Shared { path: path.to_owned() }),
        Err(_) => Err(Lack::not_owned(path)),
    };
    if done.is_err() {
        come_back(own, place);
    }
    done
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

/// Whether the kernel would let us enable controllers for those beneath it.
fn may_enable(own: &Cgroup) -> bool {
    rustix::fs::accessat(own, "cgroup.subtree_control", Access::WRITE_OK, AtFlags::EACCESS).is_ok()
}

/// Moves all that are in our cgroup into a leaf of the place.
fn leave(own: &Cgroup, place: &Cgroup) -> Result<(), CgroupError> {
    let leaf = place.create(LEAF)?;
    own.processes()?.into_iter().try_for_each(|pid| leaf.attach(pid))
}

/// Moves them back where it was for nothing.
fn come_back(own: &Cgroup, place: &Cgroup) {
    if let Ok(leaf) = place.child(LEAF) {
        for pid in leaf.processes().unwrap_or_default() {
            let _ = own.attach(pid);
        }
    }
    let _ = place.remove_child(LEAF);
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

    /// Why a cgroup does not have them all, by those above it.
    fn above(path: &Path, own: &Cgroup) -> Lack {
        let open = |above: &Path| Cgroup::open(above).ok().map(|cgroup| (above.to_owned(), cgroup));
        let above: Vec<_> = path.ancestors().skip(1).map_while(open).collect();
        let has_all = |cgroup: &Cgroup| {
            cgroup.controllers().is_ok_and(|controllers| controllers.len() == Controller::ALL.len())
        };
        match above.iter().position(|(_, cgroup)| has_all(cgroup)) {
            Some(giver) => {
                let above = above.into_iter().take(giver + 1).rev().map(|(path, _)| path);
                Lack::NotGiven { path: path.to_owned(), above: above.collect() }
            }
            None if above.last().map_or(own, |(_, top)| top).is_root() => Lack::NotOffered,
            None => Lack::NotGivenToContainer { path: path.to_owned() },
        }
    }

    /// What would mend it: a sentence with a command for people.
    pub fn remedy(&self) -> String {
        let systemd = Path::new("/run/systemd/system").exists();
        match self {
            Lack::NotOffered => "boot with `cgroup_no_v1=all`, which leaves them to version 2; with \
                                 systemd, `systemd.unified_cgroup_hierarchy=1`"
                .to_owned(),
            Lack::NotGiven { path, .. } if systemd && is_of_user_manager(path) => {
                "let systemd give them to users, as root: `mkdir -p \
                 /etc/systemd/system/user@.service.d && printf \"[Service]\\nDelegate=cpu cpuset \
                 io memory pids\\n\" > /etc/systemd/system/user@.service.d/delegate.conf`, and \
                 restart"
                    .to_owned()
            }
            Lack::NotGiven { .. } if systemd => {
                "set `Delegate=cpu cpuset io memory pids` in the unit of the service".to_owned()
            }
            Lack::NotGiven { above, .. } => {
                let enable = |above: &PathBuf| {
                    let words = "+cpu +cpuset +io +memory +pids";
                    format!("echo \"{words}\" > {}/cgroup.subtree_control", above.display())
                };
                let commands: Vec<_> = above.iter().map(enable).collect();
                format!("enable them above, as root: `{}`", commands.join(" && "))
            }
            Lack::NotGivenToContainer { .. } => {
                "have them given to this container from outside, where `offspring doctor` says what \
                 is missing"
                    .to_owned()
            }
            Lack::Shared { .. } | Lack::NotOwned { .. } if systemd => {
                "run it in a scope of its own: `systemd-run --user --scope -p Delegate=yes \
                 offspring ...` (without --user as root), or set `Delegate=yes` in the unit of the \
                 service"
                    .to_owned()
            }
            Lack::Shared { path } | Lack::NotOwned { path } => {
                let group = path.join("offspring");
                let group = group.display();
                format!(
                    "run it alone in a cgroup of its own: `mkdir {group} && sh -c 'echo 0 > \
                     {group}/cgroup.procs && exec offspring ...'`"
                )
            }
        }
    }
}

/// Whether a cgroup is that of a user's own systemd, or beneath it.
fn is_of_user_manager(path: &Path) -> bool {
    path.components().any(|component| {
        let name = component.as_os_str().to_string_lossy();
        name.starts_with("user@") && name.ends_with(".service")
    })
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lack::NotOffered => f.write_str("they are not offered to cgroups of version 2"),
            Lack::NotGiven { path, .. } | Lack::NotGivenToContainer { path } => {
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
