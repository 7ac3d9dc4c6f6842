//! Who a child is.

use std::fmt;

use super::text::printable;

/// A user or a group, by its number or by its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Account {
    /// The number.
    Id(u32),
    /// The name in the host's `/etc/passwd` or `/etc/group`, which are read when a
    /// context is built.
    Name(String),
}

/// A user, and its groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    user: Account,
    group: Option<Account>,
    groups: Vec<Account>,
}

impl User {
    /// This user, in the group that `/etc/passwd` gives it, and in no other.
    pub fn new(user: impl Into<Account>) -> User {
        User { user: user.into(), group: None, groups: Vec::new() }
    }

    /// Sets the group. Default: the one in `/etc/passwd`.
    pub fn group(mut self, group: impl Into<Account>) -> User {
        self.group = Some(group.into());
        self
    }

    /// Sets the supplementary groups. Default: none, whatever `/etc/group` says.
    pub fn groups(mut self, groups: impl IntoIterator<Item = impl Into<Account>>) -> User {
        self.groups = groups.into_iter().map(Into::into).collect();
        self
    }

    /// The user.
    pub fn get_user(&self) -> &Account {
        &self.user
    }

    /// The group, if it is not the one in `/etc/passwd`.
    pub fn get_group(&self) -> Option<&Account> {
        self.group.as_ref()
    }

    /// The supplementary groups.
    pub fn get_groups(&self) -> &[Account] {
        &self.groups
    }

    pub(super) fn summary(&self) -> String {
        let show = |account: &Account| printable(&account.to_string());
        let group = self.group.as_ref().map(|group| format!(" in group {}", show(group)));
        let groups: Vec<_> = self.groups.iter().map(show).collect();
        let besides = match groups.is_empty() {
            true => String::new(),
            false => format!(", also in {}", groups.join(", ")),
        };
        format!("{}{}{besides}", show(&self.user), group.unwrap_or_default())
    }

    /// The first that there cannot be.
    pub(super) fn invalid(&self) -> Option<&Account> {
        let all = [&self.user].into_iter().chain(&self.group).chain(&self.groups);
        all.into_iter().find(|account| !account.is_valid())
    }
}

impl From<u32> for Account {
    fn from(id: u32) -> Account {
        Account::Id(id)
    }
}

impl From<&str> for Account {
    fn from(name: &str) -> Account {
        Account::Name(name.to_owned())
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Account::Id(id) => write!(f, "{id}"),
            Account::Name(name) => f.write_str(name),
        }
    }
}

impl Account {
    /// Whether there could be such a one.
    pub(super) fn is_valid(&self) -> bool {
        // To the kernel the largest number means none.
        const NONE: u32 = u32::MAX;
        match self {
            Account::Id(id) => *id != NONE,
            Account::Name(name) => {
                let is_bad = |c: char| c == ':' || c.is_control() || c.is_whitespace();
                !name.is_empty() && !name.contains(is_bad)
            }
        }
    }
}
