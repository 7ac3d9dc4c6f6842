//! What children have apart from their host: what a file says of it.

use offspring_spawn::Namespace;

use crate::policy::*;

fn parse(text: &str) -> Result<Apart, PolicyError> {
    let text = format!("[program.git]\npath = \"/usr/bin/git\"\n{text}");
    Policy::parse("p.toml", &text).map(|policy| policy.grants()[0].get_apart().clone())
}

/// Without the places.
fn same(read: &Apart, made: &Apart) -> bool {
    read.get_user() == made.get_user()
        && read.get_namespaces() == made.get_namespaces()
        && read.get_view() == made.get_view()
}

#[test]
fn everything_as_in_code() {
    let user = |user: User| Apart::default().user(user);
    for (text, made) in [
        ("", Apart::default()),
        ("user = 'inherit'\nview = 'host'\nnamespaces = []", Apart::default()),
        ("user = 'nobody'", user(User::new("nobody"))),
        ("user = 65534", user(User::new(65_534))),
        ("user = 0\nuser-group = 'nogroup'", user(User::new(0).group("nogroup"))),
        (
            "user-groups = ['audio', 29]\nuser = 'a'",
            user(User::new("a").groups([Account::from("audio"), Account::from(29)])),
        ),
        ("view = 'guest'", Apart::default().view(View::Guest)),
        (
            "namespaces = ['user', 'pid', 'mount', 'net', 'ipc', 'uts', 'cgroup']",
            Apart::default().namespaces(Namespace::ALL),
        ),
        (
            "user = 'nobody'\nnamespaces = ['pid']",
            user(User::new("nobody")).namespaces([Namespace::Pid]),
        ),
    ] {
        let read = parse(text).unwrap();
        assert!(same(&read, &made), "{text}: {read:?}");
        assert!(Policy::new().grant(Grant::new("git", "git").apart(made)).is_ok());
    }
}

#[test]
fn a_summary_tells_it() {
    let told = |text: &str| {
        let facts = Grant::new("git", "git").apart(parse(text).unwrap()).summary();
        let told = |about| facts.iter().find(|fact| fact.about == about).unwrap().allowed.clone();
        ["user", "namespaces", "view"].map(told)
    };
    assert_eq!(told(""), ["the host's own", "none of its own", "all that the host sees"]);
    let all = "user = 'a'\nuser-group = 5\nuser-groups = ['b', 6]\nnamespaces = ['net', 'pid']
        view = 'guest'";
    let view = "what the guest sees, and what programs need to run";
    assert_eq!(told(all), ["a in group 5, also in b, 6", "its own pid, net", view]);
}

#[test]
fn places() {
    let read = parse("user = 'nobody'\nnamespaces = ['pid']\nview = 'guest'").unwrap();
    let all = [read.user_location(), read.namespaces_location(), read.view_location()];
    let all = all.map(|location| location.unwrap().to_string());
    assert_eq!(all, ["p.toml:3:8", "p.toml:4:14", "p.toml:5:8"]);
}

#[test]
fn mistakes() {
    let user = "must be \"inherit\", or the name or the number of a user, not";
    let group = "must be the name or the number of a group, not";
    for (text, expected) in [
        ("user = ''", format!("3:8: `user` {user} \"\"")),
        ("user = -1", format!("3:8: `user` {user} -1")),
        ("user = 4294967295", format!("3:8: `user` {user} 4294967295")),
        ("user = true", format!("3:8: `user` {user} true")),
        ("user = 'a b'", format!("3:8: `user` {user} \"a b\"")),
        ("user = 1\nuser-group = ['a']", format!("4:14: `user-group` {group} a list")),
        (
            "user = 1\nuser-groups = 'audio'",
            "4:15: `user-groups` must be a list of names and numbers of groups, not \"audio\""
                .to_owned(),
        ),
        (
            "user = 1\nuser-groups = ['a', 1.5]",
            format!("4:21: an element of `user-groups` {group} 1.5"),
        ),
        (
            "user-group = 'a'",
            "3:14: `user-group` is of no use without a `user` to be in it".to_owned(),
        ),
        (
            "user = 'inherit'\nuser-groups = []",
            "4:15: `user-groups` is of no use without a `user` to be in it".to_owned(),
        ),
        (
            "namespaces = ['net', 'pd']",
            "3:22: `pd` is not an element of `namespaces`, did you mean `pid`?".to_owned(),
        ),
        (
            "namespaces = 'pid'",
            "3:14: `namespaces` must be a list of strings, not \"pid\"".to_owned(),
        ),
        (
            "namespaces = ['pid', 'user']\nuser = 'nobody'",
            "3:22: a `user` namespace knows the host's own user only, so `user` excludes it"
                .to_owned(),
        ),
        ("view = 'gest'", "3:8: `view` must be \"host\" or \"guest\", not \"gest\"".to_owned()),
        ("views = 'guest'", "3:1: unknown key `views`, did you mean `view`?".to_owned()),
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!(error.to_string(), format!("p.toml:{expected}"), "{text}");
    }
    let user = User::new("a:b");
    let error = Policy::new().grant(Grant::new("git", "git").apart(Apart::default().user(user)));
    assert_eq!(error.unwrap_err().to_string(), "program `git`: `a:b` is no user or group");
}
