//! Where this process makes its cgroups.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use offspring_spawn::{Cgroup, CgroupError, CgroupErrorKind, CgroupMount, Errno, generation};

use super::controllers::Controllers;
use super::owned::{OwnedCgroup, numbered};
use super::sweep::{Locked, sweep};

/// The cgroup that this process has made for the children of all its guests,
/// beneath the one that it is in itself.
///
/// There is one as long as somebody uses it. It is removed when nobody does
/// any more; should this process be killed before, the next one that looks for
/// a place there removes it, and kills what is left in it.
#[derive(Debug)]
pub struct Place {
    mount: CgroupMount,
    /// The cgroup that we were in when we looked.
    own: Cgroup,
    locked: Locked,
    controllers: OnceLock<Controllers>,
    next: AtomicU64,
    /// Of the process that has made it.
    generation: u32,
}

static PLACE: Mutex<Known> = Mutex::new(Known { place: Weak::new(), is_there: false });

/// Told when a place is no longer there.
static GONE: Condvar = Condvar::new();

#[derive(Debug)]
struct Known {
    place: Weak<Place>,
    /// Until the last one who dropped it has undone what it had done: whoever looks
    /// at the cgroups meanwhile finds what will not be.
    is_there: bool,
}

impl Place {
    /// Finds a place, or tells why there is none. Needs no controllers: a tree
    /// of processes can be killed, frozen and counted without.
    ///
    /// What killed hosts have left in the same cgroup is removed first.
    ///
    /// # Errors
    /// Why there is none, and what would mend it.
    pub fn find() -> Result<Arc<Place>, NoPlace> {
        let mut known = known();
        loop {
            if let Some(place) = known.place.upgrade() {
                return Ok(place);
            }
            if !known.is_there {
                break;
            }
            known = GONE.wait(known).unwrap_or_else(PoisonError::into_inner);
        }
        let place = Arc::new(Place::make()?);
        *known = Known { place: Arc::downgrade(&place), is_there: true };
        Ok(place)
    }

    fn make() -> Result<Place, NoPlace> {
        let mount = CgroupMount::own().map_err(|_| NoPlace::NotMounted)?;
        let refused = |error| NoPlace::of(&mount, error);
        let own = Cgroup::open(mount.path()).map_err(refused)?;
        sweep(&own);
        let locked = Locked::create(&own).map_err(refused)?;
        if locked.cgroup.is_invalid_domain().map_err(refused)? {
            let _ = own.remove_child(&locked.name);
            return Err(NoPlace::Threaded { path: mount.path().to_owned() });
        }
        let (controllers, next) = (OnceLock::new(), AtomicU64::new(0));
        Ok(Place { mount, own, locked, controllers, next, generation: generation() })
    }

    /// The directory of the cgroup.
    pub fn path(&self) -> PathBuf {
        self.mount.path().join(&self.locked.name)
    }

    /// The controllers that can be used in it. Asking enables them, once.
    ///
    /// Where that needs this process to leave the cgroup that it is in, because
    /// one with controllers enabled beneath it can have no processes, it moves
    /// into a leaf of the place. It does so only if it is alone there and the
    /// cgroup was given to it, and moves back when nobody uses the place any more.
    pub fn controllers(&self) -> &Controllers {
        self.controllers.get_or_init(|| Controllers::enable(&self.mount, &self.own, self.cgroup()))
    }

    /// Whether this process had to move into a leaf of the place, see
    /// [`Place::controllers`].
    pub fn has_moved(&self) -> bool {
        self.controllers.get().is_some_and(Controllers::moved)
    }

    pub(super) fn cgroup(&self) -> &Cgroup {
        &self.locked.cgroup
    }

    /// Makes a new cgroup in it, for one guest or for the host's own use.
    ///
    /// # Errors
    /// [`LimitReached`](CgroupErrorKind::LimitReached): those above it allow no
    /// more, or none so deep.
    pub fn create(self: &Arc<Place>) -> Result<OwnedCgroup, CgroupError> {
        OwnedCgroup::in_place(self, numbered("guest", &self.next))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A fork's is its ancestor's.
        if self.generation == generation() {
            if let Some(controllers) = self.controllers.get() {
                controllers.undo(&self.own, self.cgroup());
            }
            let _ = self.own.remove_child(&self.locked.name);
        }
        known().is_there = false;
        GONE.notify_all();
    }
}

