//! What children have apart from their host: who they are, what they share with
//! nobody, what they see.

use offspring_spawn::{Namespace, Namespaces};

use super::error::Location;
use super::invalid::Invalid;
use super::text::quoted;
use super::user::User;

/// What the children of a grant have apart from the host.
///
/// ```
/// use offspring::policy::{Apart, Grant, User, View};
/// use offspring_spawn::Namespace;
///
/// let apart = Apart::default()
///     .user(User::new("nobody"))
///     .namespaces([Namespace::Pid, Namespace::Net])
///     .view(View::Guest);
/// let grant = Grant::new("make", "/usr/bin/make").apart(apart);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Apart {
    user: Option<User>,
    namespaces: Namespaces,
    view: View,
    user_location: Option<Location>,
    namespaces_location: Option<Location>,
    view_location: Option<Location>,
}

/// What children see of the file system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum View {
    /// All that the host sees.
    #[default]
    Host,
    /// The directories that the guest holds, at the guest's own paths, and what
    /// programs need to run.
    Guest,
}

impl Apart {
    /// Sets who each child is. Default: the host's own user.
    pub fn user(mut self, user: User) -> Apart {
        self.user = Some(user);
        self
    }

    /// Sets what each child shares with nobody. Default: nothing.
    ///
    /// Where the host has no `CAP_SYS_ADMIN`, a user namespace is added to others.
    pub fn namespaces(mut self, namespaces: impl IntoIterator<Item = Namespace>) -> Apart {
        self.namespaces = namespaces.into_iter().collect();
        self
    }

    /// Sets what each child sees of the file system. Default: [`View::Host`].
    pub fn view(mut self, view: View) -> Apart {
        self.view = view;
        self
    }

    /// Who each child is, if not who the host is.
    pub fn get_user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    /// What each child shares with nobody.
    pub fn get_namespaces(&self) -> Namespaces {
        self.namespaces
    }

    /// What each child sees of the file system.
    pub fn get_view(&self) -> View {
        self.view
    }

    /// Where the user stands, for what was read from a file.
    pub fn user_location(&self) -> Option<&Location> {
        self.user_location.as_ref()
    }

    /// Where the namespaces stand, for what was read from a file.
    pub fn namespaces_location(&self) -> Option<&Location> {
        self.namespaces_location.as_ref()
    }

    /// Where the view stands, for what was read from a file.
    pub fn view_location(&self) -> Option<&Location> {
        self.view_location.as_ref()
    }

    pub(super) fn user_found(self, user: User, location: Location) -> Apart {
        Apart { user_location: Some(location), ..self.user(user) }
    }

    pub(super) fn namespaces_found(self, found: Vec<Namespace>, location: Location) -> Apart {
        Apart { namespaces_location: Some(location), ..self.namespaces(found) }
    }

    pub(super) fn view_found(self, view: View, location: Location) -> Apart {
        Apart { view_location: Some(location), ..self.view(view) }
    }

    /// What it amounts to, by keys.
    pub(super) fn summary(&self) -> [(&'static str, String); 3] {
        let user = self.user.as_ref().map_or_else(|| "the host's own".to_owned(), User::summary);
        let namespaces: Vec<_> = self.namespaces.iter().map(Namespace::name).collect();
        let namespaces = match namespaces.is_empty() {
            true => "none of its own".to_owned(),
            false => format!("its own {}", namespaces.join(", ")),
        };
        let view = match self.view {
            View::Host => "all that the host sees",
            View::Guest => "what the guest sees, and what programs need to run",
        };
        [("user", user), ("namespaces", namespaces), ("view", view.to_owned())]
    }

    /// Checks what types leave open.
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        let Some(user) = &self.user else {
            return Ok(());
        };
        if let Some(account) = user.invalid() {
            let message = format!("{} is no user or group", quoted(&account.to_string()));
            return Err(Invalid { key: "user", item: None, message });
        }
        if self.namespaces.contains(Namespace::User) {
            let item = Some(Namespace::User.name().to_owned());
            let rule = "a `user` namespace knows the host's own user only, so `user` excludes it";
            return Err(Invalid { key: "namespaces", item, message: rule.to_owned() });
        }
        Ok(())
    }
}
