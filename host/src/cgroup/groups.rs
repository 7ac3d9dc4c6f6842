//! The groups of one guest, made as its policy says before it begins.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use offspring_spawn::{Device, IoMax, Setting};
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, major, minor, openat};

use super::group::Node;
use super::leaf::{Leaf, Spares};
use super::owned::OwnedCgroup;
use super::place::Place;
use crate::error::BuildError;
use crate::launch::LaunchError;
use crate::plan::PlanGroup;
use crate::policy::{GrantGroup, Group, GroupSetting, Location, Policy};
use crate::quota::Quota;

/// The cgroups of one guest.
#[derive(Debug)]
pub(crate) struct Groups {
    /// The one that everything of the guest's lies in; `None` where no policy
    /// asks for one, or none can be had.
    own: Option<Arc<OwnedCgroup>>,
    granted: BTreeMap<String, Arc<Node>>,
    /// For children that are in no group.
    spares: Arc<Spares>,
    /// How many the guest may make.
    pub(crate) quota: Quota,
    next: AtomicU64,
}

impl Groups {
    /// Makes what the policy asks for.
    ///
    /// # Errors
    /// What is required and cannot be had.
    pub(crate) fn make(policy: &Policy) -> Result<Groups, BuildError> {
        let mut groups = Groups {
            own: None,
            granted: BTreeMap::new(),
            spares: Arc::default(),
            quota: Quota::new(policy.get_limits().max_groups),
            next: AtomicU64::new(0),
        };
        let is_asked = |group: &GrantGroup| *group != GrantGroup::Unset;
        let mut grants = policy.grants().iter();
        if policy.groups().is_empty() && !grants.any(|grant| is_asked(grant.get_group())) {
            return Ok(groups);
        }
        let made = make_own(!policy.groups().is_empty());
        let own = match made {
            Ok(own) => Arc::new(own),
            Err(why) => {
                return match required(policy) {
                    Some((what, location)) => Err(BuildError::Group { what, location, why }),
                    None => {
                        tracing::warn!("children run without groups: {why}");
                        Ok(groups)
                    }
                };
            }
        };
        for group in policy.groups() {
            if let Some(node) = grant(&own, group)? {
                groups.granted.insert(group.name().to_owned(), Arc::new(node));
            }
        }
        groups.own = Some(own);
        Ok(groups)
    }

    /// The group of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Node>> {
        self.granted.get(name)
    }

    /// Makes a cgroup for one child, where the plan says and there are any.
    pub(crate) fn leaf(
        &self,
        plan: &PlanGroup,
        chosen: Option<&Arc<Node>>,
    ) -> Result<Option<Leaf>, LaunchError> {
        let group = match plan {
            PlanGroup::None | PlanGroup::Own => None,
            PlanGroup::Granted(name) => self.granted.get(name),
            PlanGroup::Guest => chosen,
        };
        let parent = match (plan, group) {
            (_, Some(group)) => Some((group.owned(), group.spares())),
            (PlanGroup::Own, None) => self.own.as_ref().map(|own| (own, &self.spares)),
            // Preferred, and not to be had.
            (PlanGroup::None | PlanGroup::Granted(_) | PlanGroup::Guest, None) => None,
        };
        let Some((parent, spares)) = parent else {
            return Ok(None);
        };
        Leaf::within(parent, spares, &self.next, group).map(Some)
    }
}

/// Makes the cgroup that everything of a guest's lies in.
fn make_own(with_controllers: bool) -> Result<OwnedCgroup, String> {
    let place = Place::find().map_err(|no_place| match no_place.remedy() {
        Some(remedy) => format!("{no_place}; to mend it, {remedy}"),
        None => no_place.to_string(),
    })?;
    if with_controllers {
        place.controllers();
    }
    let own = place.create().map_err(|error| error.to_string())?;
    own.open_up();
    Ok(own)
}

/// The first thing that the policy cannot do without, and where it says so.
fn required(policy: &Policy) -> Option<(String, Option<Location>)> {
    let mut groups = policy.groups().iter().filter(|group| group.is_required());
    let group = groups
        .next()
        .map(|group| (format!("the group `{}`", group.name()), group.location().cloned()));
    group.or_else(|| {
        let is_required =
            |grant: &&crate::policy::Grant| *grant.get_group() == GrantGroup::Required;
        policy.grants().iter().find(is_required).map(|grant| {
            (format!("a group for `{}`", grant.name()), grant.group_location().cloned())
        })
    })
}

/// Makes a group of the policy; `None` for one that is preferred only.
fn grant(own: &Arc<OwnedCgroup>, group: &Group) -> Result<Option<Node>, BuildError> {
    let name = group.name();
    let failed = |what: String, location: Option<&Location>, why: String| match group.is_required()
    {
        true => Err(BuildError::Group { what, location: location.cloned(), why }),
        false => {
            tracing::warn!("without {what}: {why}");
            Ok(())
        }
    };
    let owned = match OwnedCgroup::within(own, format!("group.{name}")) {
        Ok(owned) => owned,
        Err(error) => {
            failed(format!("the group `{name}`"), group.location(), error.to_string())?;
            return Ok(None);
        }
    };
    for (setting, location) in group.settings() {
        let done = resolved(setting)
            .and_then(|setting| owned.cgroup().set(&setting).map_err(|error| error.to_string()));
        if let Err(why) = done {
            failed(format!("{} of the group `{name}`", setting.file()), location, why)?;
        }
    }
    owned.open_up();
    Ok(Some(Node::granted(owned, name)))
}

/// A setting with the numbers of the device that it is about.
fn resolved(setting: &GroupSetting) -> Result<Setting, String> {
    match setting {
        GroupSetting::Kernel(setting) => Ok(setting.clone()),
        GroupSetting::Io { path, max } => {
            Ok(Setting::IoMax(IoMax { device: device(path)?, ..*max }))
        }
    }
}

fn device(path: &Path) -> Result<Device, String> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let stat = openat(CWD, path, flags, Mode::empty()).and_then(fstat);
    let stat = stat.map_err(|errno| format!("cannot open {}: {errno}", path.display()))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::BlockDevice => {
            Ok(Device { major: major(stat.st_rdev), minor: minor(stat.st_rdev) })
        }
        _ => Err(format!("{} is no block device", path.display())),
    }
}