/// Why this process can make no cgroups.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoPlace {
    /// Cgroups of version 2 are not mounted, or not where we are in them:
    /// there may be those of version 1, which cannot do what is needed.
    NotMounted,
    /// The cgroup that we are in belongs to somebody else.
    NotDelegated {
        /// Its directory.
        path: PathBuf,
    },
    /// The cgroup that we are in is, or lies beneath, a threaded one, and no
    /// process can be started beneath it.
    Threaded {
        /// Its directory.
        path: PathBuf,
    },
    /// They are mounted read-only, as containers have them.
    ReadOnly {
        /// The directory of the cgroup that we are in.
        path: PathBuf,
    },
    /// Something else.
    Failed {
        /// The directory of the cgroup that we are in.
        path: PathBuf,
        /// What went wrong.
        error: CgroupError,
    },
}

impl NoPlace {
    fn of(mount: &CgroupMount, error: CgroupError) -> NoPlace {
        let path = mount.path().to_owned();
        match (error.kind(), error.errno()) {
            (_, Errno::ROFS) => NoPlace::ReadOnly { path },
            (CgroupErrorKind::NotDelegated, _) => NoPlace::NotDelegated { path },
            _ => NoPlace::Failed { path, error },
        }
    }

    /// What would mend it: a sentence with a command for people, where there
    /// is one.
    pub fn remedy(&self) -> Option<String> {
        let systemd = Path::new("/run/systemd/system").exists();
        match self {
            NoPlace::NotMounted if systemd => {
                Some("boot with `systemd.unified_cgroup_hierarchy=1`".to_owned())
            }
            // Beside those of version 1.
            NoPlace::NotMounted if has_version_1() => Some(
                "mount them, as root: `mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none \
                 /sys/fs/cgroup/unified`"
                    .to_owned(),
            ),
            NoPlace::NotMounted => {
                Some("mount them, as root: `mount -t cgroup2 none /sys/fs/cgroup`".to_owned())
            }
            NoPlace::NotDelegated { .. } if systemd => Some(
                "run it in a scope of its own: `systemd-run --user --scope -p Delegate=yes \
                 offspring ...`, or set `Delegate=yes` in the unit of the service"
                    .to_owned(),
            ),
            NoPlace::NotDelegated { path } => {
                let group = path.join("offspring");
                let group = group.display();
                Some(format!(
                    "make one that is yours and move your shell into it, as root: `mkdir {group} \
                     && chown {user} {group} {group}/cgroup.procs {group}/cgroup.subtree_control \
                     && echo SHELL > {group}/cgroup.procs`, where SHELL is what `echo $$` says",
                    user = rustix::process::getuid().as_raw(),
                ))
            }
            NoPlace::Threaded { path } => Some(format!(
                "start it in another cgroup, or take those controllers away beneath this one that \
                 make it so, as root: `echo \"-cpu -cpuset -pids\" > {}/cgroup.subtree_control`",
                path.display()
            )),
            NoPlace::ReadOnly { .. } => Some(
                "give the container a writable view of its own cgroup: `podman run \
                 --cgroupns=private --security-opt unmask=/sys/fs/cgroup`, or `docker run \
                 --cgroupns=private --privileged`"
                    .to_owned(),
            ),
            NoPlace::Failed { .. } => None,
        }
    }
}

impl fmt::Display for NoPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoPlace::NotMounted if has_version_1() => {
                f.write_str("only cgroups of version 1 are mounted")
            }
            NoPlace::NotMounted => f.write_str("no cgroups of version 2 are mounted"),
            NoPlace::NotDelegated { path } => {
                write!(f, "the cgroup {} is not delegated to this user", path.display())
            }
            NoPlace::Threaded { path } => {
                write!(f, "the cgroup {} is, or lies beneath, a threaded one", path.display())
            }
            NoPlace::ReadOnly { path } => {
                write!(f, "the cgroup {} is mounted read-only", path.display())
            }
            NoPlace::Failed { path, error } => {
                write!(f, "no cgroup can be made in {}: {error}", path.display())
            }
        }
    }
}

impl std::error::Error for NoPlace {}

fn has_version_1() -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().any(|line| line.split(' ').nth(2) == Some("cgroup"))
}

fn known() -> MutexGuard<'static, Known> {
    PLACE.lock().unwrap_or_else(PoisonError::into_inner)
}
