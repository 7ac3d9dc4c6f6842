//! Which user a child runs as.

use crate::command::Command;

/// A user, a group, and supplementary groups, by their numbers.
///
/// All ids become these: real, effective and saved, and those for files. So a
/// child that is given another user's has no way back, and without
/// supplementary groups of its own it has none of its parent's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The supplementary groups, which take the place of the parent's.
    pub groups: Vec<u32>,
}

impl Command {
    /// Runs the child as this user. From then on it has the rights of this user
    /// only: its working directory, its file actions and its program must be open
    /// to it.
    ///
    /// This process must have `CAP_SETUID` and `CAP_SETGID`, else a spawn fails
    /// with `EPERM`; an id that its user namespace does not know is `EINVAL`.
    /// Not together with a [user namespace](crate::Namespace::User), which knows
    /// one user only: that is `EINVAL` at [`Stage::UserId`].
    ///
    /// As with [`reset_ids`](Self::reset_ids), this process is not dumpable while
    /// such a spawn goes on.
    ///
    /// # References
    /// - [setgroups(2)](https://man7.org/linux/man-pages/man2/setgroups.2.html),
    ///   [setresgid(2) and setresuid(2)](https://man7.org/linux/man-pages/man2/setresuid.2.html)
    ///
    /// [`Stage::UserId`]: crate::Stage::UserId
    pub fn identity(&mut self, identity: Identity) -> &mut Command {
        self.attributes.identity = Some(identity);
        self
    }
}
