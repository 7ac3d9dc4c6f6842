//! The users and groups of this system, as `/etc/passwd` and `/etc/group` have them.
//! Those that other services know (LDAP, `systemd-homed`) are not looked for: a
//! policy can name them by their numbers.

use std::path::Path;
use std::{fs, io};

use offspring_spawn::Identity;

use crate::policy::{Account, User, near_miss, quoted};

/// Both files.
#[derive(Debug)]
pub(crate) struct Accounts {
    passwd: String,
    group: String,
}

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

impl Accounts {
    /// Reads both. What is not there names nobody.
    pub(crate) fn read() -> Result<Accounts, String> {
        let read = |path: &str| match fs::read(Path::new(path)) {
            // Comments in it may be in any encoding.
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(format!("{path} cannot be read: {error}")),
        };
        Ok(Accounts { passwd: read(PASSWD)?, group: read(GROUP)? })
    }

    /// The numbers of who a grant's children are.
    pub(crate) fn resolve(&self, user: &User) -> Result<Identity, String> {
        let account = user.get_user();
        let (uid, own_group) = match account {
            Account::Id(uid) => (*uid, self.group_of(*uid)),
            Account::Name(name) => {
                let (uid, gid) = find(&self.passwd, name, |fields| {
                    Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
                })
                .ok_or_else(|| unknown("user", name, &self.passwd, PASSWD))?;
                (uid, Some(gid))
            }
        };
        let gid = match (user.get_group(), own_group) {
            (Some(group), _) => self.group(group)?,
            (None, Some(gid)) => gid,
            (None, None) => {
                return Err(format!(
                    "user {account} is not in {PASSWD}, so `user-group` must say its group"
                ));
            }
        };
        let groups =
            user.get_groups().iter().map(|group| self.group(group)).collect::<Result<_, _>>()?;
        Ok(Identity { uid, gid, groups })
    }

    fn group(&self, account: &Account) -> Result<u32, String> {
        match account {
            Account::Id(gid) => Ok(*gid),
            Account::Name(name) => find(&self.group, name, |fields| fields.nth(1)?.parse().ok())
                .ok_or_else(|| unknown("group", name, &self.group, GROUP)),
        }
    }

    fn group_of(&self, uid: u32) -> Option<u32> {
        self.passwd.lines().find_map(|line| {
            let mut fields = line.split(':').skip(2);
            let is_it = fields.next()?.parse() == Ok(uid);
            is_it.then(|| fields.next()?.parse().ok()).flatten()
        })
    }
}

/// Something of the first line that has this name.
fn find<'f, T>(
    file: &'f str,
    name: &str,
    read: impl Fn(&mut std::str::Split<'f, char>) -> Option<T>,
) -> Option<T> {
    file.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| read(&mut fields)).flatten()
    })
}

fn unknown(what: &str, name: &str, file: &str, path: &str) -> String {
    let names = file.lines().filter_map(|line| line.split(':').next());
    let hint = near_miss(name, names)
        .map_or_else(String::new, |near| format!(", did you mean {}?", quoted(near)));
    format!("there is no {what} {} in {path}{hint}", quoted(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> Accounts {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n\
            broken:x\n\n#comment\n\
            nobody:x:65534:65533:nobody:/:/bin/false\n\
            nobody:x:1:1:another:/:/bin/false\n\
            +nis\n";
        let group = "root:x:0:\naudio:x:29:root,nobody\nbad:x:many:\n";
        Accounts { passwd: passwd.to_owned(), group: group.to_owned() }
    }

    fn resolve(
        user: impl Into<Account>,
        group: Option<Account>,
        groups: &[&str],
    ) -> Result<(u32, u32, Vec<u32>), String> {
        let user = User::new(user).groups(groups.iter().copied());
        let user = match group {
            Some(group) => user.group(group),
            None => user,
        };
        let Identity { uid, gid, groups } = accounts().resolve(&user)?;
        Ok((uid, gid, groups))
    }

    #[test]
    fn names_are_found() {
        assert_eq!(resolve("root", None, &[]), Ok((0, 0, vec![])));
        // The first line of a name counts.
        assert_eq!(resolve("nobody", None, &["audio"]), Ok((65_534, 65_533, vec![29])));
        assert_eq!(resolve(65_534, None, &[]), Ok((65_534, 65_533, vec![])));
        assert_eq!(resolve(7, Some(8.into()), &[]), Ok((7, 8, vec![])));
        assert_eq!(resolve("root", Some("audio".into()), &[]), Ok((0, 29, vec![])));
    }

    #[test]
    fn what_is_not_there_is_told() {
        for (user, group, groups, told) in [
            (
                "nobdy",
                None,
                &[][..],
                "there is no user `nobdy` in /etc/passwd, did you mean `nobody`?",
            ),
            ("broken", None, &[], "there is no user `broken`"),
            ("root", Some("audoi".into()), &[], "there is no group `audoi` in /etc/group, did you"),
            ("root", None, &["bad"], "there is no group `bad`"),
        ] {
            let error = resolve(user, group, groups).unwrap_err();
            assert!(error.starts_with(told), "{error}");
        }
        let error = resolve(7, None, &[]).unwrap_err();
        assert_eq!(error, "user 7 is not in /etc/passwd, so `user-group` must say its group");
    }
}
