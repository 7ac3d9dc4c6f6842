//! Groups of a policy: cgroups with limits, in which children are started.

use std::fmt;
use std::path::{Path, PathBuf};

use offspring_spawn::{IoMax, Setting};

use super::error::Location;

/// A cgroup that a guest is given, by its name, with limits that hold for all
/// children in it together. The host makes it before the guest begins, and
/// removes it with all that is in it after the guest.
///
/// A new one has no limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    name: String,
    location: Option<Location>,
    required: bool,
    settings: Vec<(GroupSetting, Option<Location>)>,
}

/// Something that is set in a group before children are started in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupSetting {
    /// As the kernel has it.
    Kernel(Setting),
    /// A limit on a block device, by the path of the device. The numbers in it
    /// are found when the group is made.
    Io {
        /// Such as `/dev/sda`.
        path: PathBuf,
        /// The limits.
        max: IoMax,
    },
}

/// Which cgroup the children of a grant are started in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum GrantGroup {
    /// The one that the host is in, or one of their own where the host has a
    /// use for it. The guest has no choice.
    #[default]
    Unset,
    /// Each in one of its own, or the host cannot be started.
    Required,
    /// Each in one of its own, where the host can make cgroups.
    Preferred,
    /// In this group of the policy, or one that the guest has made beneath it.
    Named(String),
}

impl Group {
    /// A group of this name, which the host must be able to make.
    pub fn new(name: impl Into<String>) -> Group {
        Group { name: name.into(), location: None, required: true, settings: Vec::new() }
    }

    /// Sets whether it is an error when the host cannot make the group, or one
    /// of its settings. Otherwise children run without it. Default: yes.
    pub fn required(mut self, yes: bool) -> Group {
        self.required = yes;
        self
    }

    /// Adds a setting. Default: none.
    pub fn setting(mut self, setting: Setting) -> Group {
        self.settings.push((GroupSetting::Kernel(setting), None));
        self
    }

    /// Limits what is done with the block device at this path; the numbers of
    /// the device in `max` are replaced by those of the path. Default: no limit.
    pub fn io_max(mut self, path: impl Into<PathBuf>, max: IoMax) -> Group {
        self.settings.push((GroupSetting::Io { path: path.into(), max }, None));
        self
    }

    /// The name that a guest uses.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the name stands, for a group that was read from a file.
    pub fn location(&self) -> Option<&Location> {
        self.location.as_ref()
    }

    /// Whether it is an error when it cannot be made.
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// What is set, and where it stands for a group that was read from a file.
    pub fn settings(&self) -> impl Iterator<Item = (&GroupSetting, Option<&Location>)> {
        self.settings.iter().map(|(setting, location)| (setting, location.as_ref()))
    }

    pub(super) fn found(mut self, location: Location) -> Group {
        self.location = Some(location);
        self
    }

    pub(super) fn setting_found(mut self, setting: GroupSetting, location: Location) -> Group {
        self.settings.push((setting, Some(location)));
        self
    }
}

impl GroupSetting {
    /// The file of the cgroup that it is for.
    pub fn file(&self) -> &'static str {
        match self {
            GroupSetting::Kernel(setting) => setting.file(),
            GroupSetting::Io { max, .. } => Setting::IoMax(*max).file(),
        }
    }

    /// The block device that has to be found, if there is one.
    pub fn device(&self) -> Option<&Path> {
        match self {
            GroupSetting::Kernel(_) => None,
            GroupSetting::Io { path, .. } => Some(path),
        }
    }
}

/// The value, as the kernel has it; with the path of a device instead of its
/// numbers.
impl fmt::Display for GroupSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GroupSetting::Kernel(setting) => write!(f, "{setting}"),
            GroupSetting::Io { path, max } => {
                let text = Setting::IoMax(*max).to_string();
                let limits = text.split_once(' ').map_or(&*text, |(_, limits)| limits);
                write!(f, "{} {limits}", path.display())
            }
        }
    }
}
