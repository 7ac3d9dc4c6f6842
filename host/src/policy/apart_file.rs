//! Reads from TOML what children have apart from their host.

use offspring_spawn::Namespace;

use super::apart::{Apart, View};
use super::error::{Location, PolicyError};
use super::table::Value;
use super::user::{Account, User};

/// What the keys of one grant say, in any order.
#[derive(Debug, Default)]
pub(super) struct Keys {
    apart: Apart,
    user: Option<(Account, Location)>,
    group: Option<(Account, Location)>,
    groups: Option<(Vec<Account>, Location)>,
}

/// The keys that are read here.
pub(super) const APART: [&str; 5] = ["user", "user-group", "user-groups", "namespaces", "view"];

impl Keys {
    /// Reads one of [`APART`].
    pub(super) fn read(&mut self, key: &str, value: &Value<'_>) -> Result<(), PolicyError> {
        let location = value.location();
        match key {
            "user" => self.user = user(value)?.map(|user| (user, location)),
            "user-group" => self.group = Some((group(value)?, location)),
            "user-groups" => self.groups = Some((groups(value)?, location)),
            "namespaces" => {
                let found = value.words(&Namespace::ALL, Namespace::name)?;
                self.apart = std::mem::take(&mut self.apart).namespaces_found(found, location);
            }
            _ => {
                let view = value.word("\"host\" or \"guest\"", view)?;
                self.apart = std::mem::take(&mut self.apart).view_found(view, location);
            }
        }
        Ok(())
    }

    /// What they say together.
    pub(super) fn finish(self) -> Result<Apart, PolicyError> {
        let Keys { apart, user, group, groups } = self;
        let Some((user, location)) = user else {
            let group = group.map(|(_, location)| ("user-group", location));
            let groups = groups.map(|(_, location)| ("user-groups", location));
            return match group.or(groups) {
                None => Ok(apart),
                Some((key, location)) => {
                    let message = format!("`{key}` is of no use without a `user` to be in it");
                    Err(PolicyError::new(Some(&location), message))
                }
            };
        };
        let mut user = User::new(user);
        if let Some((group, _)) = group {
            user = user.group(group);
        }
        if let Some((groups, _)) = groups {
            user = user.groups(groups);
        }
        Ok(apart.user_found(user, location))
    }
}

/// Nothing for the host's own.
fn user(value: &Value<'_>) -> Result<Option<Account>, PolicyError> {
    if value.is_string() && value.string()? == "inherit" {
        return Ok(None);
    }
    account(value, "\"inherit\", or the name or the number of a user").map(Some)
}

fn group(value: &Value<'_>) -> Result<Account, PolicyError> {
    account(value, "the name or the number of a group")
}

fn groups(value: &Value<'_>) -> Result<Vec<Account>, PolicyError> {
    let elements = value.elements("a list of names and numbers of groups")?;
    elements.iter().map(group).collect()
}

fn account(value: &Value<'_>, expected: &str) -> Result<Account, PolicyError> {
    let account = match value.is_string() {
        true => Account::from(value.string()?),
        false => Account::Id(value.number(0).map_err(|_| value.must_be(expected))?),
    };
    if account.is_valid() { Ok(account) } else { Err(value.must_be(expected)) }
}

fn view(word: &str) -> Option<View> {
    match word {
        "host" => Some(View::Host),
        "guest" => Some(View::Guest),
        _ => None,
    }
}
